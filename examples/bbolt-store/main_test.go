package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/lwm2mgen/toolkit/runtime/store"
)

// TestBatches checks what store.Store promises: all changes or none, in order, and after another
// opening.
func TestBatches(t *testing.T) {
	path := filepath.Join(t.TempDir(), "device.db")
	s, err := openBolt(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Apply(store.Put("a/2", []byte("two")), store.Put("a/1", []byte("one")), store.Put("b", nil)); err != nil {
		t.Fatal(err)
	}
	if err := s.Apply(store.Put("a/1", []byte("refused")), store.Put("", nil)); err == nil {
		t.Error("an empty name is accepted")
	}
	if err := s.Apply(store.Delete("b")); err != nil {
		t.Fatal(err)
	}
	if _, err := openBolt(path); !errors.Is(err, store.ErrInUse) {
		t.Errorf("opened twice: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = openBolt(path); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	got := ""
	err = s.Load("", func(name string, value []byte) error {
		got += fmt.Sprintf("%s=%s ", name, value)
		return nil
	})
	if err != nil || got != "a/1=one a/2=two " {
		t.Error(got, err)
	}
}

// TestSessionsInBolt keeps security sessions in bbolt.
func TestSessionsInBolt(t *testing.T) {
	s, err := openBolt(filepath.Join(t.TempDir(), "device.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	sessions := &store.Sessions{Store: s}
	if err := sessions.Put("server", []byte("blob")); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"blob", ""} {
		if b, err := sessions.Take("server"); string(b) != want || err != nil {
			t.Error(b, err)
		}
	}
}

func TestStartsAreCounted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "device.db")
	for range 2 {
		if err := run(path); err != nil {
			t.Fatal(err)
		}
	}
}
