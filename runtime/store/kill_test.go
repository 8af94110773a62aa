package store

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"testing"
)

// TestMain runs a writer instead of the tests if the environment says so.
func TestMain(m *testing.M) {
	if dir := os.Getenv("STORE_WRITER"); dir != "" {
		if err := writeForever(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// writeForever applies batches, and prints the number of each before and after Apply.
func writeForever(dir string) error {
	cfg := Config{Logger: quiet, compactAfter: 2000}
	st, err := OpenDir(dir, cfg)
	if err != nil {
		return err
	}
	last, err := lastOf(st)
	if err != nil {
		return err
	}
	for n := last + 1; ; n++ {
		fmt.Println("begin", n)
		if err := st.Apply(numbered(n)...); err != nil {
			return err
		}
		fmt.Println("done", n)
	}
}

// numbered is a batch of which half is noticed.
func numbered(n uint64) []Change {
	v := binary.BigEndian.AppendUint64(nil, n)
	return []Change{Put("first", v), Put(fmt.Sprint("ring/", n%50), make([]byte, 100)), Put("last", v)}
}

func lastOf(st Store) (uint64, error) {
	var first, last uint64
	err := st.Load("", func(name string, v []byte) error {
		switch name {
		case "first":
			first = binary.BigEndian.Uint64(v)
		case "last":
			last = binary.BigEndian.Uint64(v)
		}
		return nil
	})
	if err == nil && first != last {
		err = fmt.Errorf("half a batch: %d and %d", first, last)
	}
	return last, err
}

// TestKill kills a process that writes, at random moments: 50 times, or STORE_KILLS times. Whatever
// was acknowledged is there, and no batch is there in part.
func TestKill(t *testing.T) {
	kills := 50
	if n, err := strconv.Atoi(os.Getenv("STORE_KILLS")); err == nil {
		kills = n
	} else if testing.Short() {
		kills = 10
	}
	dir, seed := t.TempDir(), rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	var total uint64
	for k := range kills {
		begun, done := killWriter(t, dir, r)
		st, err := OpenDir(dir, Config{Logger: quiet, compactAfter: 2000})
		if err != nil {
			t.Fatalf("seed %d, kill %d: %v", seed, k, err)
		}
		last, err := lastOf(st)
		if err != nil || last < max(done, total) || last > max(begun, total) {
			t.Fatalf("seed %d, kill %d: the last batch is %d (%v), acknowledged are %d, begun %d", seed, k, last, err, done, begun)
		}
		total = last
		if k%2 == 0 {
			err = st.Close()
		} else {
			err = st.lock.Close() // as a kill leaves it
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d kills, %d batches", kills, total)
}

// killWriter runs a writer, kills it after a random number of lines, and returns the last numbers
// that it printed.
func killWriter(t *testing.T, dir string, r *rand.Rand) (begun, done uint64) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^$")
	cmd.Env, cmd.Stderr = append(os.Environ(), "STORE_WRITER="+dir), os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines, spin := r.IntN(60), r.IntN(200000)
	in := bufio.NewScanner(out)
	for n := 0; in.Scan(); n++ {
		var word string
		var number uint64
		if _, err := fmt.Sscan(in.Text(), &word, &number); err != nil {
			t.Fatal(err)
		}
		if begun = number; word == "done" {
			done = number
		}
		if n == lines {
			for range spin { // so that the moment within a batch differs
				_ = r.Uint64()
			}
			_ = cmd.Process.Kill()
		}
	}
	_ = cmd.Wait()
	return begun, done
}
