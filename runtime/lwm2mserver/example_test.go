package lwm2mserver_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"net/netip"
	"time"

	"github.com/lwm2mgen/toolkit/generated/temperature"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/net/udp"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mserver"
)

// A server waits for a thermometer and reads it.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	l, err := udp.Listen(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		log.Fatal(err)
	}
	srv, err := lwm2mserver.New(lwm2mserver.Config{Listeners: []socket.Listener{l}})
	if err != nil {
		log.Fatal(err)
	}
	defer srv.Close()
	go runThermometer(ctx, srv.URI())

	dev, err := srv.WaitRegistered(ctx, "thermometer")
	if err != nil {
		log.Fatal(err)
	}
	ans, err := dev.Read(ctx, "/3303/0/5700", content.Text)
	fmt.Println(ans, err)
	// Output: 2.05 22.5 <nil>
}

// A server bootstraps a thermometer, which then registers at it.
func ExampleServer_ScriptBootstrap() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	l, err := udp.Listen(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		log.Fatal(err)
	}
	srv, err := lwm2mserver.New(lwm2mserver.Config{Listeners: []socket.Listener{l}})
	if err != nil {
		log.Fatal(err)
	}
	defer srv.Close()
	srv.ScriptBootstrap("thermometer",
		lwm2mserver.BootstrapDelete("/0"),
		lwm2mserver.BootstrapDelete("/1"),
		lwm2mserver.BootstrapAccount(1, lwm2m.Server{URI: srv.URI(), ShortID: 1}),
		lwm2mserver.BootstrapFinish(),
	)
	client, err := lwm2m.New(lwm2m.Config{
		Endpoint: "thermometer",
		Servers:  []lwm2m.Server{{URI: srv.URI(), Bootstrap: true}},
		Logger:   slog.New(slog.DiscardHandler),
	})
	if err != nil {
		log.Fatal(err)
	}
	go client.Run(ctx)

	b, _, err := srv.WaitBootstrap(ctx, 0, "thermometer")
	if err != nil {
		log.Fatal(err)
	}
	err = b.Wait(ctx)
	fmt.Println(b, err)
	dev, err := srv.WaitRegistered(ctx, "thermometer")
	fmt.Println(dev.Registration().Endpoint, "is registered", err)
	// Output:
	// bootstrap of "thermometer"
	// 	DELETE /0: 2.02
	// 	DELETE /1: 2.02
	// 	PUT /0/1: 2.04
	// 	PUT /1/1: 2.04
	// 	POST /bs: 2.04 <nil>
	// thermometer is registered <nil>
}

// runThermometer is the device. It usually is another program.
func runThermometer(ctx context.Context, uri string) {
	temp, err := temperature.New(temperature.Config{})
	if err == nil {
		err = temp.Add(0, temperature.Instance{SensorValue: dm.Float(22.5)})
	}
	if err != nil {
		log.Fatal(err)
	}
	client, err := lwm2m.New(lwm2m.Config{
		Endpoint: "thermometer",
		Servers:  []lwm2m.Server{{URI: uri}},
		Objects:  []dm.Object{temp},
		Logger:   slog.New(slog.DiscardHandler),
	})
	if err != nil {
		log.Fatal(err)
	}
	_ = client.Run(ctx)
}
