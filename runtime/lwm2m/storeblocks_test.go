package lwm2m_test

import (
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/store"
)

// blockedStore is a store of which Apply waits while it is blocked.
type blockedStore struct {
	*memStore
	gate chan struct{} // closed when Apply may go on; nil if it does not wait
}

func (s *blockedStore) Apply(changes ...store.Change) error {
	s.mu.Lock()
	gate := s.gate
	s.mu.Unlock()
	if gate != nil {
		<-gate
	}
	return s.memStore.Apply(changes...)
}

func (s *blockedStore) block() (open func()) {
	gate := make(chan struct{})
	s.mu.Lock()
	s.gate = gate
	s.mu.Unlock()
	return func() {
		s.mu.Lock()
		s.gate = nil
		s.mu.Unlock()
		close(gate)
	}
}

// A disk that hangs keeps Detach from ending for twice the ShutdownTimeout. A slow one delays it,
// and the next client goes on with the registration.
func TestDetachWhileTheStoreBlocks(t *testing.T) {
	for _, secured := range []bool{false, true} {
		inLives(t, secured, func(l *lives) {
			s := &blockedStore{memStore: l.store}
			l.registered(l.over(s))
			open := s.block()
			l.client.Detach()
			time.Sleep(time.Second)
			open()
			l.wait()
			if got := l.registered(l.over(s)); !isUpdate(got) {
				t.Errorf("after a slow store the device sends %q, want an Update", got)
			}
			open = s.block()
			defer open()
			began := time.Now()
			l.detach()
			if took := time.Since(began); took != 10*time.Second {
				t.Errorf("Detach took %v", took)
			}
		})
	}
}

// over returns a configuration with another store.
func (l *lives) over(s store.Store) lwm2m.Config {
	cfg := l.config()
	cfg.Store = s
	return cfg
}

// The loop does not wait for the disk when a connection with a session ends, and the next
// connection goes on with the session, stored or not.
func TestSuspendWhileTheStoreBlocks(t *testing.T) {
	for _, fails := range []bool{false, true} {
		inLives(t, true, func(l *lives) {
			s := &blockedStore{memStore: l.store}
			l.registered(l.over(s))
			w := l.watch()
			if fails {
				s.fail(errFull)
			}
			open := s.block()
			l.client.Suspend()
			time.Sleep(time.Second)
			next := make(chan bool, 1)
			l.client.Sched().Post(func() { _, ok := l.client.NextWake(); next <- ok })
			select {
			case ok := <-next:
				if ok {
					t.Error("the machine may sleep before the session is stored")
				}
			case <-time.After(time.Minute):
				t.Error("the loop waits for the store")
			}
			open()
			time.Sleep(time.Second)
			s.fail(nil)
			w.reset()
			l.client.Resume()
			time.Sleep(time.Second)
			if st, _ := l.client.Status().Server(1); st.Secured != "connection ID resumed" {
				t.Errorf("the connection began with %q", st.Secured)
			}
			if handshakes, _ := w.reset(); handshakes > 0 {
				t.Errorf("%d records of a handshake", handshakes)
			}
		})
	}
}
