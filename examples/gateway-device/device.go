package main

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/lwm2mgen/toolkit/generated/setpoint"
	"github.com/lwm2mgen/toolkit/net/dtls"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/net/udp"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/objects/device"
	"github.com/lwm2mgen/toolkit/runtime/store"
)

// factory is the account of the bootstrap server. A production line makes such a file with
// lwm2mprovision; here the URI is that of a server on this machine.
//
//go:embed factory.json
var factory []byte

// runDevice is the device. It stops in order when its standard input ends.
func runDevice(ctx context.Context, bootstrapURI, dir string) error {
	s, err := store.OpenDir(dir, store.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	client, err := newClient(bootstrapURI, s)
	if err != nil {
		return err
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // however it ends
		client.Detach()
	}()
	return errors.Join(client.Run(ctx), s.Close())
}

// newClient makes the device. It has no account but that of the factory file, or those in the
// store.
func newClient(bootstrapURI string, s store.Store) (*lwm2m.Client, error) {
	dev, err := device.New(device.Config{Instance: device.Instance{Manufacturer: dm.Str("Example")}})
	if err != nil {
		return nil, err
	}
	goal, err := setpoint.New(setpoint.Config{})
	if err != nil {
		return nil, err
	}
	if err := goal.Add(0, setpoint.Instance{SetPointValue: dm.Float(20)}); err != nil {
		return nil, err
	}
	return lwm2m.New(lwm2m.Config{
		Endpoint:      endpoint,
		Factory:       lwm2m.FactoryData("factory.json", bytes.Replace(factory, []byte("BOOTSTRAP_URI"), []byte(bootstrapURI), 1)),
		Objects:       []dm.Object{dev, goal},
		Store:         s,
		StoredObjects: []dm.ObjectID{setpoint.ObjectID},
		BootID:        "1", // this machine stays switched on
		Dialers:       []socket.Dialer{udp.Dialer{}, dtls.Dialer{}},
		QueueMode:     &lwm2m.QueueMode{AwakeTime: awakeTime},
		Logger:        slog.New(reasons{}),
		OnStatus:      showStatus,
	})
}

// showStatus prints how the device is connected, and what it does about its servers.
func showStatus(s lwm2m.ServerStatus) {
	switch s.State {
	case lwm2m.StateRegistering, lwm2m.StateUpdating:
		fmt.Printf("server %d: %v, %s\n", s.ShortID, s.State, s.Secured)
	case lwm2m.StateAsleep:
		fmt.Printf("server %d: %v\n", s.ShortID, s.State)
	}
}

// reasons prints why the device goes on with a registration, or registers again.
type reasons struct{}

func (reasons) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelInfo }
func (reasons) WithGroup(string) slog.Handler                { return reasons{} }
func (reasons) WithAttrs([]slog.Attr) slog.Handler           { return reasons{} }

func (reasons) Handle(_ context.Context, r slog.Record) error {
	switch r.Message {
	case "the device is provisioned", "the device registers again", "the device goes on with its registration of before the restart":
	default:
		if r.Level < slog.LevelWarn {
			return nil
		}
	}
	reason := ""
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "reason" {
			reason = ": " + a.Value.String()
		}
		return true
	})
	fmt.Printf("%s%s\n", r.Message, reason)
	return nil
}
