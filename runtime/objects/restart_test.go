package objects_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/objects/binaryappdata"
	"github.com/lwm2mgen/toolkit/runtime/objects/connectivity"
	"github.com/lwm2mgen/toolkit/runtime/objects/portfolio"
	"github.com/lwm2mgen/toolkit/runtime/store"
)

// stored is what a device with a store does at one start.
type stored struct {
	client   *lwm2m.Client
	objects  []dm.Object
	profiles *connectivity.APN
	calls    []string // of functions that act
}

func newStored(t *testing.T, s store.Store) *stored {
	t.Helper()
	d := &stored{}
	call := func(format string, args ...any) { d.calls = append(d.calls, fmt.Sprintf(format, args...)) }
	d.profiles = made[*connectivity.APN](t)(connectivity.NewAPN(connectivity.APNConfig{
		Configure: func(_ context.Context, id dm.InstanceID, p *connectivity.APNInstance) error {
			if p != nil {
				call("profile %d %v", id, p.ProfileName)
			}
			return nil
		},
	}))
	cellular, err := connectivity.NewCellular(connectivity.CellularConfig{
		Instance: connectivity.CellularInstance{PSMTimer: dm.Int(0)},
		Profiles: d.profiles,
		Configure: func(_ context.Context, i *connectivity.CellularInstance) error {
			call("PSM %v", i.PSMTimer)
			return nil
		},
		DisableRadio: func(context.Context, time.Duration) { call("radio off") },
	})
	must(t, err)
	bearers, err := connectivity.NewBearerSelection(connectivity.BearerSelectionConfig{
		Select: func(_ context.Context, preferred []int64, _ *connectivity.BearerInstance) error {
			call("bearers %v", preferred)
			return nil
		},
	})
	must(t, err)
	bag := made[*portfolio.Portfolio](t)(portfolio.New(portfolio.Config{MaxInstances: 2}))
	box := made[*binaryappdata.BinaryAppData](t)(binaryappdata.New(binaryappdata.Config{
		Received: func(context.Context, dm.InstanceID, binaryappdata.Instance) { call("received") },
	}))
	must(t, box.Add(0, binaryappdata.Template()))
	d.objects = []dm.Object{d.profiles, cellular, bearers, bag, box}
	d.client, err = lwm2m.New(lwm2m.Config{
		Endpoint: "dev", Servers: []lwm2m.Server{{URI: "coap://server"}}, Objects: d.objects,
		Dialers: []socket.Dialer{simnet.New(1).NewHost("device").Dialer()},
		Logger:  slog.New(slog.DiscardHandler),
		Store:   s, StoredObjects: []dm.ObjectID{10, 11, 13, 16, 19},
	})
	must(t, err)
	return d
}

// write writes as server 1.
func (d *stored) write(t *testing.T, fn func(tx *dm.Transaction) error) {
	t.Helper()
	tx, err := d.client.Model().Begin(context.Background(), dm.Server(1))
	must(t, err)
	defer tx.Rollback()
	must(t, fn(tx))
	must(t, tx.Commit())
}

// What servers have written comes back after a restart: settings reach the hardware again, and what
// was an order or a message is not repeated.
func TestRestart(t *testing.T) {
	s, err := store.OpenDir(t.TempDir(), store.Config{})
	must(t, err)
	defer s.Close()
	d := newStored(t, s)
	res := func(o dm.ObjectID, i dm.InstanceID, r dm.ResourceID, v dm.Value) dm.Entry {
		return dm.Entry{Path: dm.ResourcePath(o, i, r), Value: v}
	}
	d.write(t, func(tx *dm.Transaction) error {
		return tx.Create(11, []dm.InstanceID{3}, []dm.Entry{
			res(11, 3, 0, dm.StringValue("by a server")), res(11, 3, 4, dm.IntegerValue(0)),
			res(11, 3, 6, dm.StringValue("hunter2")),
		})
	})
	d.write(t, func(tx *dm.Transaction) error {
		return tx.Create(16, []dm.InstanceID{0}, []dm.Entry{{Path: dm.ResourceInstancePath(16, 0, 0, 2), Value: dm.StringValue("c")}})
	})
	for _, e := range []dm.Entry{
		res(10, 0, 4, dm.IntegerValue(3600)), res(10, 0, 1, dm.IntegerValue(5)),
		{Path: dm.ResourceInstancePath(13, 0, 0, 0), Value: dm.IntegerValue(7)},
		{Path: dm.ResourceInstancePath(19, 0, 0, 0), Value: dm.OpaqueValue([]byte("x"))},
	} {
		d.write(t, func(tx *dm.Transaction) error {
			return tx.Write(e.Path.Up(dm.ResourceLevel), dm.Replace, []dm.Entry{e})
		})
	}
	for _, want := range []string{"radio off", "received", "PSM 3600", "bearers [7]", "profile 3 by a server"} {
		if !slices.Contains(d.calls, want) {
			t.Errorf("called %q, want %s", d.calls, want)
		}
	}
	d.client.Shutdown()

	again := newStored(t, s)
	for _, want := range []string{"PSM 3600", "bearers [7]", "profile 3 by a server"} {
		if !slices.Contains(again.calls, want) {
			t.Errorf("after the restart called %q, want %s", again.calls, want)
		}
	}
	if text := strings.Join(again.calls, "\n"); strings.Contains(text, "radio off") || strings.Contains(text, "received") {
		t.Errorf("after the restart called %q", again.calls)
	}
	p, ok := again.profiles.Get(3)
	if secret, _ := p.Secret.Get(); !ok || secret.Reveal() != "hunter2" {
		t.Errorf("the profile is %v", p)
	}
	v, err := again.client.Model().Snapshot().Value(context.Background(), dm.Application, dm.ResourceInstancePath(16, 0, 0, 2))
	if err != nil || v.Text() != "c" {
		t.Errorf("the portfolio has %v (%v)", v, err)
	}
	again.client.Shutdown()
}
