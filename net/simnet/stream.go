package simnet

import (
	"fmt"
	"io"
	"net/netip"
	"sync"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
)

const (
	// headerTCP is the number of bytes of a packet that a segment needs in addition to its data.
	headerTCP = 40 + 20
	// retransmission is the time that the loss of a segment costs, and the wait of a stalled sender
	// between attempts.
	retransmission = 200 * time.Millisecond
	// giveUp is how long a stream lives while no packet gets through (RFC 1122 §4.2.3.5 asks for at
	// least 100 s).
	giveUp = 120 * time.Second
)

// half is one direction of a stream.
type half struct {
	net      *Network
	from, to *Host
	src, dst netip.AddrPort // as the sender knows them
	inbox    socket.Feed    // of the receiver
	limit    int            // of the bytes in transit
	back     *half          // the other direction
	moved    [2]int         // of from and to, when the stream began
	rebound  [2]int         // of the NATs of from and to, when the stream began

	mu       sync.Mutex
	queue    []segment // in transit, in order
	underWay int       // bytes in queue
	stalled  time.Time // since when no packet gets through; zero if packets do
	ended    bool      // the sender has closed
	gone     bool      // the receiver has closed
	broken   error     // the stream failed
	working  bool      // a goroutine is in advance
	again    bool      // and must check again
	planned  bool      // an event will call advance
}

// segment is a part of the stream in transit. Without data it is the end of the stream.
type segment struct {
	at   time.Time
	data []byte
}

// send accepts all of p or nothing.
func (h *half) send(p []byte) error {
	h.mu.Lock()
	err := h.broken
	switch {
	case err != nil:
	case h.ended:
		err = socket.ErrClosed
	case h.underWay > 0 && h.underWay+len(p) > h.limit:
		err = socket.ErrBusy
	default:
		h.enqueue(p)
	}
	h.mu.Unlock()
	h.advance()
	return err
}

// enqueue sends p in segments.
func (h *half) enqueue(p []byte) {
	h.underWay += len(p)
	for len(p) > 0 {
		at, size := h.draw(p)
		h.queue = append(h.queue, segment{at, append([]byte(nil), p[:size]...)})
		p = p[size:]
	}
}

// draw decides when the next segment arrives and how much of p it carries. Segments stay in order.
func (h *half) draw(p []byte) (time.Time, int) {
	n := h.net
	n.mu.Lock()
	defer n.mu.Unlock()
	path, l := n.path(h.from, h.to), n.link(h.from, h.to)
	size := min(len(p), l.mtu()-headerTCP)
	d := path.delay(l)
	if n.filter != nil && size > 0 && !n.filter(Packet{From: h.src, To: h.dst, Data: p[:size], Kind: socket.Stream}) {
		d += retransmission
	}
	for d < giveUp && path.chance(l.Loss) {
		d += retransmission
	}
	at := time.Now().Add(d)
	if k := len(h.queue); k > 0 && at.Before(h.queue[k-1].at) {
		at = h.queue[k-1].at
	}
	return at, size
}

// end sends the end of the stream after all data.
func (h *half) end() {
	h.mu.Lock()
	if !h.ended && h.broken == nil {
		at, _ := h.draw(nil)
		h.queue = append(h.queue, segment{at: at})
	}
	h.ended = true
	h.mu.Unlock()
	h.advance()
}

// closeReceiver records that the receiver has closed.
func (h *half) closeReceiver() {
	h.mu.Lock()
	h.gone = true
	h.mu.Unlock()
	h.advance()
}

// backlog returns the number of bytes that the receiver does not have yet.
func (h *half) backlog() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.underWay
}

// advance delivers the data that can be delivered now. It is called after every change.
func (h *half) advance() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.working {
		h.again = true
		return
	}
	h.working = true
	for {
		h.again = false
		deliver := h.next()
		if deliver == nil && !h.again {
			break
		}
		if deliver != nil {
			h.mu.Unlock() // it calls the receiver
			deliver()
			h.mu.Lock()
		}
	}
	h.working = false
}

// next takes the first segment that may arrive now and returns the function that delivers it, nil
// if there is none.
func (h *half) next() func() {
	if len(h.queue) == 0 {
		return nil
	}
	s, now := &h.queue[0], time.Now()
	if s.at.After(now) {
		h.schedule(s.at.Sub(now))
		return nil
	}
	through, known := h.isPassable()
	switch {
	case !through && h.stalled.IsZero():
		h.stalled = now
		fallthrough
	case !through && now.Sub(h.stalled) < giveUp:
		h.schedule(retransmission)
		return nil
	case !through:
		return h.fail(fmt.Errorf("%w: no answer for %v", socket.ErrReset, giveUp))
	case !known, h.gone:
		return h.fail(fmt.Errorf("%w: reset by peer", socket.ErrReset))
	}
	h.stalled = time.Time{}
	if len(s.data) == 0 {
		h.queue = nil
		return func() { h.inbox.PutError(io.EOF) }
	}
	data := s.data[:min(len(s.data), h.inbox.Room())]
	if len(data) == 0 {
		return nil // the receiver's next Recv calls again
	}
	h.underWay -= len(data)
	if s.data = s.data[len(data):]; len(s.data) == 0 {
		h.queue = h.queue[1:]
	}
	return func() { h.inbox.Put(data) }
}

// isPassable reports whether packets get through, and if so whether the other end still knows the
// stream. After Rebind, a NAT loses packets from outside, and sends packets from inside from a new
// port, which the other end does not know.
func (h *half) isPassable() (through, known bool) {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	stay := h.from.moved == h.moved[0] && h.to.moved == h.moved[1]
	through = stay && h.net.reachable(h.from, h.to) && rebound(h.to) == h.rebound[1]
	return through, rebound(h.from) == h.rebound[0]
}

func rebound(h *Host) int {
	if h.nat == nil {
		return 0
	}
	return h.nat.rebound
}

// fail breaks the stream for the sender.
func (h *half) fail(err error) func() {
	h.broken, h.queue, h.underWay = err, nil, 0
	return func() { h.back.inbox.PutError(err) }
}

// schedule calls advance after d.
func (h *half) schedule(d time.Duration) {
	if h.planned {
		return
	}
	h.planned = true
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	h.net.schedule(d, &event{do: func() {
		h.mu.Lock()
		h.planned = false
		h.mu.Unlock()
		h.advance()
	}})
}
