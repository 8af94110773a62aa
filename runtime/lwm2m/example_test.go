package lwm2m_test

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/objects/device"
)

func Example() {
	dev, err := device.New(device.Config{Instance: device.Instance{Manufacturer: dm.Str("Example")}})
	if err != nil {
		fmt.Println(err)
		return
	}
	// A device leaves Dialers out: udp.Dialer{} and tcp.Dialer{} are the default. This example uses
	// an in-memory network without a server.
	network := simnet.New(1)
	client, err := lwm2m.New(lwm2m.Config{
		Endpoint: "urn:dev:ops:probe-7",
		Servers:  []lwm2m.Server{{URI: "coap://lwm2m.example.com", Lifetime: time.Hour}},
		Objects:  []dm.Object{dev},
		Dialers:  []socket.Dialer{network.NewHost("probe-7").Dialer()},
		Logger:   slog.New(slog.DiscardHandler),
		OnStatus: func(s lwm2m.ServerStatus) { fmt.Println(s.State) },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer stop()
	if err := client.Run(ctx); err != nil {
		fmt.Println(err)
	}
	// Output:
	// connecting
	// error
	// de-registered
}

// New reports every fault of the configuration at once.
func ExampleNew_faults() {
	_, err := lwm2m.New(lwm2m.Config{
		Servers:   []lwm2m.Server{{URI: "coap://lwm2m.example.com"}},
		BlockSize: 1000,
		Workers:   -1,
	})
	fmt.Println(err)
	// Output:
	// lwm2m: Config.Workers is -1, it must not be negative
	// lwm2m: Config.BlockSize is 1000, it must be a power of two from 16 to 1024
}

// Status tells why a device is not registered.
func ExampleClient_Status() {
	client, err := lwm2m.New(lwm2m.Config{
		Servers: []lwm2m.Server{{URI: "coap://lwm2m.example.com"}},
		Dialers: []socket.Dialer{simnet.New(1).NewHost("probe-7").Dialer()},
		Logger:  slog.New(slog.DiscardHandler),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	for s, _ := client.Status().Server(1); s.State != lwm2m.StateError; s, _ = client.Status().Server(1) {
		if err := client.ServeAny(ctx, time.Second); err != nil {
			fmt.Println(err)
		}
	}
	s, _ := client.Status().Server(1)
	fmt.Println(s.State, "-", s.Err)
	fmt.Println(s.Plan, "in a minute:", time.Until(s.Next) > 50*time.Second)
	// Output:
	// error - connect lwm2m.example.com:5683: address not found: no host is called "lwm2m.example.com"
	// next attempt in a minute: true
}

// Several clients share one Loop, which runs them on one goroutine.
func ExampleLoop() {
	loop, err := lwm2m.NewLoop(lwm2m.LoopConfig{})
	if err != nil {
		fmt.Println(err)
		return
	}
	network := simnet.New(1)
	for i := range 3 {
		_, err := lwm2m.New(lwm2m.Config{
			Endpoint: fmt.Sprint("probe-", i), Loop: loop,
			Servers: []lwm2m.Server{{URI: "coap://lwm2m.example.com"}},
			Dialers: []socket.Dialer{network.NewHost("").Dialer()}, Logger: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			fmt.Println(err)
		}
	}
	ctx, stop := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer stop()
	fmt.Println(loop.Run(ctx))
	// Output: <nil>
}
