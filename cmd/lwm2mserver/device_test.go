package main

import (
	"context"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/net/dtls"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/net/tcp"
	"github.com/lwm2mgen/toolkit/net/tls"
	"github.com/lwm2mgen/toolkit/net/udp"
	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/objects/device"
)

// heater is the object of testdata/heater.xml.
type heater struct {
	Temperature, SetPoint dm.Res[float64]
	Hours                 dm.Multi[int64]
	Boost                 dm.Exec
}

var heaterDefinition = registry.Object{
	ID: 42769, Name: "Heater", Multiple: true, Resources: []registry.Resource{
		{ID: 0, Name: "Temperature", Ops: registry.R, Type: registry.Float, Mandatory: true, Units: "Cel"},
		{ID: 1, Name: "Set Point", Ops: registry.RW, Type: registry.Float, Mandatory: true, Units: "Cel",
			Range: registry.Between(5, 90)},
		{ID: 2, Name: "Hours", Ops: registry.RW, Type: registry.Integer, Multiple: true},
		{ID: 3, Name: "Boost", Ops: registry.E},
	},
}

func (h *heater) cell(id dm.ResourceID) dm.Cell {
	switch id {
	case 0:
		return &h.Temperature
	case 1:
		return &h.SetPoint
	case 2:
		return &h.Hours
	case 3:
		return &h.Boost
	}
	return nil
}

// testDevice is the device heater-1.
type testDevice struct {
	heaters *dm.TypedObject[heater]
	client  *lwm2m.Client
}

// newDevice returns a device for an account.
func newDevice(t *testing.T, account lwm2m.Server) *testDevice {
	t.Helper()
	return newDeviceWith(t, lwm2m.Config{Servers: []lwm2m.Server{account}})
}

// newDeviceWith returns a device with a configuration to which it adds its objects and dialers.
func newDeviceWith(t *testing.T, cfg lwm2m.Config) *testDevice {
	t.Helper()
	boost := func(context.Context, dm.Args) error { return nil }
	heaters, err := dm.NewObject(&heaterDefinition, (*heater).cell, dm.ObjectConfig[heater]{
		Template:     heater{Temperature: dm.Float(20), SetPoint: dm.Float(21), Hours: dm.EmptyMulti[int64](), Boost: boost},
		MaxInstances: 3,
	})
	if err == nil {
		err = heaters.Add(0, heater{
			Temperature: dm.Float(20.5), SetPoint: dm.Float(21), Hours: dm.List[int64](6, 18), Boost: boost,
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	dev, err := device.New(device.Config{Instance: device.Instance{
		Manufacturer: dm.Str("Example\x1b[2J"), // an attack on the terminal
	}})
	if err != nil {
		t.Fatal(err)
	}
	cfg.Servers[0].Lifetime = time.Hour
	cfg.Endpoint, cfg.Objects = "heater-1", append([]dm.Object{dev, heaters}, cfg.Objects...)
	cfg.Dialers = []socket.Dialer{udp.Dialer{}, dtls.Dialer{}, tcp.Dialer{}, tls.Dialer{}}
	cfg.Logger, cfg.ShutdownTimeout = slog.New(slog.NewTextHandler(io.Discard, nil)), time.Second
	client, err := lwm2m.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return &testDevice{heaters, client}
}

// start runs the device until the test ends.
func (d *testDevice) start(t *testing.T) {
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- d.client.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// setPoint changes the set point as the application does.
func (d *testDevice) setPoint(t *testing.T, v float64) {
	t.Helper()
	err := d.heaters.Update(t.Context(), 0, func(h *heater) error { h.SetPoint.Set(v); return nil })
	if err != nil {
		t.Fatal(err)
	}
}
