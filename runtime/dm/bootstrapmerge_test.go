package dm_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// Changes that the application makes during a sequence are merged at its end, rule by rule.
func TestBootstrapMerge(t *testing.T) {
	type world struct {
		*scripted
		seq *sequence
	}
	update := func(id dm.InstanceID, fn func(*meter)) func(*testing.T, *world) {
		return func(t *testing.T, w *world) {
			t.Helper()
			if err := w.objects[0].Update(t.Context(), id, func(m *meter) error { fn(m); return nil }); err != nil {
				t.Fatal(err)
			}
		}
	}
	remove := func(id dm.InstanceID) func(*testing.T, *world) {
		return func(t *testing.T, w *world) {
			t.Helper()
			if err := w.objects[0].Remove(t.Context(), id); err != nil {
				t.Fatal(err)
			}
		}
	}
	add := func(id dm.InstanceID, inst meter) func(*testing.T, *world) {
		return func(t *testing.T, w *world) {
			t.Helper()
			if err := w.objects[0].Add(id, inst); err != nil {
				t.Fatal(err)
			}
		}
	}
	both := func(a, b func(*testing.T, *world)) func(*testing.T, *world) {
		return func(t *testing.T, w *world) { a(t, w); b(t, w) }
	}
	app := meter{Level: dm.Float(1), Mode: dm.Int(0), Label: dm.Str("app"), Goal: dm.Float(11)}
	tests := []struct {
		name      string
		bootstrap func(*sequence)
		app       func(*testing.T, *world)
		want      map[string]string
	}{
		{"a resource written by the transaction wins",
			func(s *sequence) { s.write("/33001/0/2", dm.Replace, entries(t, "/33001/0/2", "boot")...) },
			update(0, func(m *meter) { m.Label.Set("app") }),
			map[string]string{"/33001/0/2": "boot"}},
		{"other changes of the application stay",
			func(s *sequence) { s.write("/33001/0/2", dm.Replace, entries(t, "/33001/0/2", "boot")...) },
			update(0, func(m *meter) { m.Goal.Set(77); m.Tags.Set(9, "app"); m.Flag.Clear(); m.Clock = dm.Res[time.Time]{} }),
			map[string]string{"/33001/0/2": "boot", "/33001/0/1": "77", "/33001/0/4/9": "app", "/33001/0/4/0": "a",
				"/33001/0/13": "<none>", "/33001/0/8": "<none>"}},
		{"instances that the transaction did not touch",
			func(s *sequence) { s.write("/33001/0/2", dm.Replace, entries(t, "/33001/0/2", "boot")...) },
			both(update(1, func(m *meter) { m.Goal.Set(77) }), add(6, app)),
			map[string]string{"/33001/1/1": "77", "/33001/6/2": "app", "/33001/0/2": "boot"}},
		{"single resource instances written",
			func(s *sequence) {
				s.write("/33001/0/4", dm.Update, entries(t, "/33001/0/4/1", "boot", "/33001/0/4/5", "boot")...)
			},
			update(0, func(m *meter) { m.Tags.Set(1, "app"); m.Tags.Set(9, "app"); m.Tags.Delete(0) }),
			map[string]string{"/33001/0/4/0": "<none>", "/33001/0/4/1": "boot", "/33001/0/4/5": "boot",
				"/33001/0/4/9": "app"}},
		{"all resource instances replaced",
			func(s *sequence) { s.write("/33001/0/4", dm.Replace, entries(t, "/33001/0/4/1", "boot")...) },
			update(0, func(m *meter) { m.Tags.Set(9, "app") }),
			map[string]string{"/33001/0/4/0": "<none>", "/33001/0/4/1": "boot", "/33001/0/4/9": "<none>"}},
		{"an instance replaced",
			func(s *sequence) {
				s.write("/33001/0", dm.Replace, entries(t, "/33001/0/0", 3.0, "/33001/0/9", 5)...)
			},
			update(0, func(m *meter) { m.Goal.Set(77); m.Tags.Set(9, "app") }),
			map[string]string{"/33001/0/0": "3", "/33001/0/9": "5", "/33001/0/1": "<none>", "/33001/0/4/9": "<none>"}},
		{"a delete by the transaction beats updates",
			func(s *sequence) { s.delete("/33001/0") },
			update(0, func(m *meter) { m.Label.Set("app") }),
			map[string]string{"/33001/0/2": "<none>", "/33001/1/2": "boiler"}},
		{"a delete of an instance that the application also deleted",
			func(s *sequence) { s.delete("/33001/0") }, remove(0),
			map[string]string{"/33001/0/2": "<none>"}},
		{"a delete of an instance that the application deleted and added again",
			func(s *sequence) { s.delete("/33001/0") }, both(remove(0), add(0, app)),
			map[string]string{"/33001/0/2": "<none>"}},
		{"its create beats an application's create",
			func(s *sequence) {
				s.write("/33001/5", dm.Replace, entries(t, "/33001/5/0", 3.0, "/33001/5/9", 5)...)
			},
			add(5, app),
			map[string]string{"/33001/5/0": "3", "/33001/5/9": "5", "/33001/5/2": "<none>", "/33001/5/1": "<none>"}},
		{"its replace of a deleted instance beats an application's create",
			func(s *sequence) {
				s.delete("/33001/0")
				s.write("/33001/0", dm.Replace, entries(t, "/33001/0/0", 3.0, "/33001/0/9", 5)...)
			},
			both(remove(0), add(0, app)),
			map[string]string{"/33001/0/0": "3", "/33001/0/2": "<none>", "/33001/0/1": "<none>"}},
		{"an instance that the sequence wrote and the application deleted",
			func(s *sequence) { s.write("/33001/0/2", dm.Replace, entries(t, "/33001/0/2", "boot")...) },
			remove(0),
			map[string]string{"/33001/0/2": "boot", "/33001/0/1": "20", "/33001/0/9": "1", "/33001/0/4/1": "b"}},
		{"an instance that it did not write stays deleted",
			func(s *sequence) { s.write("/33001/0/2", dm.Replace, entries(t, "/33001/0/2", "boot")...) },
			remove(1),
			map[string]string{"/33001/0/2": "boot", "/33001/1/2": "<none>"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for _, failFirst := range []bool{false, true} { // also after a refused attempt
				w := &world{scripted: newScripted(t)}
				w.seq = startSequence(t, w.m)
				test.bootstrap(w.seq)
				if failFirst {
					w.fail["validate1"] = errors.New("boom")
					if err := w.seq.finish(); err == nil {
						t.Fatal("Validate did not refuse")
					}
					clear(w.fail)
				}
				test.app(t, w)
				mid := dump(t, w.m.Snapshot())
				if failFirst {
					w.fail["commit1"] = errors.New("boom")
					if err := w.seq.finish(); err == nil {
						t.Fatal("Commit did not refuse")
					}
					clear(w.fail)
					if diff := changes(mid, dump(t, w.m.Snapshot())); diff != "" {
						t.Errorf("a refused attempt changed\n%s", diff)
					}
				}
				if err := w.seq.finish(); err != nil {
					t.Fatal(err)
				}
				for p, want := range test.want {
					if got := show(w.m.Snapshot(), path(t, p)); got != want {
						t.Errorf("refused first: %t: %s is %s, want %s", failFirst, p, got, want)
					}
				}
			}
		})
	}
}

