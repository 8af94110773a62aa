package socket

import "sync"

// A SessionStore stores what a secured socket needs to resume a session after a reconnect or a
// restart. Its content is as secret as a private key. The methods may be called from any goroutine
// and may block: sockets call them when they connect, suspend and close.
type SessionStore interface {
	// Put stores a copy of blob, which the caller overwrites later, under key and replaces an
	// earlier one. A durable store returns when the blob would survive a loss of power.
	Put(key string, blob []byte) error
	// Take removes what is stored under key and returns it, or nil if there is nothing. The blob
	// belongs to the caller, who overwrites it after use. The removal
	// must be as durable as the store is before Take returns: a session that is used twice reveals
	// its secrets. If the removal fails, Take returns an error and no blob.
	Take(key string) ([]byte, error)
}

// MemorySessions is a SessionStore in memory, which ends with the process. The zero value is empty
// and ready to use. It holds at most 1024 sessions; beyond that it drops an arbitrary one.
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
	old, ok := m.m[key]
	old.Wipe()
	if !ok && len(m.m) >= maxMemorySessions {
		for k, dropped := range m.m {
			dropped.Wipe()
			delete(m.m, k)
			break
		}
	}
	m.m[key] = NewSecret(blob)
	return nil
}

// Take removes the blob under key and returns it. The error is always nil.
func (m *MemorySessions) Take(key string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b := m.m[key].Bytes()
	delete(m.m, key)
	return b, nil
}
