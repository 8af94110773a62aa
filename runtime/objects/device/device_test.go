package device_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/objects/device"
)

// modelOf is a device and its model.
func modelOf(t *testing.T, c device.Config) (*device.Device, *dm.Model) {
	t.Helper()
	d, err := device.New(c)
	if err != nil {
		t.Fatal(err)
	}
	m, err := dm.NewModel(dm.ModelConfig{}, d)
	if err != nil {
		t.Fatal(err)
	}
	return d, m
}

func path(r dm.ResourceID) dm.Path { return dm.ResourcePath(3, 0, r) }

func read(m *dm.Model, r dm.ResourceID) (dm.Value, error) {
	return m.Snapshot().Value(context.Background(), dm.Server(1), path(r))
}

// write is a server's write of one resource.
func write(t *testing.T, m *dm.Model, r dm.ResourceID, v dm.Value) error {
	t.Helper()
	tx, err := m.Begin(context.Background(), dm.Server(1))
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if err := tx.Write(path(r), dm.Replace, []dm.Entry{{Path: path(r), Value: v}}); err != nil {
		return err
	}
	return tx.Commit()
}

func execute(m *dm.Model, r dm.ResourceID) error {
	return m.Snapshot().Execute(context.Background(), dm.Server(1), path(r), dm.Args{})
}

func errorsOf(t *testing.T, m *dm.Model) []int64 {
	t.Helper()
	var codes []int64
	err := m.Snapshot().Read(context.Background(), dm.Server(1), path(11), func(_ dm.Path, v dm.Value) error {
		codes = append(codes, v.Integer())
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return codes
}

func TestReboot(t *testing.T) {
	var did []string
	_, m := modelOf(t, device.Config{
		Reboot:       func(context.Context) error { did = append(did, "reboot"); return nil },
		FactoryReset: func(context.Context) error { did = append(did, "reset"); return errors.New("the flash is worn out") },
	})
	if err := execute(m, 4); err != nil {
		t.Error(err)
	}
	if err := execute(m, 5); !errors.Is(err, dm.InternalServerError) {
		t.Errorf("a failing factory reset: %v", err)
	}
	if !slices.Equal(did, []string{"reboot", "reset"}) {
		t.Errorf("called %v", did)
	}
	_, plain := modelOf(t, device.Config{})
	if err := execute(plain, 4); !errors.Is(err, dm.MethodNotAllowed) {
		t.Errorf("Reboot without Config.Reboot: %v", err)
	}
	if err := execute(plain, 5); !errors.Is(err, dm.NotFound) {
		t.Errorf("Factory Reset without Config.FactoryReset: %v", err)
	}
}

func TestErrorCodes(t *testing.T) {
	present := []int64{}
	d, m := modelOf(t, device.Config{PresentErrors: func(context.Context) []int64 { return present }})
	ctx := context.Background()
	want := func(codes ...int64) {
		t.Helper()
		if got := errorsOf(t, m); !slices.Equal(got, codes) {
			t.Errorf("error codes %v, want %v", got, codes)
		}
	}
	want(0)
	for _, code := range []int64{3, 1, 3} {
		if err := d.Raise(ctx, code); err != nil {
			t.Fatal(err)
		}
	}
	want(3, 1)
	if err := d.Clear(ctx, 3); err != nil {
		t.Fatal(err)
	}
	want(1)
	if err := d.Raise(ctx, 77); err == nil {
		t.Error("a code above 32 was accepted")
	}
	want(1)
	present = []int64{2}
	if err := execute(m, 12); err != nil {
		t.Error(err)
	}
	want(2)
	present = []int64{0, 3}
	if err := execute(m, 12); err != nil {
		t.Error(err)
	}
	want(3) // 0 means no error
	present = nil
	if err := execute(m, 12); err != nil {
		t.Error(err)
	}
	want(0)
}

func TestClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, m := modelOf(t, device.Config{})
		if v, err := read(m, 13); err != nil || v.Seconds() != time.Now().Unix() {
			t.Errorf("current time %v (%v), want that of the system", v, err)
		}
		at := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
		if err := write(t, m, 13, dm.TimeValue(at.Unix())); err != nil {
			t.Fatal(err)
		}
		<-time.After(10 * time.Second)
		if v, err := read(m, 13); err != nil || v.Seconds() != at.Unix()+10 {
			t.Errorf("current time %v (%v), want %v and 10 s", v, err, at)
		}
		// The distance to the system's clock does not matter.
		for _, seconds := range []int64{0, -1 << 40, 1 << 40, 1 << 62, -1 << 62, at.Unix()} {
			if err := write(t, m, 13, dm.TimeValue(seconds)); err != nil {
				t.Fatal(err)
			}
			if v, err := read(m, 13); err != nil || v.Seconds() != seconds {
				t.Errorf("current time %v (%v), want %d", v, err, seconds)
			}
		}
		for _, seconds := range []int64{math.MaxInt64, math.MinInt64, 1<<62 + 1} {
			if err := write(t, m, 13, dm.TimeValue(seconds)); !errors.Is(err, dm.BadRequest) {
				t.Errorf("current time %d: %v", seconds, err)
			}
		}
		for _, w := range []struct {
			r    dm.ResourceID
			text string
			good bool
		}{
			{14, "+02:00", true}, {14, "UTC-3", true}, {14, "Z", true}, {14, "two hours", false}, {14, "+2:99", false},
			{15, "Europe/Berlin", true}, {15, "Etc/GMT+3", true}, {15, "../etc/passwd", false}, {15, "a b", false}, {15, strings.Repeat("A", 65), false}, {15, strings.Repeat("a/", 30000) + "a", false},
		} {
			before, _ := read(m, w.r)
			err := write(t, m, w.r, dm.StringValue(w.text))
			if (err == nil) != w.good || err != nil && !errors.Is(err, dm.BadRequest) {
				t.Errorf("write of %q: %v", w.text, err)
			}
			want := w.text
			if !w.good {
				want = before.Text()
			}
			if v, err := read(m, w.r); err != nil || v.Text() != want {
				t.Errorf("after the write of %q it is %q (%v), want %q", w.text, v.Text(), err, want)
			}
		}
	})
}