// Validate and the subscribers see the merged state.
func TestBootstrapValidatesTheMerge(t *testing.T) {
	seen := ""
	o := newMeters(t, dm.ObjectConfig[meter]{Hooks: dm.Hooks[meter]{Validate: func(ctx context.Context, x *dm.Tx[meter]) error {
		if x.Origin() == dm.Bootstrap {
			m, _ := x.Get(0)
			s, _ := dm.SnapshotFrom(ctx)
			seen = m.Label.Or("") + " " + show(s, path(t, "/33001/0/1"))
			for c := range x.Changes() {
				seen += " old " + c.Old.Label.Or("")
			}
		}
		return nil
	}}})
	if err := o.Add(0, fullMeter()); err != nil {
		t.Fatal(err)
	}
	m := newModel(t, dm.ModelConfig{}, o)
	seq := startSequence(t, m)
	seq.write("/33001/0/2", dm.Replace, entries(t, "/33001/0/2", "boot")...)
	if err := o.Update(t.Context(), 0, func(m *meter) error { m.Goal.Set(77); m.Label.Set("app"); return nil }); err != nil {
		t.Fatal(err)
	}
	got, cancel := recordBatches(m)
	defer cancel()
	if err := seq.finish(); err != nil {
		t.Fatal(err)
	}
	if seen != "boot 77 old app" {
		t.Errorf("Validate saw %q", seen)
	}
	if want := "bootstrap server: /33001/0/2 changed"; strings.Join(*got, "\n") != want {
		t.Errorf("the batches are %q, want %q", *got, want)
	}
}
