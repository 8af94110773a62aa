package store

import (
	"crypto/sha256"
	"encoding/hex"
	"sync"
)

// Sessions keeps the security sessions of connections in a Store. It is a SessionStore of package
// net/socket. Put and Take return when their change is durable, so a session is used once at most.
// Its methods may be called from several goroutines.
//
// Never restore the Store from a copy: sessions that were used would be used again.
type Sessions struct {
	// Store holds the sessions. It must be set.
	Store Store
	// Prefix begins the names of the records. No other records may have it. The zero value means
	// "session/".
	Prefix string

	mu sync.Mutex
}

// name returns the name of a session's record: a digest of fixed length, as a key can be long.
func (s *Sessions) name(key string) string {
	prefix := s.Prefix
	if prefix == "" {
		prefix = "session/"
	}
	h := sha256.Sum256([]byte(key))
	return prefix + hex.EncodeToString(h[:16])
}

// Put stores a session, in place of an earlier one with the same key.
func (s *Sessions) Put(key string, blob []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Store.Apply(Put(s.name(key), blob))
}

// Take returns a session and removes it. It returns nil if there is none.
func (s *Sessions) Take(key string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := s.name(key)
	blob, err := Get(s.Store, name)
	if err != nil || blob == nil {
		return nil, err
	}
	if err := s.Store.Apply(Delete(name)); err != nil {
		return nil, err
	}
	return blob, nil
}
