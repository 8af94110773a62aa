// Pushserver is a server that updates one device: it waits for a device, pushes an image to it,
// executes Update, and prints what the device reports until the update has ended. Devices connect
// without security; a server for more than a try-out is cmd/lwm2mserver.
//
//	go run ./examples/selfupdate/pushserver probe-1.1.0.image
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/signal"
	"time"

	values "github.com/lwm2mgen/toolkit/generated/firmwareupdate"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/net/udp"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mserver"
)

func main() {
	address := flag.String("listen", "127.0.0.1:5683", "address and port for CoAP over UDP")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: pushserver [-listen ADDRESS] IMAGE")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout, *address, flag.Arg(0)); err != nil {
		fmt.Fprintln(os.Stderr, "pushserver:", err)
		os.Exit(1)
	}
}

// run updates the first device that registers.
func run(ctx context.Context, out io.Writer, address, file string) error {
	image, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	local, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("-listen: %w", err)
	}
	listener, err := udp.Listen(local)
	if err != nil {
		return err
	}
	srv, err := lwm2mserver.New(lwm2mserver.Config{Listeners: []socket.Listener{listener}})
	if err != nil {
		return err
	}
	defer srv.Close()
	fmt.Fprintf(out, "waiting for a device at %s\n", srv.URI())
	e, _, err := srv.WaitEvent(ctx, 0, func(e lwm2mserver.Event) bool { return e.Kind == lwm2mserver.Registered })
	if err != nil {
		return err
	}
	dev, err := srv.WaitRegistered(ctx, e.Registration.Endpoint)
	if err != nil {
		return err
	}
	states, a, err := dev.Observe(ctx, "/5/0/3", content.Text)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s is registered, the state of its update is %s\n", e.Registration.Endpoint, a.Text())
	begin := time.Now()
	if a, err = dev.PushFirmware(ctx, bytes.NewReader(image), int64(len(image)), nil); err != nil {
		return err
	}
	fmt.Fprintf(out, "Write of %d bytes to Package: %v, after %v\n", len(image), a, time.Since(begin).Round(time.Millisecond))
	return follow(ctx, out, dev, states)
}

// follow prints the states of the update, and executes Update when the image is downloaded. It
// returns when the update has ended.
func follow(ctx context.Context, out io.Writer, dev *lwm2mserver.Client, states *lwm2mserver.Observation) error {
	for executed := false; ; {
		a, err := states.Next(ctx)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "State is %s\n", a.Text())
		switch downloaded := a.Text() == fmt.Sprint(values.StateDownloaded); {
		case downloaded && !executed:
			executed = true
			if a, err = dev.Execute(ctx, "/5/0/2", ""); err != nil {
				return err
			}
			fmt.Fprintf(out, "Execute of Update: %v\n", a)
		case downloaded || a.Text() == fmt.Sprint(values.StateIdle): // it has ended
			result, err := dev.Read(ctx, "/5/0/5", content.Text)
			if err != nil {
				return err
			}
			running, err := dev.Read(ctx, "/3/0/3", content.Text)
			if err != nil {
				return err
			}
			fmt.Fprintf(out, "Update Result is %s, and version %s runs\n", result.Text(), running.Text())
			return nil
		}
	}
}
