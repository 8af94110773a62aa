package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"time"

	"github.com/lwm2mgen/toolkit/net/dtls"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/net/tcp"
	"github.com/lwm2mgen/toolkit/net/tls"
	"github.com/lwm2mgen/toolkit/net/udp"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
)

func main() {
	server := flag.String("server", "", "URI of the server, such as coap://localhost:5683; empty runs a tour with a server in the process")
	endpoint := flag.String("endpoint", "thermometer", "endpoint name of the device")
	bootstrap := flag.Bool("bootstrap", false, "the server is a bootstrap server, which says where the device registers")
	keys := addKeyFlags(flag.CommandLine)
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	account := lwm2m.Server{URI: *server, Lifetime: 5 * time.Minute}
	if *bootstrap {
		account = lwm2m.Server{URI: *server, Bootstrap: true}
	}
	err := keys.set(&account)
	switch {
	case err != nil:
	case *server == "":
		err = tour(ctx, os.Stdout, *endpoint)
	default:
		err = serve(ctx, os.Stdout, *endpoint, account)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "thermometer:", err)
		os.Exit(1)
	}
}

// serve runs the device until ctx ends.
func serve(ctx context.Context, out io.Writer, endpoint string, account lwm2m.Server) error {
	say := printer(out)
	objects, err := objects(&hardware{log: say})
	if err != nil {
		return err
	}
	client, err := lwm2m.New(lwm2m.Config{
		Endpoint:    endpoint,
		Servers:     []lwm2m.Server{account},
		Dialers:     []socket.Dialer{udp.Dialer{}, dtls.Dialer{}, tcp.Dialer{}, tls.Dialer{}},
		Objects:     objects,
		Logger:      slog.New(trace{say: say}),
		OnStatus:    func(s lwm2m.ServerStatus) { say("device: %s", describe(s)) },
		OnBootstrap: func(s lwm2m.BootstrapStatus) { say("device: bootstrap %v", s.State) },
	})
	if err != nil {
		return err
	}
	return client.Run(ctx)
}

// describe returns the state of a server, with its reason and what comes next.
func describe(s lwm2m.ServerStatus) string {
	text := fmt.Sprintf("%v at %s", s.State, s.URI)
	if s.Err != nil {
		text += ": " + s.Err.Error()
	}
	if !s.Next.IsZero() {
		text += fmt.Sprintf("; %s in %v", s.Plan, time.Until(s.Next).Round(time.Second))
	}
	return text
}

// printer returns a function that prints one line. The function is safe for concurrent use.
func printer(out io.Writer) func(format string, args ...any) {
	var mu sync.Mutex
	return func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(out, format+"\n", args...)
	}
}
