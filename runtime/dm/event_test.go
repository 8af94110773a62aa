package dm_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// recordBatches returns the batches that a model's subscribers receive, each on one line.
func recordBatches(m *dm.Model) (lines *[]string, cancel func()) {
	lines = new([]string)
	cancel = m.Subscribe(func(b dm.Batch) {
		parts := []string{b.Origin.String() + ":"}
		for _, e := range b.Events {
			parts = append(parts, fmt.Sprintf("%v %v", e.Path, e.Kind))
		}
		*lines = append(*lines, strings.Join(parts, " "))
	})
	return lines, cancel
}

func TestEvents(t *testing.T) {
	o := newMeters(t, dm.ObjectConfig[meter]{Template: meter{Level: dm.Float(1), Tags: dm.EmptyMulti[string]()}})
	panels := newPanels(t, dm.ObjectConfig[panel]{})
	if err := panels.Add(0, panel{Brightness: dm.Int(1), Modes: dm.Ints(1)}); err != nil {
		t.Fatal(err)
	}
	m, ctx := newModel(t, dm.ModelConfig{}, o, panels), context.Background()
	got, cancel := recordBatches(m)
	defer cancel()
	update := func(fn func(*meter)) func() error {
		return func() error { return o.Update(ctx, 0, func(m *meter) error { fn(m); return nil }) }
	}
	entry := func(p string, v dm.Value) dm.Entry { return dm.Entry{Path: path(t, p), Value: v} }
	server := dm.Server(3)
	steps := []struct {
		name string
		do   func() error
		want string // "" for no batch
	}{
		{"add", func() error { return o.Add(0, fullMeter()) }, "application: /33001/0 created"},
		{"update nothing", update(func(*meter) {}), ""},
		{"update to the same", update(func(m *meter) { m.Level.Set(21.5); m.Tags.Set(0, "a") }), ""},
		{"update", update(func(m *meter) {
			m.Mode.Set(5)
			m.Level.Set(1)
			m.Tags.Set(1, "c")
			m.Tags.Set(7, "d")
			m.Tags.Delete(0)
		}),
			"application: /33001/0/0 changed /33001/0/4/0 changed /33001/0/4/1 changed /33001/0/4/7 changed /33001/0/9 changed"},
		{"make unsupported", update(func(m *meter) { m.Flag = dm.Res[bool]{}; m.Tags = dm.Multi[string]{} }),
			"application: /33001/0/4 changed /33001/0/13 changed"},
		{"make supported again", update(func(m *meter) { m.Tags = dm.EmptyMulti[string](); m.Flag = dm.Empty[bool]() }),
			"application: /33001/0/4 changed /33001/0/13 changed"},
		{"replace a function", update(func(m *meter) { m.Level = dm.Func(failing(nil)); m.Reset = nil }),
			"application: /33001/0/0 changed /33001/0/3 changed"},
		{"a write of the same", func() error {
			return write(m, server, path(t, "/33001/0/1"), dm.Replace, entry("/33001/0/1", dm.FloatValue(20)))
		}, ""},
		{"a write", func() error {
			return write(m, server, path(t, "/33001/0"), dm.Update, entry("/33001/0/9", dm.IntegerValue(0)),
				entry("/33001/0/1", dm.FloatValue(3)))
		}, "server 3: /33001/0/1 changed /33001/0/9 changed"},
		{"a composite", func() error {
			return write(m, server, dm.Path{}, dm.Update, entry("/33002/0/0", dm.IntegerValue(9)),
				entry("/33001/0/1", dm.FloatValue(4)))
		}, "server 3: /33001/0/1 changed /33002/0/0 changed"},
		{"resource instances", func() error {
			return write(m, server, path(t, "/33001/0/4"), dm.Update, entry("/33001/0/4/6", dm.StringValue("x")),
				entry("/33001/0/4/2", dm.StringValue("y")))
		}, "server 3: /33001/0/4/2 changed /33001/0/4/6 changed"},
		{"a resource instance deleted", func() error {
			return do(m, server, func(t *dm.Transaction) error {
				return t.Delete(dm.ResourceInstancePath(meterID, 0, tagsID, 6))
			})
		}, "server 3: /33001/0/4/6 changed"},
		{"create", func() error {
			return do(m, server, func(t *dm.Transaction) error {
				return t.Create(meterID, []dm.InstanceID{8},
					[]dm.Entry{{Path: dm.ResourcePath(meterID, 8, modeID), Value: dm.IntegerValue(1)}})
			})
		}, "server 3: /33001/8 created"},
		{"create and delete again", func() error {
			return do(m, server, func(t *dm.Transaction) error {
				if err := t.Create(meterID, []dm.InstanceID{9}, nil); err != nil {
					return err
				}
				return t.Delete(dm.InstancePath(meterID, 9))
			})
		}, ""},
		{"delete", func() error {
			return do(m, server, func(t *dm.Transaction) error { return t.Delete(dm.InstancePath(meterID, 8)) })
		}, "server 3: /33001/8 deleted"},
		{"remove", func() error { return o.Remove(ctx, 0) }, "application: /33001/0 deleted"},
	}
	for _, step := range steps {
		*got = nil
		if err := step.do(); err != nil {
			t.Errorf("%s: %v", step.name, err)
		}
		if line := strings.Join(*got, "\n"); line != step.want {
			t.Errorf("%s: the batches are\n%q, want\n%q", step.name, line, step.want)
		}
	}
}

