package store

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestAgainstMap compares a store with a map over thousands of random batches and openings.
func TestAgainstMap(t *testing.T) {
	for _, cfg := range []Config{{}, {Key: testKey(1)}} {
		cfg.Logger, cfg.compactAfter = quiet, 2000
		seed := rand.Uint64()
		r := rand.New(rand.NewPCG(seed, 0))
		d, want := newDisk(), map[string]string{}
		st, err := openDir(d, "dir", cfg)
		if err != nil {
			t.Fatal(err)
		}
		for n := range 3000 {
			var batch []Change
			for range r.IntN(5) {
				if name := fmt.Sprint(r.IntN(40)); r.IntN(3) == 0 {
					batch = append(batch, Delete(name))
				} else {
					batch = append(batch, Put(name, []byte(strings.Repeat("v", r.IntN(100))+fmt.Sprint(n))))
				}
			}
			if err := st.Apply(batch...); err != nil {
				t.Fatal(err)
			}
			want = applied(want, batch)
			if r.IntN(100) == 0 {
				if r.IntN(2) == 0 {
					if err := st.Close(); err != nil {
						t.Fatal(err)
					}
				}
				d.locked = false
				if st, err = openDir(d, "dir", cfg); err != nil {
					t.Fatal(err)
				}
			}
			if n%50 == 0 && !maps.Equal(contents(t, st), want) {
				t.Fatalf("seed %d, batch %d: the store and the map differ", seed, n)
			}
			if size := len(d.data().data); size > 40*150*2+2*2000+1000 {
				t.Fatalf("the file has %d bytes", size)
			}
		}
	}
}

