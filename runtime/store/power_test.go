package store

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

func testKey(b byte) Key {
	k, err := NewKey(slices.Repeat([]byte{b}, KeySize))
	if err != nil {
		panic(err)
	}
	return k
}

// scenario is a sequence of batches with its states: states[i] is the one after i batches.
type scenario struct {
	cfg     Config
	batches [][]Change
	states  []map[string]string
}

func newScenario(cfg Config, batches int) *scenario {
	cfg.Logger, cfg.compactAfter = quiet, 300
	s := &scenario{cfg: cfg, states: []map[string]string{{}}}
	r := rand.New(rand.NewPCG(1, 2))
	for i := range batches {
		state := maps.Clone(s.states[i])
		batch := []Change{Put("count", fmt.Append(nil, i))} // so that every batch changes something
		for range r.IntN(4) {
			if name := fmt.Sprint("record/", r.IntN(6)); r.IntN(3) == 0 {
				batch = append(batch, Delete(name))
			} else {
				batch = append(batch, Put(name, slices.Repeat([]byte{'0' + byte(i)}, r.IntN(40))))
			}
		}
		for _, c := range batch {
			if c.Delete {
				delete(state, c.Name)
			} else {
				state[c.Name] = string(c.Value)
			}
		}
		s.batches, s.states = append(s.batches, batch), append(s.states, state)
	}
	return s
}

// run applies the batches until an error. In their middle it closes the store and opens it again,
// and it abandons it once, as a kill does. It returns how many batches were acknowledged.
func (s *scenario) run(d *disk) (acked int, err error) {
	st, err := openDir(d, "dir", s.cfg)
	if err != nil {
		return 0, err
	}
	for i, batch := range s.batches {
		switch i {
		case len(s.batches) / 3:
			if err := st.Close(); err != nil {
				return i, err
			}
		case len(s.batches) * 2 / 3:
			d.locked = false
		}
		if !d.locked {
			if st, err = openDir(d, "dir", s.cfg); err != nil {
				return i, err
			}
		}
		if err := st.Apply(batch...); err != nil {
			return i, err
		}
	}
	return len(s.batches), st.Close()
}

