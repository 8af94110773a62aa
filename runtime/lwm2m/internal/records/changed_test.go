package records

import (
	"context"
	"encoding/binary"
	"log/slog"
	"strings"
	"testing"

	"github.com/lwm2mgen/toolkit/generated/firmwareupdate"
	"github.com/lwm2mgen/toolkit/generated/setpoint"
	"github.com/lwm2mgen/toolkit/generated/temperature"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/codec"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/store"
)

// recordOf returns a record of values, such as that of another version of the program.
func recordOf(t *testing.T, values ...dm.Entry) []byte {
	t.Helper()
	var e codec.Encoder
	b, err := e.Encode(content.SenMLCBOR, []byte{format, 0}, content.Target{}, values)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func entry(p dm.Path, v dm.Value) dm.Entry { return dm.Entry{Path: p, Value: v} }

// start restores the records of a store to an object.
func start(t *testing.T, s store.Store, o dm.Object) (m *dm.Model, log string, err error) {
	t.Helper()
	var text strings.Builder
	r, err := Load(s, []dm.ObjectID{o.ID()}, slog.New(slog.NewTextHandler(&text, nil)))
	if err != nil {
		return nil, "", err
	}
	m, err = dm.NewModel(dm.ModelConfig{Persist: r.Persist}, o)
	if err != nil {
		t.Fatal(err)
	}
	tx, err := m.Begin(context.Background(), dm.Bootstrap)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if err = r.Restore(tx); err == nil {
		err = tx.Commit()
	}
	if err == nil {
		err = r.Begin(m.Snapshot())
	}
	return m, text.String(), err
}

func valueOf(t *testing.T, m *dm.Model, p dm.Path) string {
	t.Helper()
	v, err := m.Snapshot().Value(context.Background(), dm.Application, p)
	if err != nil {
		return dm.CodeOf(err).String()
	}
	return v.String()
}

// goals is a Set Point object whose instances have these resources. Its Commit hook counts what is
// written and emptied.
func goals(t *testing.T, i setpoint.Instance, noted *[]string) *setpoint.Object {
	t.Helper()
	o, err := setpoint.New(setpoint.Config{Template: i, Hooks: setpoint.Hooks{Commit: func(_ context.Context, tx *dm.Tx[setpoint.Instance]) error {
		for c := range tx.Changes() {
			for p := range c.Written() {
				*noted = append(*noted, "written "+p.String())
			}
			for p := range c.Emptied() {
				*noted = append(*noted, "emptied "+p.String())
			}
		}
		return nil
	}}})
	if err == nil {
		err = o.Add(0, i)
	}
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// A live resource that servers can write is neither stored nor touched when the rest is restored,
// and what a server has emptied stays empty.
func TestLiveResourcesAreNotRestored(t *testing.T) {
	s := open(t, t.TempDir())
	var noted []string
	made := func() *setpoint.Object {
		noted = nil
		return goals(t, setpoint.Instance{
			SetPointValue:   dm.Func(func(context.Context) (float64, error) { return 77, nil }),
			ApplicationType: dm.Str("oven"), Colour: dm.Str("red"),
		}, &noted)
	}
	m, _, err := start(t, s, made())
	if err != nil {
		t.Fatal(err)
	}
	tx, err := m.Begin(context.Background(), dm.Server(1))
	if err != nil {
		t.Fatal(err)
	}
	p := dm.InstancePath(setpoint.ObjectID, 0)
	if err := tx.Write(p, dm.Replace, []dm.Entry{
		entry(dm.ResourcePath(3308, 0, 5900), dm.FloatValue(5)), entry(dm.ResourcePath(3308, 0, 5750), dm.StringValue("pan")),
	}); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	m, _, err = start(t, s, made())
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(noted, ", "), "written /3308/0/5750, emptied /3308/0/5706"; got != want {
		t.Errorf("restored %q, want %q", got, want)
	}
	for path, want := range map[dm.ResourceID]string{5900: "77", 5750: "pan", 5706: "4.04"} {
		if got := valueOf(t, m, dm.ResourcePath(3308, 0, path)); got != want {
			t.Errorf("%d is %q, want %q", path, got, want)
		}
	}
}

// A new version of the program has other resources: those of it alone keep what it gives them, and
// those of the earlier version are left out, whatever they are now.
func TestAnotherVersionOfTheProgram(t *testing.T) {
	s := open(t, t.TempDir())
	var noted []string
	if _, _, err := start(t, s, goals(t, setpoint.Instance{SetPointValue: dm.Float(5), Colour: dm.Str("red")}, &noted)); err != nil {
		t.Fatal(err)
	}
	m, log, err := start(t, s, goals(t, setpoint.Instance{SetPointValue: dm.Float(21), ApplicationType: dm.Str("oven"), SensorUnits: dm.Empty[string]()}, &noted))
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[dm.ResourceID]string{5900: "5", 5750: "oven", 5701: "4.04", 5706: "4.04"} {
		if got := valueOf(t, m, dm.ResourcePath(3308, 0, path)); got != want {
			t.Errorf("%d is %q, want %q", path, got, want)
		}
	}
	if !strings.Contains(log, "left out") || !strings.Contains(log, "/3308/0/5706") {
		t.Errorf("the log does not name the resource: %s", log)
	}
}

// What was stored and is live, a stream or an executable now is left out.
func TestStoredResourceIsLiveNow(t *testing.T) {
	sensor, err := temperature.New(temperature.Config{})
	if err != nil {
		t.Fatal(err)
	}
	err = sensor.Add(0, temperature.Instance{
		SensorValue:                  dm.Func(func(context.Context) (float64, error) { return 77, nil }),
		ResetMinAndMaxMeasuredValues: func(context.Context, dm.Args) error { t.Error("executed"); return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	m, _, err := start(t, fixed{"dm/3303": nil, "dm/3303/0": recordOf(t,
		entry(dm.ResourcePath(3303, 0, 5700), dm.FloatValue(3)), entry(dm.ResourcePath(3303, 0, 5605), dm.StringValue("x")))}, sensor)
	if err != nil || valueOf(t, m, dm.ResourcePath(3303, 0, 5700)) != "77" {
		t.Errorf("a live resource: %v", err)
	}
	firmware, err := firmwareupdate.New(firmwareupdate.Config{})
	if err != nil {
		t.Fatal(err)
	}
	err = firmware.Add(0, firmwareupdate.Instance{
		Package:    dm.SinkFunc(func(context.Context) (dm.Sink, error) { t.Error("opened"); return nil, dm.MethodNotAllowed }),
		PackageURI: dm.Str(""), Update: func(context.Context, dm.Args) error { return nil }, State: dm.Int(0),
		UpdateResult: dm.Int(0), FirmwareUpdateDeliveryMethod: dm.Int(1),
	})
	if err != nil {
		t.Fatal(err)
	}
	m, _, err = start(t, fixed{"dm/5": nil, "dm/5/0": recordOf(t,
		entry(dm.ResourcePath(5, 0, 0), dm.OpaqueValue([]byte("x"))), entry(dm.ResourcePath(5, 0, 1), dm.StringValue("coap://x")))}, firmware)
	if err != nil || valueOf(t, m, dm.ResourcePath(5, 0, 1)) != "coap://x" {
		t.Errorf("a stream: %v", err)
	}
}

// A record that does not fit is an error that names the record, and nothing is stored.
func TestRecordsThatDoNotFit(t *testing.T) {
	ids := func(n uint64, ids ...uint64) []byte {
		b := binary.AppendUvarint([]byte{format}, n)
		for _, id := range ids {
			b = binary.AppendUvarint(b, id)
		}
		return b
	}
	good := recordOf(t, entry(dm.ResourcePath(3308, 0, 5900), dm.FloatValue(3)))
	for name, record := range map[string][]byte{
		"nothing":                {},
		"another version":        {format + 1, 0},
		"SenML alone":            good[2:],
		"no number of resources": {format},
		"too few resources":      ids(2, 5750),
		"a large number":         ids(1<<63, 5750),
		"a resource ID of 65535": ids(1, 65535),
		"a long varint":          append([]byte{format}, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01),
		"values cut off":         good[:len(good)-1],
		"values and more":        append(good[:len(good):len(good)], 0),
		"another type":           recordOf(t, entry(dm.ResourcePath(3308, 0, 5900), dm.StringValue("x"))),
		"another instance":       recordOf(t, entry(dm.ResourcePath(3308, 1, 5900), dm.FloatValue(3))),
		"another object":         recordOf(t, entry(dm.ResourcePath(3303, 0, 5700), dm.FloatValue(3))),
		"a value twice":          recordOf(t, entry(dm.ResourcePath(3308, 0, 5900), dm.FloatValue(3)), entry(dm.ResourcePath(3308, 0, 5900), dm.FloatValue(4))),
	} {
		var noted []string
		_, _, err := start(t, fixed{"dm/3308": nil, "dm/3308/0": record}, goals(t, setpoint.Instance{SetPointValue: dm.Float(21)}, &noted))
		if err == nil || !strings.Contains(err.Error(), `record "dm/3308/0"`) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
