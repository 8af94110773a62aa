package dm_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// read returns the values of a read of p, one per line.
func read(s dm.Snapshot, who dm.Origin, p dm.Path) (string, error) {
	var b strings.Builder
	err := s.Read(context.Background(), who, p, func(p dm.Path, v dm.Value) error {
		fmt.Fprintf(&b, "%v=%v\n", p, v)
		return nil
	})
	return b.String(), err
}

func readingModel(t *testing.T) *dm.Model {
	t.Helper()
	meters := newMeters(t, dm.ObjectConfig[meter]{})
	if err := meters.Add(0, fullMeter()); err != nil {
		t.Fatal(err)
	}
	if err := meters.Add(7, meter{Level: dm.Float(1), Mode: dm.Int(0)}); err != nil {
		t.Fatal(err)
	}
	panels := newPanels(t, dm.ObjectConfig[panel]{})
	if err := panels.Add(0, panel{Brightness: dm.Int(50), Modes: dm.Ints(3)}); err != nil {
		t.Fatal(err)
	}
	return newModel(t, dm.ModelConfig{}, panels, meters)
}

const fullMeterRead = `/33001/0/0=21.5
/33001/0/1=20
/33001/0/2=boiler
/33001/0/4/0=a
/33001/0/4/1=b
/33001/0/5/1=10
/33001/0/5/3=30
/33001/0/8=2023-11-14T22:13:20Z
/33001/0/9=1
/33001/0/10=AQI=
/33001/0/11=33002:0
/33001/0/12=9223372036854775808
/33001/0/13=true
`

func TestReadLevels(t *testing.T) {
	s := readingModel(t).Snapshot()
	object := fullMeterRead + "/33001/7/0=1\n/33001/7/9=0\n"
	for p, want := range map[string]string{
		"/":            object + "/33002/0/0=50\n/33002/0/1/0=3\n",
		"/33001":       object,
		"/33001/0":     fullMeterRead,
		"/33001/7":     "/33001/7/0=1\n/33001/7/9=0\n",
		"/33001/0/2":   "/33001/0/2=boiler\n",
		"/33001/0/4":   "/33001/0/4/0=a\n/33001/0/4/1=b\n",
		"/33001/0/5/3": "/33001/0/5/3=30\n",
		"/33002":       "/33002/0/0=50\n/33002/0/1/0=3\n",
		"/33001/0/9":   "/33001/0/9=1\n",
		"/33001/0/11":  "/33001/0/11=33002:0\n",
		"/33001/7/0":   "/33001/7/0=1\n",
		"/33001/0/5":   "/33001/0/5/1=10\n/33001/0/5/3=30\n",
		"/33001/0/8":   "/33001/0/8=2023-11-14T22:13:20Z\n",
		"/33002/0/1/0": "/33002/0/1/0=3\n",
		"/33002/0/0":   "/33002/0/0=50\n",
		"/33001/0/12":  "/33001/0/12=9223372036854775808\n",
		"/33001/0/4/1": "/33001/0/4/1=b\n",
		"/33002/0":     "/33002/0/0=50\n/33002/0/1/0=3\n",
		"/33002/0/1":   "/33002/0/1/0=3\n",
		"/33001/0/13":  "/33001/0/13=true\n",
		"/33001/0/10":  "/33001/0/10=AQI=\n",
		"/33001/0/0":   "/33001/0/0=21.5\n",
		"/33001/0/1":   "/33001/0/1=20\n",
		"/33001/7/9":   "/33001/7/9=0\n",
		"/33001/0/5/1": "/33001/0/5/1=10\n",
		"/33001/0/4/0": "/33001/0/4/0=a\n",
	} {
		got, err := read(s, dm.Server(1), path(t, p))
		if err != nil || got != want {
			t.Errorf("reading %s: %v\n%s\nwant\n%s", p, err, got, want)
		}
	}
}