// Offset and zone are the system's until a server sets them, and again after it writes an empty
// value.
func TestZoneOfTheSystem(t *testing.T) {
	was := time.Local
	t.Cleanup(func() { time.Local = was })
	time.Local = time.FixedZone("CEST", 2*60*60)
	_, m := modelOf(t, device.Config{})
	for _, c := range []struct {
		r              dm.ResourceID
		system, server string
	}{{14, "+02:00", "-03:30"}, {15, "CEST", "America/St_Johns"}} {
		for _, set := range []string{"", c.server, ""} {
			want := c.system
			if set != "" {
				want = set
			}
			if err := write(t, m, c.r, dm.StringValue(set)); err != nil {
				t.Errorf("write of %q: %v", set, err)
			}
			if v, err := read(m, c.r); err != nil || v.Text() != want {
				t.Errorf("resource %d after the write of %q: %q (%v), want %q", c.r, set, v.Text(), err, want)
			}
		}
	}
	time.Local = time.FixedZone("Local", 0)
	if _, err := read(m, 15); !errors.Is(err, dm.NotFound) {
		t.Errorf("the time zone of a system that does not name it: %v", err)
	}
}

// The program sets the system's clock and may refuse; then everything is as before.
func TestSetTime(t *testing.T) {
	var set []time.Time
	var fail error
	_, m := modelOf(t, device.Config{SetTime: func(_ context.Context, at time.Time) error {
		set = append(set, at)
		return fail
	}})
	if err := write(t, m, 13, dm.TimeValue(1_900_000_000)); err != nil {
		t.Fatal(err)
	}
	if len(set) != 1 || set[0].Unix() != 1_900_000_000 {
		t.Errorf("the clock was set to %v", set)
	}
	fail = dm.Errorf(dm.Forbidden, "the clock is sealed")
	tx, err := m.Begin(context.Background(), dm.Server(1))
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	err = tx.Write(dm.InstancePath(3, 0), dm.Update, []dm.Entry{
		{Path: path(13), Value: dm.TimeValue(5)}, {Path: path(14), Value: dm.StringValue("+09:00")},
	})
	if err == nil {
		err = tx.Commit()
	}
	if !errors.Is(err, dm.Forbidden) {
		t.Errorf("error %v", err)
	}
	if v, _ := read(m, 14); v.Text() == "+09:00" {
		t.Error("the offset was set although the write failed")
	}
}

