package lwm2m

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/lwm2mgen/toolkit/runtime/store"
)

// diskStore is a store whose Apply waits for gate, and fails while err is set.
type diskStore struct {
	mu      sync.Mutex
	records map[string][]byte
	gate    chan struct{}
	err     error
}

func (s *diskStore) Apply(changes ...store.Change) error {
	<-s.gate
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	for _, c := range changes {
		if delete(s.records, c.Name); !c.Delete {
			s.records[c.Name] = slices.Clone(c.Value)
		}
	}
	return nil
}

func (s *diskStore) Load(prefix string, fn func(string, []byte) error) error {
	s.mu.Lock()
	records := maps.Clone(s.records)
	s.mu.Unlock()
	for name, value := range records {
		if err := fn(name, value); strings.HasPrefix(name, prefix) && err != nil {
			return err
		}
	}
	return nil
}

func (s *diskStore) Close() error { return nil }

// open lets Apply go on.
func (s *diskStore) open() { close(s.gate) }

// inSessions runs fn in a bubble with sessions on a disk that waits, and how often one was not
// stored.
func inSessions(t *testing.T, fn func(s *sessionStore, disk *diskStore, failed *int)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		disk, failed := &diskStore{records: map[string][]byte{}, gate: make(chan struct{})}, 0
		fn(newSessionStore(disk, func(fn func()) { go fn() }, func(error) { failed++ }), disk, &failed)
	})
}

func put(t *testing.T, s *sessionStore, key, blob string) {
	t.Helper()
	b := []byte(blob)
	if err := s.Put(key, b); err != nil {
		t.Fatal(err)
	}
	clear(b) // the caller overwrites it
}

func take(t *testing.T, s *sessionStore, key, want string) {
	t.Helper()
	if got, err := s.Take(key); err != nil || string(got) != want {
		t.Errorf("Take(%q) is %q (%v), want %q", key, got, err, want)
	}
}

// A session is taken once, the newest one, whether it is stored already or not.
func TestSessionsAreTakenOnce(t *testing.T) {
	inSessions(t, func(s *sessionStore, disk *diskStore, _ *int) {
		put(t, s, "a", "1")
		synctest.Wait() // it is being stored
		put(t, s, "a", "2")
		put(t, s, "b", "3")
		if !s.busy() {
			t.Error("not busy while the disk waits")
		}
		taken := make(chan struct{})
		go func() { defer close(taken); take(t, s, "a", "2"); take(t, s, "a", "") }()
		synctest.Wait()
		disk.open()
		<-taken
		synctest.Wait()
		if s.busy() || len(disk.records) != 1 {
			t.Errorf("busy %v, %d records", s.busy(), len(disk.records))
		}
		take(t, s, "b", "3")
		take(t, s, "b", "")
		if len(disk.records) > 0 {
			t.Errorf("%d records are left", len(disk.records))
		}
	})
}

// What cannot be stored is good for this process, and is stored with the next session.
func TestSessionsThatAreNotStored(t *testing.T) {
	inSessions(t, func(s *sessionStore, disk *diskStore, failed *int) {
		disk.open()
		disk.err = errors.New("the disk is full")
		put(t, s, "a", "1")
		put(t, s, "b", "2")
		synctest.Wait()
		if *failed != 2 || s.busy() {
			t.Errorf("%d failures, busy %v", *failed, s.busy())
		}
		disk.err = nil
		take(t, s, "a", "1")
		put(t, s, "c", "3")
		synctest.Wait()
		if len(disk.records) != 2 {
			t.Errorf("%d records, want those of b and c", len(disk.records))
		}
		disk.err = errors.New("the disk is full")
		put(t, s, "b", "4")
		synctest.Wait()
		if got, err := s.Take("b"); err == nil || got != nil {
			t.Errorf("Take is %q (%v), although the earlier session cannot be removed", got, err)
		}
	})
}
