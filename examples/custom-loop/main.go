// Custom-loop runs a device in an event loop of the program's own: instead of Client.Run, one select
// waits for the network, the device's timers and a button, and the program does each turn itself.
//
//	go run ./examples/custom-loop                            # with a server in the same process
//	go run ./examples/custom-loop -server coap://host:5683   # at a server of yours, until interrupted
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
	server := flag.String("server", "", "URI of the server to register at; none is a demonstration with a server of its own")
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

// loop is the device and its event loop. presses are the program's own events.
func loop(ctx context.Context, out io.Writer, server string, presses <-chan time.Time) error {
	button, err := pushbutton.New(pushbutton.Config{})
	if err != nil {
		return err
	}
	if err := button.Add(0, pushbutton.Instance{DigitalInputState: dm.Bool(false), DigitalInputCounter: dm.Int(0)}); err != nil {
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

	// ctx ends the program, but the client still has to hear the answer to its de-registration.
	serving := context.WithoutCancel(ctx)
	timer := time.NewTimer(0)
	defer timer.Stop()
	stop := ctx.Done()
	for {
		// How long may this program sleep? Until the client's next deadline, and a minute at most, so
		// that time spent suspended is noticed.
		timer.Reset(client.Sched().Wait(time.Minute))
		select {
		case <-client.Readable(): // something may have arrived: take it, without waiting
			if err := client.ServeAny(serving, 0); err != nil {
				fmt.Fprintf(out, "loop: %v\n", err)
			}
		case <-client.Sched().Woken(): // another goroutine has left work in the loop
		case <-timer.C: // a deadline
		case <-presses: // an event of this program
			fmt.Fprintln(out, "loop: the button is pressed")
			err := button.Update(ctx, 0, func(i *pushbutton.Instance) error {
				i.DigitalInputCounter.Set(i.DigitalInputCounter.Or(0) + 1)
				return nil
			}) // and whoever observes it is told
			if err != nil {
				return err
			}
		case <-stop:
			stop = nil
			client.Shutdown() // de-registers, while the loop goes on
		case <-client.Done():
			return nil
		}
		client.Sched().Run() // the jobs that are due
	}
}
