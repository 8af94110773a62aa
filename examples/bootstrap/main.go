// Bootstrap takes a device from the factory to two management servers. The factory file names the
// bootstrap server alone. That writes the accounts of both servers, and who may do what: server 1
// owns everything, and server 2 may only read. All run in one process. docs/bootstrap.md and
// docs/accesscontrol.md explain it.
//
//	go run ./examples/bootstrap
package main

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"time"

	"github.com/lwm2mgen/toolkit/generated/temperature"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/net/udp"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mserver"
	"github.com/lwm2mgen/toolkit/runtime/objects/accesscontrol"
	"github.com/lwm2mgen/toolkit/runtime/objects/device"
)

// factory is the account of the bootstrap server. A production line makes such a file with
// lwm2mprovision; here the URI is that of a server in this process.
//
//go:embed factory.json
var factory []byte

const endpoint = "sensor-1"

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := run(ctx, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bootstrap:", err)
		os.Exit(1)
	}
}

// run starts the servers and the device, and prints a line for each step.
func run(ctx context.Context, out io.Writer) error {
	var servers [3]*lwm2mserver.Server // the bootstrap server, and servers 1 and 2
	for i := range servers {
		l, err := udp.Listen(netip.MustParseAddrPort("127.0.0.1:0"))
		if err != nil {
			return err
		}
		if servers[i], err = lwm2mserver.New(lwm2mserver.Config{Listeners: []socket.Listener{l}}); err != nil {
			return err
		}
		defer servers[i].Close()
	}
	if err := scriptBootstrap(servers[0], servers[1], servers[2]); err != nil {
		return err
	}
	client, err := newClient(servers[0].URI())
	if err != nil {
		return err
	}
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- client.Run(running) }()
	if err = showBootstrap(ctx, out, servers[0]); err == nil {
		err = manage(ctx, out, servers[1], servers[2])
	}
	stop()
	return errors.Join(err, <-ended)
}

// newClient makes the device. It has no account but that of the factory file.
func newClient(bootstrapURI string) (*lwm2m.Client, error) {
	dev, err := device.New(device.Config{})
	if err != nil {
		return nil, err
	}
	temp, err := temperature.New(temperature.Config{})
	if err != nil {
		return nil, err
	}
	if err := temp.Add(0, temperature.Instance{SensorValue: dm.Float(20.5), ApplicationType: dm.Str("hall")}); err != nil {
		return nil, err
	}
	return lwm2m.New(lwm2m.Config{
		Endpoint: endpoint,
		Factory:  lwm2m.FactoryData("factory.json", bytes.Replace(factory, []byte("BOOTSTRAP_URI"), []byte(bootstrapURI), 1)),
		Objects:  []dm.Object{dev, temp},
		Logger:   slog.New(slog.DiscardHandler),
	})
}

// scriptBootstrap tells the bootstrap server what to write to the device.
func scriptBootstrap(bootstrap, first, second *lwm2mserver.Server) error {
	rights, err := accesscontrol.New(accesscontrol.Config{})
	if err != nil {
		return err
	}
	governed := []dm.Path{
		dm.InstancePath(1, 1), dm.InstancePath(1, 2), // the accounts
		dm.InstancePath(3, 0), // the Device
		dm.InstancePath(temperature.ObjectID, 0),
	}
	for i, p := range governed {
		err := rights.Add(dm.InstanceID(i), accesscontrol.Entry(p, 1, map[dm.ShortServerID]accesscontrol.Rights{2: accesscontrol.Read}))
		if err != nil {
			return err
		}
	}
	bootstrap.ScriptBootstrap(endpoint,
		lwm2mserver.BootstrapDiscover("/"),
		lwm2mserver.BootstrapAccount(1, lwm2m.Server{URI: first.URI(), ShortID: 1, Lifetime: time.Hour}),
		lwm2mserver.BootstrapAccount(2, lwm2m.Server{URI: second.URI(), ShortID: 2, Lifetime: time.Hour}),
		lwm2mserver.BootstrapWriteObject(rights),
		lwm2mserver.BootstrapFinish(),
	)
	return nil
}

// showBootstrap prints the steps of the bootstrap.
func showBootstrap(ctx context.Context, out io.Writer, bootstrap *lwm2mserver.Server) error {
	b, _, err := bootstrap.WaitBootstrap(ctx, 0, endpoint)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "the device asks:", b.Request())
	for r := range b.All(ctx) {
		fmt.Fprintln(out, "bootstrap server:", r)
	}
	return b.Wait(ctx)
}

// manage reads and writes as both servers.
func manage(ctx context.Context, out io.Writer, servers ...*lwm2mserver.Server) error {
	for i, srv := range servers {
		dev, err := srv.WaitRegistered(ctx, endpoint)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "server %d: the device is registered\n", i+1)
		a, err := dev.Read(ctx, "/3303/0/5700", content.Text)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "server %d: Read /3303/0/5700: %v\n", i+1, a)
		if a, err = dev.Write(ctx, "/3303/0/5750", content.Text, []byte("cellar")); err != nil {
			return err
		}
		fmt.Fprintf(out, "server %d: Write /3303/0/5750: %v\n", i+1, a)
	}
	return nil
}
