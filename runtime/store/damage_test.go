package store

import (
	"bytes"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// build returns a disk whose file has a snapshot and several batches.
func build(t testing.TB, cfg Config, closed bool) *disk {
	cfg.Logger = quiet
	d := newDisk()
	st, err := openDir(d, "dir", cfg)
	if err != nil {
		t.Fatal(err)
	}
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	must(st.Apply(Put("a", []byte("first")), Put("b", []byte("kept"))))
	must(st.compact())
	must(st.Apply(Put("a", []byte("second"))))
	must(st.Apply(Put("a", []byte("third")), Delete("b")))
	must(st.Apply(Put("seq/1", []byte("last"))))
	if closed {
		must(st.Close())
	}
	d.locked = false
	return d
}

func (d *disk) data() *inode { return d.names["dir/"+dataName] }

// TestEveryFlippedBitIsFound flips each bit of a store. Nothing that was acknowledged is lost
// silently, except the last batch of a store that was not closed: nothing tells it from one that a
// loss of power interrupted.
func TestEveryFlippedBitIsFound(t *testing.T) {
	for name, cfg := range map[string]Config{"plain": {}, "sealed": {Key: testKey(1)}} {
		for _, closed := range []bool{true, false} {
			d := build(t, cfg, closed)
			cfg.Logger = quiet
			whole := slices.Clone(d.data().data)
			c, err := scan("data", &handle{d, d.data(), ""}, cfg.keys(), false)
			if err != nil || c.damage != nil {
				t.Fatal(err, c.damage)
			}
			want := map[string]string{"a": "third", "seq/1": "last"}
			for bit := range len(whole) * 8 {
				next := newDisk()
				b := slices.Clone(whole)
				b[bit/8] ^= 1 << (bit % 8)
				next.names["dir/"+dataName] = &inode{data: b, durable: b}
				st, err := openDir(next, "dir", cfg)
				var damage *DamageError
				switch {
				case err != nil && !errors.As(err, &damage) && !errors.Is(err, ErrVersion):
					t.Fatalf("%s, bit %d: %v", name, bit, err)
				case err == nil:
					got := contents(t, st)
					if !maps.Equal(got, want) && (closed || !maps.Equal(got, map[string]string{"a": "third"})) {
						t.Fatalf("%s, closed %v, bit %d: the store opens with %q", name, closed, bit, got)
					}
				case damage != nil && (damage.Offset > int64(bit/8) || damage.Path == ""):
					t.Fatalf("%s, bit %d: %v", name, bit, damage)
				}
			}
		}
	}
}

// TestEveryShortenedFile cuts a store at every byte: within the log, that is a state before.
func TestEveryShortenedFile(t *testing.T) {
	d := build(t, Config{}, false)
	whole := d.data().data
	states := []map[string]string{{"a": "first", "b": "kept"}, {"a": "second", "b": "kept"}, {"a": "third"}, {"a": "third", "seq/1": "last"}}
	at, opened := 0, 0
	for n := range len(whole) + 1 {
		next := newDisk()
		next.names["dir/"+dataName] = &inode{data: slices.Clone(whole[:n])}
		st, err := openDir(next, "dir", Config{Logger: quiet})
		var damage *DamageError
		if err != nil {
			if !errors.As(err, &damage) || damage.Repairable || opened > 0 {
				t.Fatalf("%d bytes: %v", n, err)
			}
			continue
		}
		opened++
		got := contents(t, st)
		for !maps.Equal(got, states[at]) {
			if at++; at == len(states) {
				t.Fatalf("%d bytes: %q", n, got)
			}
		}
	}
	if at != len(states)-1 {
		t.Errorf("the last state is %d", at)
	}
}

func TestRepairAndReset(t *testing.T) {
	dir := t.TempDir()
	d := build(t, Config{}, true)
	b := slices.Clone(d.data().data)
	b[strings.Index(string(b), "third")]++
	data := filepath.Join(dir, dataName)
	if err := os.WriteFile(data, b, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := OpenDir(dir, Config{Logger: quiet})
	var damage *DamageError
	if !errors.As(err, &damage) || !damage.Repairable || !strings.Contains(err.Error(), "Repair") {
		t.Fatal(err)
	}
	report, err := Check(dir, Config{})
	if err != nil || report.Damage == nil || report.Records != 2 || report.Batches != 1 {
		t.Fatal(report, err)
	}
	if _, err := Repair(dir, Config{}, "b"); err != nil {
		t.Fatal(err)
	}
	if kept, err := os.ReadFile(filepath.Join(dir, damagedName)); err != nil || !slices.Equal(kept, b) {
		t.Error("the damaged file is not kept:", err)
	}
	st, err := OpenDir(dir, Config{Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	if got := contents(t, st); !maps.Equal(got, map[string]string{"a": "second"}) {
		t.Errorf("repaired: %q", got)
	}
	if _, err := Reset(dir); !errors.Is(err, ErrInUse) {
		t.Errorf("Reset of an open store: %v", err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	if report, err := Check(dir, Config{}); err != nil || report.Damage != nil {
		t.Error(report, err)
	}

	// Damage in the snapshot: a part of it is no state.
	if err := os.Truncate(data, headerSize+10); err != nil {
		t.Fatal(err)
	}
	if _, err := Repair(dir, Config{}); !errors.As(err, &damage) || damage.Repairable {
		t.Errorf("Repair of a snapshot: %v", err)
	}
	kept, err := Reset(dir)
	if err != nil || kept != filepath.Join(dir, damagedName) {
		t.Fatal(kept, err)
	}
	if st, err = OpenDir(dir, Config{}); err != nil {
		t.Fatal(err)
	}
	if got := contents(t, st); len(got) != 0 {
		t.Errorf("after Reset: %q", got)
	}
	_ = st.Close()
}

// TestKeys opens stores with the wrong key, without one, and with a new one.
func TestKeys(t *testing.T) {
	dir := t.TempDir()
	open := func(cfg Config) (map[string]string, error) {
		cfg.Logger = quiet
		st, err := OpenDir(dir, cfg)
		if err != nil {
			return nil, err
		}
		if err := st.Apply(Put("k", []byte("hunter2"))); err != nil {
			t.Fatal(err)
		}
		got := contents(t, st)
		return got, st.Close()
	}
	one, two := testKey(1), testKey(2)
	for i, step := range []struct {
		cfg  Config
		want error
	}{
		{Config{}, nil},
		{Config{Key: one}, ErrPlain},
		{Config{Key: one, SealPlain: true}, nil},
		{Config{}, ErrKey},
		{Config{Key: two}, ErrKey},
		{Config{Key: two, OldKeys: []Key{one}}, nil},
		{Config{Key: one}, ErrKey},
		{Config{Key: two}, nil},
	} {
		if _, err := open(step.cfg); !errors.Is(err, step.want) {
			t.Errorf("step %d: %v, want %v", i, err, step.want)
		}
		b, err := os.ReadFile(filepath.Join(dir, dataName))
		if err != nil {
			t.Fatal(err)
		}
		if sealed := !strings.Contains(string(b), "hunter2"); sealed != (i >= 2) {
			t.Errorf("step %d: sealed is %v", i, sealed)
		}
	}
	if report, err := Check(dir, Config{}); err != nil || report.Opened || report.Damage != nil {
		t.Error(report, err)
	}
	if _, err := NewKey([]byte("short")); err == nil {
		t.Error("a short key is accepted")
	}
}

// TestSealedRecordsStayInTheirPlace replaces a sealed record by another one of the same file and of
// another file, with correct checksums.
func TestSealedRecordsStayInTheirPlace(t *testing.T) {
	cfg := Config{Key: testKey(1), Logger: quiet}
	d, other := build(t, cfg, false), build(t, cfg, false)
	c, err := scan("data", &handle{d, d.data(), ""}, cfg.keys(), false)
	if err != nil {
		t.Fatal(err)
	}
	o, err := scan("data", &handle{other, other.data(), ""}, cfg.keys(), false)
	if err != nil {
		t.Fatal(err)
	}
	for name, from := range map[string]struct {
		data []byte
		at   int64
	}{
		"its own snapshot":     {d.data().data, headerSize},
		"another file's batch": {other.data().data, o.snapEnd},
	} {
		h, _ := (framer{id: fileID(from.data[12:28])}).parseHead(from.data[from.at:][:recordHeader])
		sealed := from.data[from.at+recordHeader:][:h.size]
		// A plain framer of this file makes the checksums that belong to the moved payload.
		b := framer{id: c.header.id}.append(slices.Clone(d.data().data[:c.snapEnd]), kindBatch, 3, sealed)
		next := newDisk()
		next.names["dir/"+dataName] = &inode{data: b}
		_, err := openDir(next, "dir", cfg)
		var damage *DamageError
		if !errors.As(err, &damage) || damage.Offset != c.snapEnd {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOnlyOneOpens(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	st, err := OpenDir(dir, Config{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := OpenDir(dir, Config{}); !errors.Is(err, ErrInUse) {
		t.Error(err)
	}
	if _, err := Check(dir, Config{}); !errors.Is(err, ErrInUse) {
		t.Error(err)
	}
	if err := errors.Join(st.Close(), st.Close()); err != nil {
		t.Error(err)
	}
	if err := st.Apply(Put("a", nil)); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if info, err := os.Stat(dir); err != nil || os.PathSeparator == '/' && info.Mode().Perm() != 0o700 {
		t.Error(info.Mode(), err)
	}
	if info, err := os.Stat(filepath.Join(dir, dataName)); err != nil || os.PathSeparator == '/' && info.Mode().Perm() != 0o600 {
		t.Error(info.Mode(), err)
	}
}

// TestPowerLossInRepair loses the power at every step of Repair. The store is damaged as before or
// repaired, and the damaged file is there in either case.
func TestPowerLossInRepair(t *testing.T) {
	damaged := func() *disk {
		d := build(t, Config{}, true)
		d.data().data = slices.Clone(d.data().data)
		d.data().data[bytes.Index(d.data().data, []byte("third"))]++
		d.data().durable = d.data().data
		return d
	}
	whole := damaged()
	start := whole.used
	if _, err := repair(whole, "dir", Config{}, nil); err != nil {
		t.Fatal(err)
	}
	for at := range whole.used - start {
		for _, im := range images(uint64(at)) {
			d := damaged()
			bad := d.data().data
			d.steps = at
			if _, err := repair(d, "dir", Config{}, nil); !errors.Is(err, errPower) {
				t.Fatalf("step %d: %v", at, err)
			}
			next := d.after(im)
			st, err := openDir(next, "dir", Config{Logger: quiet})
			var damage *DamageError
			if errors.As(err, &damage) {
				if damage.Repairable && slices.Equal(next.data().data, bad) {
					continue
				}
			}
			if err != nil {
				t.Fatalf("step %d, %s: %v", at, im.name, err)
			}
			if got := contents(t, st); !maps.Equal(got, map[string]string{"a": "second", "b": "kept"}) {
				t.Fatalf("step %d, %s: %q", at, im.name, got)
			}
			if kept := next.names["dir/"+damagedName]; kept == nil || !slices.Equal(kept.data, bad) {
				t.Fatalf("step %d, %s: the damaged file is lost", at, im.name)
			}
		}
	}
}