func TestLimits(t *testing.T) {
	st, err := openDir(newDisk(), "dir", Config{Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]Change{
		"an empty name": Put("", nil),
		"a long name":   Put(strings.Repeat("n", MaxName+1), nil),
		"a large value": Put("a", make([]byte, MaxBatch)),
	} {
		if err := st.Apply(Put("ok", nil), c); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	if got := contents(t, st); len(got) != 0 {
		t.Errorf("a part of a refused batch is there: %q", got)
	}
	big := make([]byte, MaxBatch-MaxName-maxChangeHeader)
	if err := st.Apply(Put(strings.Repeat("n", MaxName), big)); err != nil {
		t.Error(err)
	}
}

func TestLoadInOrder(t *testing.T) {
	st, err := openDir(newDisk(), "dir", Config{Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Apply(Put("b/2", nil), Put("a", nil), Put("b/1", nil), Put("c", nil)); err != nil {
		t.Fatal(err)
	}
	var names []string
	err = st.Load("b/", func(name string, _ []byte) error {
		names = append(names, name)
		return nil
	})
	if err != nil || !slices.Equal(names, []string{"b/1", "b/2"}) {
		t.Error(names, err)
	}
}

// TestNothingShowsValues prints a store, a change, a key and a configuration in every way.
func TestNothingShowsValues(t *testing.T) {
	key, err := NewKey([]byte("hunter2-hunter2-hunter2-hunter2-"))
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{Key: key, Logger: quiet}
	st, err := openDir(newDisk(), "dir", cfg)
	if err != nil {
		t.Fatal(err)
	}
	c := Put("psk", []byte("hunter2"))
	if err := st.Apply(c); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	for _, v := range []any{st, c, []Change{c}, &c, key, cfg, struct{ k Key }{key}, struct{ s *Dir }{st}} {
		fmt.Fprintf(&b, "%v %+v %#v %x %d %s\n", v, v, v, v, v, v)
		slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "v", v)
	}
	j, _ := json.Marshal(c)
	b.Write(j)
	for _, form := range []string{"hunter2", "68756e746572", "104 117 110", "aHVudGVy", "0x68, 0x75"} {
		if strings.Contains(b.String(), form) {
			t.Errorf("%q is shown in:\n%s", form, b.String())
		}
	}
}

func TestSessions(t *testing.T) {
	st, err := openDir(newDisk(), "dir", Config{Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	s := &Sessions{Store: st}
	if b, err := s.Take("a"); b != nil || err != nil {
		t.Error(b, err)
	}
	if err := s.Put("a", []byte("blob")); err != nil {
		t.Fatal(err)
	}
	if b, err := s.Take("a"); string(b) != "blob" || err != nil {
		t.Error(b, err)
	}
	if b, err := s.Take("a"); b != nil || err != nil {
		t.Error("a session is taken twice:", b, err)
	}
}

// FuzzOpen opens any bytes as a file. What opens is applied to, and opens again.
func FuzzOpen(f *testing.F) {
	for _, cfg := range []Config{{}, {Key: testKey(1)}} {
		for _, closed := range []bool{true, false} {
			f.Add(build(f, cfg, closed).data().data, !cfg.Key.IsZero())
		}
	}
	f.Fuzz(func(t *testing.T, b []byte, sealed bool) {
		cfg := Config{Logger: quiet}
		if sealed {
			cfg.Key = testKey(1)
		}
		d := newDisk()
		d.names["dir/"+dataName] = &inode{data: b, durable: b}
		if _, err := check(d, "dir", cfg); err != nil {
			return
		}
		st, err := openDir(d, "dir", cfg)
		if err != nil {
			return
		}
		if err := st.Apply(Put("x", []byte("y"))); err != nil {
			t.Fatal(err)
		}
		want := contents(t, st)
		d.locked = false
		if st, err = openDir(d, "dir", cfg); err != nil || !maps.Equal(contents(t, st), want) {
			t.Fatal(err)
		}
	})
}

// FuzzChanges parses any bytes as the changes of a batch. What can be parsed is written alike.
func FuzzChanges(f *testing.F) {
	f.Add(appendChange(appendChange(nil, Put("name", []byte("value"))), Delete("other")))
	f.Fuzz(func(t *testing.T, b []byte) {
		var out []byte
		var first, again []string
		if parseChanges(b, func(c Change) { out, first = appendChange(out, c), append(first, c.Name+string(c.Value)) }) != nil {
			return
		}
		if err := parseChanges(out, func(c Change) { again = append(again, c.Name+string(c.Value)) }); err != nil || !slices.Equal(first, again) {
			t.Fatal(err, first, again)
		}
	})
}

// BenchmarkApply is a batch of one record of 100 bytes; floor is a write and an fsync alone.
func BenchmarkApply(b *testing.B) {
	value := make([]byte, 100)
	b.Run("floor", func(b *testing.B) {
		f, err := os.Create(filepath.Join(b.TempDir(), "f"))
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if _, err := f.WriteAt(value, int64(i*100)); err != nil {
				b.Fatal(err)
			}
			if err := f.Sync(); err != nil {
				b.Fatal(err)
			}
		}
	})
	for name, cfg := range map[string]Config{"plain": {}, "sealed": {Key: testKey(1)}} {
		b.Run(name, func(b *testing.B) {
			st, err := OpenDir(b.TempDir(), cfg)
			if err != nil {
				b.Fatal(err)
			}
			defer st.Close()
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				value[0], value[1] = byte(i), byte(i>>8)
				if err := st.Apply(Put("dm/3308/0", value)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkOpen opens and compacts a store of 10,000 records of 100 bytes.
func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	fill := func() *Dir {
		st, err := OpenDir(dir, Config{})
		if err != nil {
			b.Fatal(err)
		}
		return st
	}
	st := fill()
	var batch []Change
	for i := range 10000 {
		batch = append(batch, Put(fmt.Sprint("dm/3303/", i), make([]byte, 100)))
	}
	if err := st.Apply(batch...); err != nil {
		b.Fatal(err)
	}
	b.Run("compact", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := st.compact(); err != nil {
				b.Fatal(err)
			}
		}
	})
	if err := st.Close(); err != nil {
		b.Fatal(err)
	}
	b.Run("open", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := fill().Close(); err != nil {
				b.Fatal(err)
			}
		}
	})
}
