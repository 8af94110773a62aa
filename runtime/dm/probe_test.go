package dm_test

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// newProbeModel returns a model with a live meter, a stored one and a panel.
func newProbeModel(t *testing.T, cfg dm.ModelConfig) *dm.Model {
	t.Helper()
	meters := newMeters(t, dm.ObjectConfig[meter]{})
	live := meter{
		Level: dm.Func(func(context.Context) (float64, error) { return 0, errors.New("not to be called") }),
		Mode:  dm.Int(0), Tags: dm.List("a"),
		Image: dm.SinkFunc(func(context.Context) (dm.Sink, error) { return nil, io.ErrClosedPipe }),
	}
	if err := errors.Join(meters.Add(0, fullMeter()), meters.Add(5, live)); err != nil {
		t.Fatal(err)
	}
	panels := newPanels(t, dm.ObjectConfig[panel]{})
	if err := panels.Add(0, panel{Brightness: dm.Int(50), Modes: dm.Ints(3)}); err != nil {
		t.Fatal(err)
	}
	return newModel(t, cfg, panels, meters)
}

func TestLive(t *testing.T) {
	s := newProbeModel(t, dm.ModelConfig{}).Snapshot()
	for p, want := range map[string]bool{
		"/": true, "/33001": true, "/33001/5": true, "/33001/5/0": true, "/33001/5/0/1": true,
		"/33001/0": false, "/33001/5/9": false, "/33001/5/6": false, "/33001/7": false, "/33002": false,
		"/33002/0": false, "/77": false,
	} {
		if got := s.Live(dm.Server(1), path(t, p)); got != want {
			t.Errorf("Live(%s) = %v", p, got)
		}
	}
}

func TestCheckWrite(t *testing.T) {
	s := newProbeModel(t, dm.ModelConfig{}).Snapshot()
	for p, want := range map[string]dm.Code{
		"/33001/0": 0, "/33001/0/1": 0, "/33001/0/4/0": 0, "/33001/5/6": 0, "/33002/0/0": 0,
		"/33001/0/0": dm.MethodNotAllowed, "/33001/0/3": dm.MethodNotAllowed, "/33001": dm.MethodNotAllowed,
		"/33001/0/1/0": dm.MethodNotAllowed,
		"/33001/0/4/9": dm.NotFound, "/33001/0/99": dm.NotFound, "/33001/5/2": dm.NotFound, "/33001/7": dm.NotFound,
		"/77/0": dm.NotFound,
	} {
		if got := dm.CodeOf(s.CheckWrite(context.Background(), dm.Server(1), path(t, p))); got != want {
			t.Errorf("CheckWrite(%s) = %v, want %v", p, got, want)
		}
	}
	if err := s.CheckWrite(context.Background(), dm.Bootstrap, path(t, "/33001/0/0")); err != nil {
		t.Errorf("the bootstrap server: %v", err)
	}
}

func TestPersists(t *testing.T) {
	for name, cfg := range map[string]dm.ModelConfig{
		"no store": {}, "a store": {Persist: func(context.Context, dm.Committed) error { return nil }},
	} {
		m := newProbeModel(t, cfg)
		tx, err := m.Begin(context.Background(), dm.Server(1))
		if err != nil {
			t.Fatal(err)
		}
		if tx.Persists() {
			t.Errorf("%s: there is nothing to store yet", name)
		}
		if err := tx.Write(path(t, "/33002/0/0"), dm.Replace,
			[]dm.Entry{{Path: path(t, "/33002/0/0"), Value: dm.IntegerValue(1)}}); err != nil {
			t.Fatal(err)
		}
		if tx.Persists() != (cfg.Persist != nil) {
			t.Errorf("%s: Persists is %v", name, tx.Persists())
		}
		tx.Rollback()
	}
}

func TestCheckWriteCodes(t *testing.T) {
	w := watch(t)
	s := w.m.Snapshot()
	for p, want := range map[string]dm.Code{
		"/33001/0": 0, "/33001/0/1": 0, "/33001/0/4/0": 0, "/1": dm.NotFound, "/33001": dm.MethodNotAllowed,
		"/33001/9":   dm.NotFound,
		"/33001/0/0": dm.MethodNotAllowed, "/33001/0/99": dm.NotFound, "/33001/0/4/9": dm.NotFound,
		"/33001/0/3": dm.MethodNotAllowed,
	} {
		if err := s.CheckWrite(context.Background(), dm.Server(1), path(t, p)); dm.CodeOf(err) != want {
			t.Errorf("writing to %s: %v, want %v", p, err, want)
		}
	}
	if w.hooks != 0 {
		t.Errorf("%d hooks were called", w.hooks)
	}
}