func TestSubscribersAreCalledAfterPublishing(t *testing.T) {
	o := newMeters(t, dm.ObjectConfig[meter]{})
	m := newModel(t, dm.ModelConfig{}, o)
	seen := false
	defer m.Subscribe(func(dm.Batch) { seen = m.Snapshot().Has(dm.InstancePath(meterID, 0)) })()
	if err := o.Add(0, fullMeter()); err != nil || !seen {
		t.Errorf("the subscriber saw the new instance: %t, %v", seen, err)
	}
}

func TestSubscribe(t *testing.T) {
	o, ctx := newMeters(t, dm.ObjectConfig[meter]{}), context.Background()
	m := newModel(t, dm.ModelConfig{}, o)
	a, cancelA := recordBatches(m)
	b, cancelB := recordBatches(m)
	defer cancelB()
	if err := o.Add(0, fullMeter()); err != nil {
		t.Fatal(err)
	}
	cancelA()
	cancelA() // the second call does nothing
	if err := o.Update(ctx, 0, func(m *meter) error { m.Level.Set(1); return nil }); err != nil {
		t.Fatal(err)
	}
	if err := o.Update(ctx, 0, func(m *meter) error { m.Level.Set(999); return nil }); err == nil {
		t.Error("out of range")
	}
	if len(*a) != 1 || len(*b) != 2 {
		t.Errorf("the subscribers received %v and %v", *a, *b)
	}
}

// Subscribing, cancelling and publishing concurrently.
func TestSubscribeRace(t *testing.T) {
	o := newMeters(t, dm.ObjectConfig[meter]{})
	if err := o.Add(0, fullMeter()); err != nil {
		t.Fatal(err)
	}
	m := newModel(t, dm.ModelConfig{}, o)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 100 {
				n := 0
				cancel := m.Subscribe(func(b dm.Batch) { n += len(b.Events) })
				err := o.Update(t.Context(), 0, func(m *meter) error { m.Big.Set(m.Big.Or(0) + 1); return nil })
				cancel()
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func TestKindsAndOriginsPrint(t *testing.T) {
	got := fmt.Sprint(dm.Created, dm.Deleted, dm.Changed, dm.Application, dm.Bootstrap, dm.Server(101))
	if want := "created deleted changed application bootstrap server server 101"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if id, ok := dm.Server(101).ShortServerID(); id != 101 || !ok {
		t.Error("a server has no short ID")
	}
	for _, o := range []dm.Origin{dm.Application, dm.Bootstrap} {
		if id, ok := o.ShortServerID(); id != 0 || ok {
			t.Errorf("%v has the short ID %d", o, id)
		}
	}
}

type someRequest struct{ id int }

func (*someRequest) TransactionCause() {}

// A batch has the cause of its own transaction.
func TestBatchCarriesItsCause(t *testing.T) {
	s := newScripted(t)
	var got []dm.Cause
	defer s.m.Subscribe(func(b dm.Batch) { got = append(got, b.Cause) })()
	first := &someRequest{1}
	write := func(cause dm.Cause, mode int) {
		t.Helper()
		tx, err := s.m.Begin(t.Context(), dm.Server(1))
		if err != nil {
			t.Fatal(err)
		}
		tx.SetCause(cause)
		if err := tx.Write(dm.ResourcePath(33001, 0, modeID), dm.Replace, entries(t, "/33001/0/9", mode)); err != nil {
			t.Fatal(err)
		}
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	write(first, 5)
	write(nil, 0)
	if err := s.objects[0].Update(t.Context(), 0, func(m *meter) error { m.Mode.Set(5); return nil }); err != nil {
		t.Fatal(err)
	}
	if len(got) != 3 || got[0] != dm.Cause(first) || got[1] != nil || got[2] != nil {
		t.Errorf("the causes are %v, want the request's and none twice", got)
	}
}
