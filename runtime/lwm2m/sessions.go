package lwm2m

import (
	"sync"

	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/store"
)

// sessionStore keeps the security sessions of a client in Config.Store. A connection that ends
// stores its session on the loop, which must not wait for a disk, so Put stores in the background.
// It is a socket.SessionStore. Its methods may be called from several goroutines.
type sessionStore struct {
	store store.Sessions
	// begin has a function called on another goroutine, soon.
	begin func(func())
	// failed is called with why a session is not stored.
	failed func(error)

	mu      sync.Mutex
	waiting map[string]socket.Secret // sessions that are not stored yet, by key
	writing bool                     // write runs, or was given to begin
	current string                   // the key of the session that write stores now
	stored  sync.Cond                // current has changed
}

func newSessionStore(s store.Store, begin func(func()), failed func(error)) *sessionStore {
	x := &sessionStore{store: store.Sessions{Store: s, Prefix: sessionPrefix}, begin: begin, failed: failed, waiting: map[string]socket.Secret{}}
	x.stored.L = &x.mu
	return x
}

// Put stores a session in the background. If the program is killed before, the session is lost.
func (s *sessionStore) Put(key string, blob []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting[key] = socket.NewSecret(blob)
	if !s.writing {
		s.writing = true
		s.begin(s.write)
	}
	return nil
}

// Take returns a session and removes it, also one that is not stored yet.
func (s *sessionStore) Take(key string) ([]byte, error) {
	s.mu.Lock()
	for s.current == key && key != "" {
		s.stored.Wait()
	}
	newest, waits := s.waiting[key]
	delete(s.waiting, key)
	s.mu.Unlock()
	stored, err := s.store.Take(key) // an earlier one must not be used either
	if err != nil || !waits {
		return stored, err
	}
	return newest.Bytes(), nil
}

// busy reports whether a session is not stored yet.
func (s *sessionStore) busy() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.writing
}

// write stores the sessions that wait. One that cannot be stored waits for the next Put, or for the
// next connection of this process.
func (s *sessionStore) write() {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer func() { s.current, s.writing = "", false }() // also where the store panics
	failed := map[string]socket.Secret{}
	for len(s.waiting) > 0 {
		for key, blob := range s.waiting {
			delete(s.waiting, key)
			if err := s.put(key, blob.Bytes()); err != nil {
				failed[key] = blob
				s.failed(err)
				continue
			}
			blob.Wipe()
		}
	}
	for key, blob := range failed {
		if _, newer := s.waiting[key]; !newer {
			s.waiting[key] = blob
		}
	}
}

// put stores a session without the lock, which must be held.
func (s *sessionStore) put(key string, blob []byte) error {
	s.current = key
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.current = ""
		s.stored.Broadcast()
	}()
	return s.store.Put(key, blob)
}
