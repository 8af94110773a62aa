package dm_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// Live functions: their errors, missing values, and the origin they receive.
func TestReadLive(t *testing.T) {
	o, ctx := newMeters(t, dm.ObjectConfig[meter]{}), context.Background()
	broken := errors.New("broken")
	level, counts := error(nil), error(nil)
	asked := []dm.Origin{}
	inst := fullMeter()
	inst.Level = dm.Func(func(ctx context.Context) (float64, error) {
		asked = append(asked, dm.OriginFrom(ctx))
		return 21.5, level
	})
	inst.Counts = dm.FuncMulti(func(context.Context) (map[dm.ResourceInstanceID]int64, error) {
		return map[dm.ResourceInstanceID]int64{3: 30, 1: 10}, counts
	})
	if err := o.Add(0, inst); err != nil {
		t.Fatal(err)
	}
	s := newModel(t, dm.ModelConfig{}, o).Snapshot()
	ip, lp, cp := dm.InstancePath(meterID, 0), dm.ResourcePath(meterID, 0, levelID),
		dm.ResourcePath(meterID, 0, countsID)

	if got, err := read(s, dm.Server(1), ip); err != nil || got != fullMeterRead {
		t.Errorf("reading live resources: %v\n%s", err, got)
	}
	if v, err := s.Value(dm.WithOrigin(ctx, dm.Server(5)), dm.Server(5), lp); err != nil || v.Float() != 21.5 ||
		asked[len(asked)-1] != dm.Server(5) {
		t.Errorf("got %v, %v for %v", v, err, asked)
	}

	level, counts = dm.ErrNoValue, dm.ErrNoValue
	got, err := read(s, dm.Server(1), ip)
	if err != nil || strings.Contains(got, lp.String()+"=") || strings.Contains(got, cp.String()) ||
		!strings.Contains(got, "boiler") {
		t.Errorf("reading an instance whose functions have no value: %v\n%s", err, got)
	}
	for _, p := range []dm.Path{lp, cp, dm.ResourceInstancePath(meterID, 0, countsID, 1)} {
		if _, err := read(s, dm.Server(1), p); dm.CodeOf(err) != dm.NotFound || !errors.Is(err, dm.ErrNoValue) {
			t.Errorf("reading %v alone: %v, want 4.04", p, err)
		}
	}

	for _, test := range []struct {
		err  error
		want dm.Code
	}{
		{broken, dm.InternalServerError},
		{dm.ServiceUnavailable, dm.ServiceUnavailable},
		{dm.Errorf(dm.Forbidden, "not now: %w", broken), dm.Forbidden},
		{fmt.Errorf("wrapped: %w", dm.Errorf(dm.Conflict, "x")), dm.Conflict},
		{&dm.Error{Err: broken}, dm.InternalServerError},
	} {
		level, counts = test.err, nil
		for _, p := range []dm.Path{ip, lp} {
			_, err := read(s, dm.Server(1), p)
			var e *dm.Error
			if dm.CodeOf(err) != test.want || !errors.As(err, &e) || e.Path != lp {
				t.Errorf("%v while reading %v: %v, want %v naming the resource", test.err, p, err, test.want)
			}
		}
		level, counts = nil, test.err
		for _, p := range []dm.Path{cp, dm.ResourceInstancePath(meterID, 0, countsID, 1)} {
			if _, err := read(s, dm.Server(1), p); dm.CodeOf(err) != test.want {
				t.Errorf("%v while reading %v: %v, want %v", test.err, p, err, test.want)
			}
		}
	}

	level, counts = nil, nil
	if _, err := read(s, dm.Server(1), dm.ResourceInstancePath(meterID, 0, countsID,
		2)); dm.CodeOf(err) != dm.NotFound {
		t.Errorf("a resource instance that the function does not return: %v", err)
	}
}

func TestLiveReservedResourceInstance(t *testing.T) {
	o := newMeters(t, dm.ObjectConfig[meter]{})
	inst := fullMeter()
	inst.Counts = dm.FuncMulti(func(context.Context) (map[dm.ResourceInstanceID]int64, error) {
		return map[dm.ResourceInstanceID]int64{65535: 1}, nil
	})
	if err := o.Add(0, inst); err != nil {
		t.Fatal(err)
	}
	if _, err := read(newModel(t, dm.ModelConfig{}, o).Snapshot(), dm.Server(1),
		dm.ResourcePath(meterID, 0, countsID)); dm.CodeOf(err) != dm.InternalServerError {
		t.Errorf("a function that returns the reserved resource instance: %v", err)
	}
}

// A live value outside of its range is sent, and logged once.
func TestLiveOutOfRange(t *testing.T) {
	var log bytes.Buffer
	o := newMeters(t, dm.ObjectConfig[meter]{})
	inst := fullMeter()
	inst.Level = dm.Func(func(context.Context) (float64, error) { return 999, nil })
	if err := o.Add(0, inst); err != nil {
		t.Fatal(err)
	}
	m := newModel(t, dm.ModelConfig{Logger: slog.New(slog.NewTextHandler(&log, nil))}, o)
	for range 3 {
		v, err := m.Snapshot().Value(context.Background(), dm.Server(1), dm.ResourcePath(meterID, 0, levelID))
		if err != nil || v.Float() != 999 {
			t.Errorf("got %v, %v", v, err)
		}
		if _, err := read(m.Snapshot(), dm.Server(1), dm.InstancePath(meterID, 0)); err != nil {
			t.Error(err)
		}
	}
	if n := strings.Count(log.String(), "level=WARN"); n != 1 || !strings.Contains(log.String(), "/33001/0/0") ||
		!strings.Contains(log.String(), "-40..125") {
		t.Errorf("the log has %d warnings:\n%s", n, log.String())
	}
}
