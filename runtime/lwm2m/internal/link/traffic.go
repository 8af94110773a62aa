package link

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/lwm2mgen/toolkit/net/socket"
)

// Traffic counts the bytes of all sockets of one client. The zero value is ready to use. Its
// methods may be called from any goroutine.
type Traffic struct {
	mu             sync.Mutex
	sent, received uint64 // of sockets that their links have discarded
	open           map[*Link]socket.Counters

	watchers atomic.Pointer[[]*func(sent, received int)]
}

// Watch calls fn with the size of every message that a socket sends or receives from now on, until
// stop is called. fn runs on the goroutine that sends or receives.
func (t *Traffic) Watch(fn func(sent, received int)) (stop func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.setWatchers(append(slices.Clone(t.watching()), &fn))
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.setWatchers(slices.DeleteFunc(slices.Clone(t.watching()), func(f *func(int, int)) bool { return f == &fn }))
	}
}

func (t *Traffic) watching() []*func(sent, received int) {
	if p := t.watchers.Load(); p != nil {
		return *p
	}
	return nil
}

func (t *Traffic) setWatchers(fns []*func(sent, received int)) {
	if len(fns) == 0 {
		t.watchers.Store(nil)
		return
	}
	t.watchers.Store(&fns)
}

// message tells those that watch of one Send or Recv.
func (t *Traffic) message(sent, received int) {
	if sent+received == 0 {
		return
	}
	for _, fn := range t.watching() {
		(*fn)(sent, received)
	}
}

// Bytes returns how many bytes were sent and received.
func (t *Traffic) Bytes() (sent, received uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	sent, received = t.sent, t.received
	for _, c := range t.open {
		sent += c.BytesSent()
		received += c.BytesReceived()
	}
	return sent, received
}

// add counts the socket that l has made.
func (t *Traffic) add(l *Link, c socket.Counters) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open == nil {
		t.open = make(map[*Link]socket.Counters)
	}
	t.open[l] = c
}

// settle keeps the numbers of the socket of l, which is discarded.
func (t *Traffic) settle(l *Link) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if c := t.open[l]; c != nil {
		t.sent += c.BytesSent()
		t.received += c.BytesReceived()
		delete(t.open, l)
	}
}

// messageBytes counts the bytes of messages for a socket that counts nothing.
type messageBytes struct{ sent, received atomic.Uint64 }

func (m *messageBytes) BytesSent() uint64     { return m.sent.Load() }
func (m *messageBytes) BytesReceived() uint64 { return m.received.Load() }

// count counts the outcome of one Send or Recv. A nil m counts nothing.
func (m *messageBytes) count(sent, received int) {
	if m != nil {
		m.sent.Add(uint64(sent))
		m.received.Add(uint64(received))
	}
}
