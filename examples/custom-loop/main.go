// Custom-loop runs a device in the program's own event loop. In place of Client.Run, one select
// waits for the network, the device's timers and a button.
//
// Without flags it runs with a server in the same process. With -server it registers at a server of
// yours and runs until it is interrupted:
//
//	go run ./examples/custom-loop
//	go run ./examples/custom-loop -server coap://host:5683
//
// docs/loop.md explains the parts.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"time"

	"github.com/lwm2mgen/toolkit/generated/pushbutton"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
)

func main() {
	server := flag.String("server", "", "URI of the server; empty runs a demonstration with a server in the process")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var err error
	if *server == "" {
		err = demonstrate(ctx, os.Stdout)
	} else {
		ticks := time.NewTicker(5 * time.Second)
		defer ticks.Stop()
		err = loop(ctx, os.Stdout, *server, ticks.C)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "custom-loop:", err)
		os.Exit(1)
	}
}

// loop makes the device and runs its event loop until ctx ends. presses are events of the program.
func loop(ctx context.Context, out io.Writer, server string, presses <-chan time.Time) error {
	button, err := pushbutton.New(pushbutton.Config{})
	if err != nil {
		return err
	}
	err = button.Add(0, pushbutton.Instance{
		DigitalInputState: dm.Bool(false), DigitalInputCounter: dm.Int(0),
	})
	if err != nil {
		return err
	}
	client, err := lwm2m.New(lwm2m.Config{
		Endpoint: "button",
		Servers:  []lwm2m.Server{{URI: server}},
		Objects:  []dm.Object{button},
		Logger:   slog.New(slog.NewTextHandler(io.Discard, nil)),
		OnStatus: func(s lwm2m.ServerStatus) { fmt.Fprintf(out, "loop: %v\n", s.State) },
	})
	if err != nil {
		return err
	}

	// ctx ends the program, but the client still has to receive the response to its De-register.
	serving := context.WithoutCancel(ctx)
	timer := time.NewTimer(0)
	defer timer.Stop()
	stop := ctx.Done()
	for {
		// Sleep until the client's next deadline, but at most a minute, so that the client notices
		// time during which the machine was suspended.
		timer.Reset(client.Sched().Wait(time.Minute))
		select {
		case <-client.Readable(): // data may have arrived: serve it without waiting
			if err := client.ServeAny(serving, 0); err != nil {
				fmt.Fprintf(out, "loop: %v\n", err)
			}
		case <-client.Sched().Woken(): // another goroutine posted work to the loop
		case <-timer.C: // a deadline of the client
		case <-presses: // an event of this program
			fmt.Fprintln(out, "loop: the button is pressed")
			err := button.Update(ctx, 0, func(i *pushbutton.Instance) error {
				i.DigitalInputCounter.Set(i.DigitalInputCounter.Or(0) + 1)
				return nil
			}) // observers are notified
			if err != nil {
				return err
			}
		case <-stop:
			stop = nil
			client.Shutdown() // de-registers while the loop goes on
		case <-client.Done():
			return nil
		}
		client.Sched().Run() // the jobs that are due
	}
}