// The answers to paths that name something unreadable (Core 1.2.2 §6.3.1).
func TestReadRefuses(t *testing.T) {
	s := readingModel(t).Snapshot()
	for p, want := range map[string]dm.Code{
		"/1":               dm.NotFound, // no such object
		"/1/0":             dm.NotFound,
		"/1/0/0":           dm.NotFound,
		"/33001/1":         dm.NotFound, // no such instance
		"/33001/1/0":       dm.NotFound,
		"/33001/0/99":      dm.NotFound, // no such resource
		"/33001/0/99/0":    dm.NotFound,
		"/33001/7/1":       dm.NotFound, // unsupported
		"/33001/7/4":       dm.NotFound,
		"/33001/7/4/0":     dm.NotFound,
		"/33001/0/14":      dm.NotFound,         // supported, without a value
		"/33001/0/5/2":     dm.NotFound,         // no such resource instance
		"/33001/0/3":       dm.MethodNotAllowed, // executable
		"/33001/0/6":       dm.MethodNotAllowed, // write-only
		"/33001/0/7":       dm.MethodNotAllowed, // for the bootstrap server only
		"/33001/0/1/0":     dm.MethodNotAllowed, // a resource instance of a single resource
		"/65534":           dm.NotFound,
		"/33001/65534":     dm.NotFound,
		"/33001/0/65534":   dm.NotFound,
		"/33001/0/5/65534": dm.NotFound,
		"/33002/0/1/1":     dm.NotFound,
		"/33002/0/0/0":     dm.MethodNotAllowed,
	} {
		got, err := read(s, dm.Server(1), path(t, p))
		if dm.CodeOf(err) != want || got != "" {
			t.Errorf("reading %s: %v %q, want %v", p, err, got, want)
		}
		var e *dm.Error
		if !errors.As(err, &e) || e.Path != path(t, p) {
			t.Errorf("the error of reading %s does not name it: %v", p, err)
		}
	}
	for _, p := range []dm.Path{dm.ObjectPath(65535), dm.InstancePath(meterID, 65535),
		dm.ResourcePath(meterID, 0, 65535), dm.ResourceInstancePath(meterID, 0, 5, 65535)} {
		if _, err := read(s, dm.Server(1), p); dm.CodeOf(err) != dm.NotFound {
			t.Errorf("reading %v: %v, want 4.04", p, err)
		}
	}
}

func TestValueNeedsOneValue(t *testing.T) {
	s, ctx := readingModel(t).Snapshot(), context.Background()
	if v, err := s.Value(ctx, dm.Server(1), path(t, "/33001/0/5/3")); err != nil || v.Integer() != 30 {
		t.Errorf("got %v, %v", v, err)
	}
	for p, want := range map[string]dm.Code{
		"/": dm.NotFound, "/33001": dm.NotFound, "/33001/0": dm.NotFound,
		"/33001/0/5": dm.MethodNotAllowed, "/33001/0/1/0": dm.MethodNotAllowed, "/33001/0/14": dm.NotFound,
	} {
		if v, err := s.Value(ctx, dm.Server(1), path(t, p)); dm.CodeOf(err) != want {
			t.Errorf("the value of %s is %v, %v, want %v", p, v, err, want)
		}
	}
}

func TestReadByOrigin(t *testing.T) {
	o := newMeters(t, dm.ObjectConfig[meter]{})
	inst := fullMeter()
	inst.Image = dm.Bytes([]byte("img"))
	if err := o.Add(0, inst); err != nil {
		t.Fatal(err)
	}
	s := newModel(t, dm.ModelConfig{}, o).Snapshot()
	image, key := "/33001/0/6=aW1n\n", "/33001/0/7=[redacted]\n"
	split := strings.Index(fullMeterRead, "/33001/0/8")
	for who, want := range map[dm.Origin]string{
		dm.Server(1):   fullMeterRead,
		dm.Bootstrap:   fullMeterRead[:split] + image + fullMeterRead[split:],
		dm.Application: fullMeterRead[:split] + image + key + fullMeterRead[split:],
	} {
		got, err := read(s, who, dm.InstancePath(meterID, 0))
		if err != nil || got != want {
			t.Errorf("%v reads, %v\n%s\nwant\n%s", who, err, got, want)
		}
	}
	if _, err := read(s, dm.Application, dm.ResourcePath(meterID, 0, resetID)); dm.CodeOf(err) != dm.MethodNotAllowed {
		t.Errorf("reading an executable: %v", err)
	}
}

func TestReadStopsWithYield(t *testing.T) {
	s, enough := readingModel(t).Snapshot(), errors.New("enough")
	for _, p := range []string{"/", "/33001", "/33001/0", "/33001/0/4", "/33001/0/4/0", "/33001/0/0"} {
		n := 0
		err := s.Read(context.Background(), dm.Server(1), path(t, p),
			func(dm.Path, dm.Value) error { n++; return enough })
		if !errors.Is(err, enough) || n != 1 {
			t.Errorf("reading %s: %v after %d values", p, err, n)
		}
	}
}

func TestHas(t *testing.T) {
	o := newMeters(t, dm.ObjectConfig[meter]{})
	inst := fullMeter()
	inst.Counts = dm.SlowMulti(func(context.Context) (map[dm.ResourceInstanceID]int64, error) {
		t.Error("Has called a function")
		return nil, nil
	})
	if err := o.Add(0, inst); err != nil {
		t.Fatal(err)
	}
	s := newModel(t, dm.ModelConfig{}, o).Snapshot()
	for p, want := range map[string]bool{
		"/": true, "/33001": true, "/33002": false, "/33001/0": true, "/33001/1": false, "/33002/0": false,
		"/33001/0/0": true, "/33001/0/14": true, "/33001/0/6": false, "/33001/0/99": false, "/33001/0/3": true,
		"/33001/0/4/1": true, "/33001/0/4/2": false, "/33001/0/0/0": false, "/33001/0/5/1": false,
		"/33001/0/6/0": false,
	} {
		if got := s.Has(path(t, p)); got != want {
			t.Errorf("Has(%s) is %t", p, got)
		}
	}
	if got := slices.Collect(s.Instances(meterID)); len(got) != 1 || got[0] != 0 {
		t.Errorf("the instances are %v", got)
	}
	if got := slices.Collect(s.Instances(1)); len(got) != 0 {
		t.Errorf("an absent object has the instances %v", got)
	}
}

