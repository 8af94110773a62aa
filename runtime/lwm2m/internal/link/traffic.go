package link

import (
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
