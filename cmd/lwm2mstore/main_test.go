package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lwm2mgen/toolkit/runtime/store"
)

// TestVerbs damages a sealed store, and checks, repairs and resets it.
func TestVerbs(t *testing.T) {
	dir, keyFile := t.TempDir(), filepath.Join(t.TempDir(), "key")
	raw := bytes.Repeat([]byte{7}, store.KeySize)
	if err := os.WriteFile(keyFile, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	key, err := store.NewKey(raw)
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.OpenDir(dir, store.Config{Key: key})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []string{"one", "two"} {
		if err := s.Apply(store.Put("a", []byte(v))); err != nil {
			t.Fatal(err)
		}
	}
	if err := run([]string{"check", dir}, io.Discard, io.Discard); !errors.Is(err, store.ErrInUse) {
		t.Errorf("check of an open store: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	call := func(want string, args ...string) error {
		t.Helper()
		var out bytes.Buffer
		err := run(args, &out, io.Discard)
		if !strings.Contains(out.String(), want) {
			t.Errorf("%v prints %q (%v), want %q", args, out.String(), err, want)
		}
		return err
	}
	if err := call("no damage", "check", dir); err != nil {
		t.Error(err)
	}
	data := filepath.Join(dir, "data")
	b, err := os.ReadFile(data)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)-60]++ // in the second batch, which the mark of Close follows
	if err := os.WriteFile(data, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := call("is damaged at byte", "check", dir); !errors.Is(err, errDamaged) {
		t.Error(err)
	}
	if err := run([]string{"repair", dir}, io.Discard, io.Discard); !errors.Is(err, store.ErrKey) {
		t.Errorf("repair without the key: %v", err)
	}
	if err := call("repaired", "-key", keyFile, "repair", dir); err != nil {
		t.Error(err)
	}
	if err := call("records: 1", "-key", keyFile, "check", dir); err != nil {
		t.Error(err)
	}
	if err := call("data.damaged", "reset", dir); err != nil {
		t.Error(err)
	}
	for _, args := range [][]string{{}, {"check"}, {"other", dir}, {"check", dir, "more"}} {
		if err := run(args, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), "usage") {
			t.Errorf("%v: %v", args, err)
		}
	}
}