// The zero Snapshot is that of a Model without objects.
func TestZeroSnapshot(t *testing.T) {
	var s dm.Snapshot
	if s.Has(dm.ObjectPath(3)) || s.Definition(3) != nil || len(slices.Collect(s.Objects())) != 0 ||
		len(slices.Collect(s.Instances(3))) != 0 {
		t.Error("the zero Snapshot has objects")
	}
	if got, err := read(s, dm.Application, dm.Path{}); err != nil || got != "" {
		t.Errorf("reading it: %q, %v", got, err)
	}
	if _, err := read(s, dm.Application, dm.ResourcePath(3, 0, 0)); !errors.Is(err, dm.NotFound) {
		t.Errorf("reading a resource: %v", err)
	}
	if err := s.Execute(context.Background(), dm.Application, dm.ResourcePath(3, 0, 0),
		dm.Args{}); !errors.Is(err, dm.NotFound) {
		t.Errorf("executing: %v", err)
	}
}

// Stored yields what survives a restart: every stored value including secrets, and the resources
// that are supported without a value, but no live ones.
func TestStored(t *testing.T) {
	o := newMeters(t, dm.ObjectConfig[meter]{})
	inst := fullMeter()
	inst.Level = dm.Func(func(context.Context) (float64, error) { t.Error("Stored called a function"); return 0, nil })
	inst.Counts = dm.FuncMulti(func(context.Context) (map[dm.ResourceInstanceID]int64, error) { return nil, nil })
	inst.Image = dm.SinkFunc(func(context.Context) (dm.Sink, error) { return nil, errors.New("no") })
	inst.Flag, inst.Tags = dm.Res[bool]{}, dm.EmptyMulti[string]()
	for _, id := range []dm.InstanceID{0, 2} {
		if err := o.Add(id, inst); err != nil {
			t.Fatal(err)
		}
	}
	s := newModel(t, dm.ModelConfig{}, o).Snapshot()
	stored := func(p dm.Path) string {
		var b strings.Builder
		err := s.Stored(p, func(p dm.Path, v dm.Value) error {
			fmt.Fprintf(&b, "%v=%v\n", p, v)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	instance := `/33001/2/1=20
/33001/2/2=boiler
/33001/2/4=
/33001/2/7=[redacted]
/33001/2/8=2023-11-14T22:13:20Z
/33001/2/9=1
/33001/2/10=AQI=
/33001/2/11=33002:0
/33001/2/12=9223372036854775808
/33001/2/14=
`
	if got := stored(dm.InstancePath(meterID, 2)); got != instance {
		t.Errorf("got\n%s\nwant\n%s", got, instance)
	}
	if got, want := stored(dm.ObjectPath(meterID)), strings.ReplaceAll(instance, "/33001/2/",
		"/33001/0/")+instance; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := stored(dm.InstancePath(meterID, 1)); got != "" {
		t.Errorf("an absent instance has %q stored", got)
	}
	for _, p := range []dm.Path{{}, dm.ObjectPath(1)} {
		if err := s.Stored(p, func(dm.Path, dm.Value) error { return nil }); !errors.Is(err, dm.NotFound) {
			t.Errorf("Stored(%v): %v", p, err)
		}
	}
}

func TestReadsAllocateNothing(t *testing.T) {
	o, ctx := newMeters(t, dm.ObjectConfig[meter]{}), context.Background()
	inst := fullMeter()
	inst.Level = dm.Func(func(context.Context) (float64, error) { return 21.5, nil })
	for i := range 300 {
		if err := o.Add(dm.InstanceID(i), inst); err != nil {
			t.Fatal(err)
		}
	}
	m := newModel(t, dm.ModelConfig{}, o)
	n := 0
	count := func(dm.Path, dm.Value) error { n++; return nil }
	for _, r := range []dm.ResourceID{levelID, goalID, labelID, clockID, blobID, peerID, bigID, flagID} {
		p := dm.ResourcePath(meterID, 299, r)
		if allocs := testing.AllocsPerRun(100, func() {
			if _, err := m.Snapshot().Value(ctx, dm.Server(1), p); err != nil {
				t.Fatal(err)
			}
		}); allocs != 0 {
			t.Errorf("reading %v allocates %v times", p, allocs)
		}
	}
	for _, p := range []string{"/33001/299/5/1", "/33001/299/4", "/33001/299", "/33001/299/0", "/33001", "/"} {
		p := path(t, p)
		if allocs := testing.AllocsPerRun(10, func() {
			if err := m.Snapshot().Read(ctx, dm.Server(1), p, count); err != nil {
				t.Fatal(err)
			}
		}); allocs != 0 {
			t.Errorf("reading %v allocates %v times", p, allocs)
		}
	}
	if n == 0 {
		t.Error("nothing was read")
	}
}
