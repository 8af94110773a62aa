package socket

import "sync"

// A SessionStore keeps what a secured socket needs to go on with a session after a reconnect or a restart. What it holds is as secret as a
// private key. Its methods may be called from any goroutine and may take their time: they are called where
// sockets connect, suspend and close.
type SessionStore interface {
	// Put stores blob under key in place of an earlier one. A durable store returns when the blob would survive a loss of power.
	// The store does not keep blob itself.
	Put(key string, blob []byte) error
	// Take removes what is stored under key and returns it, or nil if there is nothing. The removal must be as
	// durable as the store is before Take returns: a session that is used twice gives its secrets away. If the
	// removal fails, Take returns an error and no blob.
	Take(key string) ([]byte, error)
}

// MemorySessions is a SessionStore that lasts as long as the process. The zero value is empty and ready. It holds at most 1024 sessions and then
// drops an arbitrary one.
type MemorySessions struct {
	mu sync.Mutex
	m  map[string]Secret
}

const maxMemorySessions = 1024

// Put stores a copy of blob. The error is always nil.
func (m *MemorySessions) Put(key string, blob []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.m == nil {
		m.m = make(map[string]Secret)
	}
	if _, ok := m.m[key]; !ok && len(m.m) >= maxMemorySessions {
		for k := range m.m {
			delete(m.m, k)
			break
		}
	}
	m.m[key] = NewSecret(blob)
	return nil
}

// Take returns what was Put and forgets it. The error is always nil.
func (m *MemorySessions) Take(key string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b := m.m[key].Bytes()
	delete(m.m, key)
	return b, nil
}