func TestNewRefuses(t *testing.T) {
	_, err := device.New(device.Config{Instance: device.Instance{ErrorCode: dm.Ints(1),
		CurrentTime: dm.Time(time.Now())}})
	for _, want := range []string{"ErrorCode", "CurrentTime", "Device.Raise"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one that names %s", err, want)
		}
	}
	if _, err := device.New(device.Config{Instance: device.Instance{BatteryLevel: dm.Int(101)}}); err == nil {
		t.Error("a battery at 101 % was accepted")
	}
}

func TestNoClock(t *testing.T) {
	_, m := modelOf(t, device.Config{NoClock: true, Instance: device.Instance{Manufacturer: dm.Str("Example")}})
	for _, r := range []dm.ResourceID{13, 14, 15} {
		if _, err := read(m, r); !errors.Is(err, dm.NotFound) {
			t.Errorf("resource %d: %v", r, err)
		}
	}
	if v, err := read(m, 0); err != nil || v.Text() != "Example" {
		t.Errorf("manufacturer %v (%v)", v, err)
	}
	if v, err := read(m, 16); err != nil || v.Text() != "U" {
		t.Errorf("bindings %v (%v)", v, err)
	}
}

// The program's own hooks run in addition to the clock's.
func TestOwnHooks(t *testing.T) {
	var order []string
	var fail error
	note := func(name string) func(context.Context, *dm.Tx[device.Instance]) error {
		return func(context.Context, *dm.Tx[device.Instance]) error {
			order = append(order, name)
			return nil
		}
	}
	_, m := modelOf(t, device.Config{Hooks: device.Hooks{
		Validate: note("validate"),
		Commit: func(context.Context, *dm.Tx[device.Instance]) error {
			order = append(order, "commit")
			return fail
		},
		Rollback: note("rollback"),
		Changed:  func(context.Context, *dm.Tx[device.Instance]) { order = append(order, "changed") },
	}})
	order, fail = nil, dm.Errorf(dm.Conflict, "no") // New has already called them
	if err := write(t, m, 14, dm.StringValue("+09:00")); !errors.Is(err, dm.Conflict) {
		t.Errorf("error %v", err)
	}
	if !slices.Equal(order, []string{"validate", "commit", "rollback"}) {
		t.Errorf("hooks ran as %v", order)
	}
	if v, _ := read(m, 14); v.Text() == "+09:00" {
		t.Error("the offset stayed after the rollback")
	}
	order, fail = nil, nil
	if err := write(t, m, 14, dm.StringValue("+09:00")); err != nil ||
		!slices.Equal(order, []string{"validate", "commit", "changed"}) {
		t.Errorf("error %v, hooks ran as %v", err, order)
	}
	order = nil
	if err := write(t, m, 14, dm.StringValue("hunter2")); err == nil || !slices.Equal(order, []string{"rollback"}) {
		t.Errorf("error %v, hooks ran as %v: they must not see what the package refuses", err, order)
	}
}

// The program's own Commit does not run if the clock refuses the change.
func TestOwnCommitAfterClock(t *testing.T) {
	committed, sealed := 0, false
	_, m := modelOf(t, device.Config{
		SetTime: func(context.Context, time.Time) error {
			if sealed {
				return errors.New("the clock is sealed")
			}
			return nil
		},
		Hooks: device.Hooks{Commit: func(context.Context, *dm.Tx[device.Instance]) error { committed++; return nil }},
	})
	committed, sealed = 0, true
	if err := write(t, m, 13, dm.TimeValue(5)); err == nil || committed != 0 {
		t.Errorf("error %v, the own Commit was called %d times", err, committed)
	}
	sealed = false
	if err := write(t, m, 13, dm.TimeValue(5)); err != nil || committed != 1 {
		t.Errorf("error %v, the own Commit was called %d times", err, committed)
	}
}
