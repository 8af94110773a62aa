package dm_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/dm"
)

func failing(err error) func(context.Context) (float64, error) {
	return func(context.Context) (float64, error) { return 0, err }
}

func TestResStates(t *testing.T) {
	sensor := errors.New("the sensor is broken")
	tests := []struct {
		name      string
		cell      dm.Res[float64]
		supported bool
		stored    bool // Get finds a value
		readErr   error
		printed   string
	}{
		{"unsupported", dm.Res[float64]{}, false, false, dm.NotFound, "<unsupported>"},
		{"empty", dm.Empty[float64](), true, false, dm.ErrNoValue, "<empty>"},
		{"stored", dm.Float(21.5), true, true, nil, "21.5"},
		{"live", dm.Func(func(context.Context) (float64, error) { return 21.5, nil }), true, false, nil, "<live>"},
		{"slow", dm.Slow(func(context.Context) (float64, error) { return 21.5, nil }), true, false, nil, "<live>"},
		{"live without a value", dm.Func(failing(dm.ErrNoValue)), true, false, dm.ErrNoValue, "<live>"},
		{"live and failing", dm.Func(failing(sensor)), true, false, sensor, "<live>"},
	}
	for _, test := range tests {
		if got := test.cell.Supported(); got != test.supported {
			t.Errorf("%s: Supported is %t", test.name, got)
		}
		v, ok := test.cell.Get()
		if ok != test.stored || ok != (v == 21.5) {
			t.Errorf("%s: Get is %v, %t", test.name, v, ok)
		}
		v, err := test.cell.Read(context.Background())
		if !errors.Is(err, test.readErr) || (err == nil) != (v == 21.5) {
			t.Errorf("%s: Read is %v, %v, want the error %v", test.name, v, err, test.readErr)
		}
		want := 7.0
		if test.stored {
			want = 21.5
		}
		if got := test.cell.Or(7); got != want {
			t.Errorf("%s: Or(7) is %v", test.name, got)
		}
		if got := fmt.Sprint(test.cell); got != test.printed {
			t.Errorf("%s: prints as %q, want %q", test.name, got, test.printed)
		}
	}
}

func TestResSetAndClear(t *testing.T) {
	var unsupported dm.Res[float64]
	unsupported.Clear()
	if unsupported.Supported() {
		t.Error("clearing an unsupported resource makes it supported")
	}
	for name, r := range map[string]dm.Res[float64]{"unsupported": {}, "empty": dm.Empty[float64](),
		"stored": dm.Float(1)} {
		before := r
		r.Set(2)
		if v, ok := r.Get(); !ok || v != 2 {
			t.Errorf("%s: after Set(2) Get is %v, %t", name, v, ok)
		}
		if old, had := before.Get(); had && old != 1 {
			t.Errorf("%s: setting a copy changed the original to %v", name, old)
		}
		r.Clear()
		if _, ok := r.Get(); ok || !r.Supported() {
			t.Errorf("%s: after Clear it is %v", name, r)
		}
	}
	live := dm.Func(func(context.Context) (float64, error) { return 21.5, nil })
	live.Set(2)
	if v, ok := live.Get(); !ok || v != 2 {
		t.Errorf("the staged value of a live resource is %v, %t", v, ok)
	}
}

func TestRefuseSlow(t *testing.T) {
	called := false
	fn := func(context.Context) (float64, error) { called = true; return 1, nil }
	slow, quick := dm.Slow(fn), dm.Func(fn)
	ctx := dm.RefuseSlow(context.Background())
	if _, err := slow.Read(ctx); !errors.Is(err, dm.ErrSlow) || called {
		t.Errorf("a slow function where it must not run: %v, called: %t", err, called)
	}
	if v, err := quick.Read(ctx); err != nil || v != 1 {
		t.Errorf("a quick function: %v, %v", v, err)
	}
	if v, err := slow.Read(context.Background()); err != nil || v != 1 {
		t.Errorf("a slow function where it may run: %v, %v", v, err)
	}
	ran := false
	exec := dm.SlowExec(func(context.Context, dm.Args) error { ran = true; return nil })
	if err := exec(ctx, dm.Args{}); !errors.Is(err, dm.ErrSlow) || ran {
		t.Errorf("a slow executable where it must not run: %v, ran: %t", err, ran)
	}
	if err := exec(context.Background(), dm.Args{}); err != nil || !ran {
		t.Errorf("a slow executable where it may run: %v, ran: %t", err, ran)
	}
	if dm.SlowExec(nil) != nil {
		t.Error("no function became an executable")
	}
}

func TestBytesAreCopied(t *testing.T) {
	b := []byte("abc")
	cells := map[string]dm.Res[[]byte]{"Bytes": dm.Bytes(b)}
	var set dm.Res[[]byte]
	set.Set(b)
	cells["Set"] = set
	b[0] = 'X'
	for name, r := range cells {
		got, _ := r.Get()
		if string(got) != "abc" {
			t.Errorf("%s keeps %q after its source changed", name, got)
		}
		got[1] = 'X'
		read, err := r.Read(context.Background())
		if err != nil || string(read) != "abc" {
			t.Errorf("%s keeps %q, %v after what Get returned changed", name, read, err)
		}
		read[1] = 'X'
		if got, _ := r.Get(); string(got) != "abc" {
			t.Errorf("%s keeps %q after what Read returned changed", name, got)
		}
	}
	list := []byte("abc")
	m := dm.List(list)
	list[0] = 'X'
	got, _ := m.Get(0)
	got[1] = 'X'
	for _, v := range m.All() {
		v[2] = 'X'
	}
	if got, _ := m.Get(0); string(got) != "abc" {
		t.Errorf("a Multi keeps %q", got)
	}
}

func TestTimeHasWholeSeconds(t *testing.T) {
	zone := time.FixedZone("here", 3600)
	r := dm.Time(time.Date(2024, 2, 29, 12, 30, 15, 999_999_999, zone))
	want := time.Date(2024, 2, 29, 11, 30, 15, 0, time.UTC)
	if got, _ := r.Get(); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
	m := dm.List(want.Add(time.Nanosecond).In(zone))
	if got, _ := m.Get(0); got != want {
		t.Errorf("in a Multi: got %v, want %v", got, want)
	}
}

// Every constructor returns a supported resource, whose type follows from the argument.
func TestConstructors(t *testing.T) {
	link := dm.ObjectLink{Object: 3, Instance: 1}
	var (
		i dm.Res[int64]           = dm.Int(-1)
		u dm.Res[uint64]          = dm.Uint(1 << 63)
		f dm.Res[float64]         = dm.Float(1)
		s dm.Res[string]          = dm.Str("a")
		b dm.Res[bool]            = dm.Bool(true)
		o dm.Res[[]byte]          = dm.Bytes(nil)
		c dm.Res[time.Time]       = dm.Time(time.Unix(5, 0))
		l dm.Res[dm.ObjectLink]   = dm.Link(link)
		r dm.Res[dm.CoreLink]     = dm.Core("</3>")
		k dm.Res[dm.Secret]       = dm.Key([]byte("k"))
		p dm.Res[dm.SecretString] = dm.Password("p")
	)
	got := fmt.Sprintln(i.Or(0), u.Or(0), f.Or(0), s.Or(""), b.Or(false), o.Or([]byte("x")), c.Or(time.Time{}).Unix(),
		l.Or(dm.NullLink), r.Or(""),
		string(k.Or(dm.Secret{}).Reveal()), p.Or(dm.SecretString{}).Reveal())
	if want := "-1 9223372036854775808 1 a true [] 5 3:1 </3> k p\n"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
