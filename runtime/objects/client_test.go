package objects_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
	"github.com/lwm2mgen/toolkit/runtime/objects/binaryappdata"
	"github.com/lwm2mgen/toolkit/runtime/objects/connectivity"
	"github.com/lwm2mgen/toolkit/runtime/objects/device"
	"github.com/lwm2mgen/toolkit/runtime/objects/eventlog"
	"github.com/lwm2mgen/toolkit/runtime/objects/location"
	"github.com/lwm2mgen/toolkit/runtime/objects/portfolio"
)

// rig is a registered device with objects, and its server.
type rig struct {
	t      *testing.T
	client *lwm2m.Client
	server *lwm2mtest.Server
	dev    *lwm2mtest.Client
}

// onRig runs a test on a device with objects, in virtual time.
func onRig(t *testing.T, objects func(t *testing.T) []dm.Object, fn func(r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n := simnet.New(1)
		l, err := n.NewHost("server").Listen(5683)
		must(t, err)
		r := &rig{t: t, server: lwm2mtest.NewServer(t, l)}
		all := objects(t)
		r.client, err = lwm2m.New(lwm2m.Config{
			Endpoint: "dev", Servers: []lwm2m.Server{{URI: "coap://server", Lifetime: time.Hour}},
			Objects: all, Dialers: []socket.Dialer{n.NewHost("device").Dialer()},
			Logger: slog.New(slog.DiscardHandler),
		})
		must(t, err)
		for _, o := range all {
			r.server.Define(o.Definition())
		}
		r.server.Run(r.client.Run)
		r.dev = r.server.WaitRegistered("dev")
		fn(r)
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// made returns an object that a New function has made.
func made[T dm.Object](t *testing.T) func(o T, err error) T {
	return func(o T, err error) T {
		t.Helper()
		must(t, err)
		return o
	}
}

// plain returns every object with its zero Config and the least that its instances must have: all
// functions are nil.
func plain(t *testing.T) []dm.Object {
	profiles := made[*connectivity.APN](t)(connectivity.NewAPN(connectivity.APNConfig{}))
	must(t, profiles.Add(0, connectivity.APNInstance{ProfileName: dm.Str("only"), AuthenticationType: dm.Int(3)}))
	bag := made[*portfolio.Portfolio](t)(portfolio.New(portfolio.Config{}))
	must(t, bag.Add(0, portfolio.Instance{Identity: dm.Strs("a")}))
	box := made[*binaryappdata.BinaryAppData](t)(binaryappdata.New(binaryappdata.Config{}))
	must(t, box.Add(0, binaryappdata.Instance{Data: dm.ByteLists([]byte("b"))}))
	logs := made[*eventlog.EventLog](t)(eventlog.New(eventlog.Config{}))
	_, err := logs.AddLog(0, eventlog.LogConfig{})
	must(t, err)
	monitoring, err := connectivity.NewMonitoring(connectivity.MonitoringConfig{Interface: "no such interface"})
	must(t, err)
	statistics, err := connectivity.NewStatistics(connectivity.StatisticsConfig{})
	must(t, err)
	cellular, err := connectivity.NewCellular(connectivity.CellularConfig{})
	must(t, err)
	bearers, err := connectivity.NewBearerSelection(connectivity.BearerSelectionConfig{})
	must(t, err)
	return []dm.Object{
		made[*device.Device](t)(device.New(device.Config{NoClock: true})), monitoring, statistics, cellular, profiles,
		bearers, made[*location.Location](t)(location.New(location.Config{})), bag, box, logs,
	}
}

// filled returns every object with values in all resources that the toolkit can fill.
func filled(t *testing.T) []dm.Object {
	number := func(context.Context) (int64, error) { return 7, nil }
	profiles := made[*connectivity.APN](t)(connectivity.NewAPN(connectivity.APNConfig{}))
	profile := connectivity.APNTemplate()
	profile.ProfileName, profile.APN, profile.EnableStatus = dm.Str("only"), dm.Str("iot.example"), dm.Bool(true)
	profile.UserName, profile.Secret, profile.Validity = dm.Str("u"), dm.Password("hunter2"), dm.Strs("262,01")
	must(t, profiles.Add(0, profile))
	must(t, profiles.Connected(context.Background(), 0))
	bag := made[*portfolio.Portfolio](t)(portfolio.New(portfolio.Config{
		GetAuthData: func(_ context.Context, identity []string, _ dm.Args) ([][]byte, error) {
			return [][]byte{[]byte("signed " + strings.Join(identity, "+"))}, nil
		},
	}))
	must(t, bag.Add(0, portfolio.Instance{Identity: dm.Strs("a", "b")}))
	box := made[*binaryappdata.BinaryAppData](t)(binaryappdata.New(binaryappdata.Config{}))
	container := binaryappdata.Template()
	container.DataPriority, container.DataDescription, container.DataFormat = dm.Int(1), dm.Str("reading"), dm.Str("meter-1")
	container.AppID = dm.Int(3)
	must(t, box.Add(0, container))
	must(t, box.Post(context.Background(), 0, []byte("one"), []byte("two")))
	logs := made[*eventlog.EventLog](t)(eventlog.New(eventlog.Config{}))
	log, err := logs.AddLog(0, eventlog.LogConfig{Running: true, Formats: map[int64]func([][]byte) ([]byte, error){
		100: func(entries [][]byte) ([]byte, error) { return fmt.Append(nil, len(entries)), nil },
	}})
	must(t, err)
	fmt.Fprintln(log, "boot")
	loc := made[*location.Location](t)(location.New(location.Config{Fix: func(context.Context) (location.Fix, error) {
		return location.Fix{Latitude: 1.5, Longitude: 2.5, Time: time.Unix(1e9, 0), Altitude: dm.Float(3), Radius: dm.Float(4),
			Velocity: &location.Velocity{Bearing: 5, Horizontal: 6}}, nil
	}}))
	monitoring, err := connectivity.NewMonitoring(connectivity.MonitoringConfig{Instance: connectivity.MonitoringInstance{
		NetworkBearer: dm.Slow(number), RadioSignalStrength: dm.Func(number), IPAddresses: dm.Strs("192.0.2.1"),
		CellID: dm.Slow(number), SignalSNR: dm.Func(number, dm.DeadBand(2)),
	}})
	must(t, err)
	statistics, err := connectivity.NewStatistics(connectivity.StatisticsConfig{CollectionPeriod: time.Hour})
	must(t, err)
	cellular, err := connectivity.NewCellular(connectivity.CellularConfig{Profiles: profiles,
		Instance: connectivity.CellularInstance{
			SMSCAddress: dm.Str("+49"), PSMTimer: dm.Int(1), EDRXParametersForNBS1Mode: dm.Bytes([]byte{5}),
			SupportedPowerSavingModes: dm.Uint(3), ActivePowerSavingModes: dm.Uint(1),
		},
		DisableRadio: func(context.Context, time.Duration) {},
	})
	must(t, err)
	bearers, err := connectivity.NewBearerSelection(connectivity.BearerSelectionConfig{
		Instance: connectivity.BearerInstance{PreferredCommunicationsBearer: dm.Ints(15, 4), OperatorListMode: dm.Bool(true)},
	})
	must(t, err)
	return []dm.Object{
		made[*device.Device](t)(device.New(device.Config{NoClock: true})), monitoring, statistics, cellular, profiles,
		bearers, loc, bag, box, logs,
	}
}

// values returns the values of an answer with their paths, in order.
func (r *rig) values(a lwm2mtest.Answer) []string {
	r.t.Helper()
	entries, err := a.Entries()
	if err != nil {
		r.t.Errorf("%v: %v", a, err)
	}
	var list []string
	for _, e := range entries {
		if e.Value.Type() != registry.None { // TLV alone tells that a resource has no instances
			list = append(list, fmt.Sprintf("%v=%v", e.Path, e.Value))
		}
	}
	return list
}

// A server can read and observe every object in every format of LwM2M 1.1, and gets the same
// values, whether the functions of the objects are set or nil.
func TestReadAndObserveAllObjects(t *testing.T) {
	for name, objects := range map[string]func(*testing.T) []dm.Object{"zero values": plain, "all values": filled} {
		t.Run(name, func(t *testing.T) {
			onRig(t, objects, func(r *rig) {
				t, ctx := r.t, context.Background()
				for _, id := range []dm.ObjectID{3, 4, 6, 7, 10, 11, 13, 16, 19, 20} {
					path := dm.InstancePath(id, 0).String()
					var first []string
					for i, f := range []content.Format{content.TLV, content.SenMLJSON, content.SenMLCBOR} {
						a, err := r.dev.Read(ctx, path, f)
						if err != nil || a.Code != coap.Content || a.Format != f {
							t.Errorf("Read %s in %v: %v (%v)", path, f, a, err)
							continue
						}
						got := r.values(a)
						if i == 0 {
							first = got
						}
						if !slices.Equal(got, first) {
							t.Errorf("Read %s in %v: %q, want %q", path, f, got, first)
						}
						if strings.Contains(string(a.Payload), "hunter2") {
							t.Errorf("Read %s in %v shows a secret", path, f)
						}
						obs, a, err := r.dev.Observe(ctx, path, f, "pmax=20")
						if err != nil || a.Code != coap.Content || !slices.Equal(r.values(a), first) {
							t.Fatalf("Observe %s in %v: %v (%v), want %q", path, f, a, err, first)
						}
						if a, err = obs.Next(ctx); err != nil || a.Code != coap.Content || !slices.Equal(r.values(a), first) {
							t.Errorf("notification of %s in %v: %v (%v), want %q", path, f, a, err, first)
						}
						if a, err = obs.Cancel(ctx); err != nil || a.Code != coap.Content {
							t.Errorf("the cancellation of %s was answered %v (%v)", path, a, err)
						}
					}
					if name == "all values" && len(first) == 0 {
						t.Errorf("%s has no values", path)
					}
				}
			})
		})
	}
}

// Every executable of an object with nil functions answers, and none of them panics.
func TestExecuteWithNilFunctions(t *testing.T) {
	onRig(t, plain, func(r *rig) {
		for path, want := range map[string]coap.Code{
			"/3/0/4": coap.MethodNotAllowed, "/3/0/5": coap.NotFound, "/3/0/12": coap.Changed,
			"/7/0/6": coap.Changed, "/7/0/7": coap.Changed, "/16/0/1": coap.NotFound,
			"/20/0/4011": coap.Changed, "/20/0/4012": coap.Changed,
		} {
			if a, err := r.dev.Execute(context.Background(), path, ""); err != nil || a.Code != want {
				r.t.Errorf("Execute %s: %v (%v), want %v", path, a, err, want)
			}
		}
	})
}

// A server that observes AuthStatus sees the result come, and go when it has read the data.
func TestPortfolioThroughTheClient(t *testing.T) {
	onRig(t, filled, func(r *rig) {
		ctx := context.Background()
		obs, a, err := r.dev.Observe(ctx, "/16/0/3", content.Text)
		if err != nil || a.Text() != "0" {
			r.t.Fatalf("%v (%v)", a, err)
		}
		next := func(want string) {
			r.t.Helper()
			if a, err := obs.Next(ctx); err != nil || a.Text() != want {
				r.t.Errorf("AuthStatus %v (%v), want %s", a, err, want)
			}
		}
		if a, err := r.dev.Execute(ctx, "/16/0/1", "0"); err != nil || a.Code != coap.Changed {
			r.t.Errorf("%v (%v)", a, err)
		}
		next("1")
		a, err = r.dev.Read(ctx, "/16/0", content.SenMLJSON)
		if got := r.values(a); err != nil || !slices.Contains(got, "/16/0/3=1") {
			r.t.Errorf("with the data the status is %q (%v)", got, err)
		}
		next("0")
		if a, err := r.dev.Read(ctx, "/16/0/2/0", content.Opaque); err != nil || a.Text() != "signed a+b" {
			r.t.Errorf("the data read again: %v (%v)", a, err)
		}
	})
}

// What is posted reaches a server that observes, and by Send one that does not.
func TestPostThroughTheClient(t *testing.T) {
	box := made[*binaryappdata.BinaryAppData](t)(binaryappdata.New(binaryappdata.Config{}))
	must(t, box.Add(0, binaryappdata.Instance{Data: dm.ByteLists()}))
	onRig(t, func(*testing.T) []dm.Object { return []dm.Object{box} }, func(r *rig) {
		ctx := context.Background()
		must(t, box.Post(ctx, 0, []byte("one")))
		var b lwm2m.Batch
		b.Add(dm.InstancePath(19, 0))
		if result, err := r.client.Send(ctx, 1, &b); err != nil || result.Values != 1 {
			r.t.Errorf("%+v (%v)", result, err)
		}
		sent := r.dev.Sent()
		want := []string{"/19/0/0/0=" + dm.OpaqueValue([]byte("one")).String()}
		if len(sent) != 1 || !slices.Equal(r.values(sent[0]), want) {
			r.t.Errorf("the server has got %v", sent)
		}
		obs, _, err := r.dev.Observe(ctx, "/19/0/0", content.TLV)
		must(t, err)
		must(t, box.Post(ctx, 0, []byte("two")))
		a, err := obs.Next(ctx)
		if want := []string{"/19/0/0/0=" + dm.OpaqueValue([]byte("two")).String()}; err != nil || !slices.Equal(r.values(a), want) {
			r.t.Errorf("notified %q (%v)", r.values(a), err)
		}
	})
}

// The modem is configured once for what a server writes, not for what the program stores after it.
func TestGrantedTimerThroughTheClient(t *testing.T) {
	calls := 0
	cellular, err := connectivity.NewCellular(connectivity.CellularConfig{
		Instance: connectivity.CellularInstance{PSMTimer: dm.Int(0)},
		Configure: func(context.Context, *connectivity.CellularInstance) error {
			calls++
			return nil
		},
	})
	must(t, err)
	onRig(t, func(*testing.T) []dm.Object { return []dm.Object{cellular} }, func(r *rig) {
		ctx := context.Background()
		calls = 0
		obs, _, err := r.dev.Observe(ctx, "/10/0/4", content.Text)
		must(t, err)
		if a, err := r.dev.Write(ctx, "/10/0/4", content.Text, []byte("5000")); err != nil || a.Code != coap.Changed {
			r.t.Errorf("%v (%v)", a, err)
		}
		must(t, cellular.Update(ctx, 0, func(i *connectivity.CellularInstance) error {
			i.PSMTimer.Set(3600) // the network has granted less
			return nil
		}))
		if a, err := obs.Next(ctx); err != nil || a.Text() != "3600" || calls != 1 {
			r.t.Errorf("notified %v (%v) after %d calls", a, err, calls)
		}
	})
}
