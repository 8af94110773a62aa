package store

import (
	"errors"
	"testing"
)

func TestGet(t *testing.T) {
	s, err := OpenDir(t.TempDir(), Config{Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Apply(Put("a", []byte("1")), Put("ab", []byte("2")), Put("empty", nil)); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"a": "1", "ab": "2", "empty": "", "abc": "none", "b": "none"} {
		got, err := Get(s, name)
		if there := want != "none"; err != nil || there != (got != nil) || there && string(got) != want {
			t.Errorf("Get %s: %q (nil: %v), %v; want %s", name, got, got == nil, err, want)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got, err := Get(s, "a"); !errors.Is(err, ErrClosed) || got != nil {
		t.Errorf("Get of a closed store: %q, %v", got, err)
	}
}