func contents(t testing.TB, st Store) map[string]string {
	t.Helper()
	got := map[string]string{}
	err := st.Load("", func(name string, value []byte) error {
		got[name] = string(value)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// is reports whether a disk opens with one of the states, and returns what is wrong.
func (s *scenario) is(t *testing.T, d *disk, states ...map[string]string) error {
	st, err := openDir(d, "dir", s.cfg)
	if err != nil {
		return err
	}
	got := contents(t, st)
	if !slices.ContainsFunc(states, func(want map[string]string) bool { return maps.Equal(got, want) }) {
		return fmt.Errorf("the state is %q, and must be one of %q", got, states)
	}
	// It goes on from there.
	if err := st.Apply(Put("more", []byte("x"))); err != nil {
		return err
	}
	got["more"] = "x"
	d.locked = false
	if st, err = openDir(d, "dir", s.cfg); err != nil {
		return err
	}
	if again := contents(t, st); !maps.Equal(again, got) {
		return fmt.Errorf("after another batch the state is %q, and must be %q", again, got)
	}
	return st.Close()
}

// TestPowerLossAtEveryByte loses the power at every byte that is written and before every other
// operation, compactions and openings included. The disk comes back in eleven ways: with what was
// not synced, without it, torn and out of order. A second loss of power interrupts the recovery.
func TestPowerLossAtEveryByte(t *testing.T) {
	t.Run("plain", func(t *testing.T) { losePower(t, newScenario(Config{}, 24), 1) })
	t.Run("sealed", func(t *testing.T) { losePower(t, newScenario(Config{Key: testKey(1)}, 12), 5) })
}

func losePower(t *testing.T, s *scenario, stride int) {
	whole := newDisk()
	if acked, err := s.run(whole); err != nil || acked != len(s.batches) {
		t.Fatal(acked, err)
	}
	if testing.Short() {
		stride *= 7
	}
	compactions, cases := 0, 0
	for at := 0; at < whole.used; at += stride {
		d := newDisk()
		d.steps = at
		acked, err := s.run(d)
		if !errors.Is(err, errPower) {
			t.Fatalf("at step %d: %v", at, err)
		}
		if d.names["dir/"+newName] != nil {
			compactions++
		}
		states := s.states[acked:min(acked+2, len(s.states))]
		for _, im := range images(uint64(at)) {
			cases++
			if err := s.is(t, d.after(im), states...); err != nil {
				t.Fatalf("at step %d, %s: %v", at, im.name, err)
			}
			again := d.after(im)
			again.steps = at % 300
			if _, err := openDir(again, "dir", s.cfg); err != nil && !errors.Is(err, errPower) {
				t.Fatalf("at step %d, %s, opened again: %v", at, im.name, err)
			}
			second := images(uint64(at) + 1)
			if err := s.is(t, again.after(second[at%len(second)]), states...); err != nil {
				t.Fatalf("at step %d, %s, and again in the recovery: %v", at, im.name, err)
			}
		}
	}
	t.Logf("%d steps, %d of them in compactions, %d disks", whole.used, compactions, cases)
	if compactions == 0 {
		t.Error("no compaction was interrupted")
	}
}

// TestFailingOperations lets each operation fail once, and goes on. A batch that fails changes
// nothing, now and after another opening, except that a batch whose store became unusable is there
// or not.
func TestFailingOperations(t *testing.T) {
	s := newScenario(Config{}, 24)
	for _, op := range []string{"write", "sync", "truncate", "rename", "syncdir", "create", "close", "open", "remove"} {
		t.Run(op, func(t *testing.T) {
			for nth, failed := 0, true; failed; nth++ {
				failed = s.fails(t, op, nth)
				if nth > 10000 {
					t.Fatal("the scenario does not end")
				}
			}
		})
	}
}

// fails runs the scenario with one failure, and reports whether the operation was reached. A
// truncation is only needed after a write that failed.
func (s *scenario) fails(t *testing.T, op string, nth int) (reached bool) {
	d := newDisk()
	n, writes := 0, 0
	d.fail = func(o, _ string) bool {
		if o == "write" {
			writes++
		}
		if op == "truncate" && o == "write" {
			return writes == nth+1
		}
		if o != op {
			return false
		}
		n++
		return n == nth+1 || op == "truncate"
	}
	state := map[string]string{}
	var st *Dir
	for i := 0; i < len(s.batches); i++ {
		if st == nil {
			var err error
			if st, err = openDir(d, "dir", s.cfg); err != nil {
				d.locked = false
				if st, err = openDir(d, "dir", s.cfg); err != nil {
					t.Fatalf("%s %d: the store does not open after a failure: %v", op, nth, err)
				}
			}
			if got := contents(t, st); !maps.Equal(got, state) {
				t.Fatalf("%s %d, opened before batch %d: %q, want %q", op, nth, i, got, state)
			}
		}
		err := st.Apply(s.batches[i]...)
		next := applied(state, s.batches[i])
		switch {
		case err == nil:
			state = next
		case errors.Is(err, ErrUnusable):
			if again := st.Apply(Put("x", nil)); !errors.Is(again, ErrUnusable) {
				t.Fatalf("%s %d: an unusable store answers %v", op, nth, again)
			}
			_ = st.Close()
			if st, err = openDir(d, "dir", s.cfg); err != nil {
				t.Fatal(op, nth, err)
			}
			if got := contents(t, st); maps.Equal(got, next) {
				state = next
			} else if !maps.Equal(got, state) {
				t.Fatalf("%s %d, batch %d: %q, want %q or %q", op, nth, i, got, state, next)
			}
		}
		if got := contents(t, st); !maps.Equal(got, state) {
			t.Fatalf("%s %d, batch %d (%v): %q, want %q", op, nth, i, err, got, state)
		}
		if i == len(s.batches)/2 {
			_ = st.Close()
			st = nil
		}
	}
	_ = st.Close()
	// What is durable is the same.
	if err := s.is(t, d.after(images(0)[1]), state); err != nil {
		t.Fatalf("%s %d, after a loss of power: %v", op, nth, err)
	}
	return n > nth || op == "truncate" && writes > nth
}

func applied(state map[string]string, batch []Change) map[string]string {
	next := maps.Clone(state)
	for _, c := range batch {
		if c.Delete {
			delete(next, c.Name)
		} else {
			next[c.Name] = string(c.Value)
		}
	}
	return next
}

// TestFullDisk fills the disk for some batches. They fail as a whole, and later ones work.
func TestFullDisk(t *testing.T) {
	s := newScenario(Config{}, 40)
	d := newDisk()
	st, err := openDir(d, "dir", s.cfg)
	if err != nil {
		t.Fatal(err)
	}
	full := false
	d.fail = func(op, _ string) bool { return full && (op == "write" || op == "create") }
	state := map[string]string{}
	for i, batch := range s.batches {
		full = i%10 >= 5
		err := st.Apply(batch...)
		if full != (err != nil) || errors.Is(err, ErrUnusable) {
			t.Fatalf("batch %d, full %v: %v", i, full, err)
		}
		if err == nil {
			state = applied(state, batch)
		}
	}
	d.locked, full = false, true
	if st, err = openDir(d, "dir", s.cfg); err != nil {
		t.Fatalf("a store on a full disk does not open: %v", err)
	}
	if got := contents(t, st); !maps.Equal(got, state) {
		t.Errorf("%q, want %q", got, state)
	}
	full = false
	_ = st.Close()
	if err := s.is(t, d.after(images(0)[1]), state); err != nil {
		t.Error(err)
	}
}

// TestShortWrites writes at most three bytes at a time.
func TestShortWrites(t *testing.T) {
	s := newScenario(Config{}, 24)
	d := newDisk()
	d.short = 3
	if acked, err := s.run(d); err != nil || acked != len(s.batches) {
		t.Fatal(acked, err)
	}
	if err := s.is(t, d.after(images(0)[1]), s.states[len(s.batches)]); err != nil {
		t.Error(err)
	}
}

// TestFailedBatchStaysUndone lets a write fail after all its bytes have arrived. The batch was
// refused, so it is not there after a loss of power either.
func TestFailedBatchStaysUndone(t *testing.T) {
	s := newScenario(Config{}, 1)
	d := newDisk()
	st, err := openDir(d, "dir", s.cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Apply(s.batches[0]...); err != nil {
		t.Fatal(err)
	}
	d.whole = true
	d.fail = func(op, _ string) bool { return op == "write" }
	if err := st.Apply(Put("refused", nil)); err == nil || errors.Is(err, ErrUnusable) {
		t.Fatal(err)
	}
	for _, im := range images(0) {
		if err := s.is(t, d.after(im), s.states[1]); err != nil {
			t.Errorf("%s: %v", im.name, err)
		}
	}
}
