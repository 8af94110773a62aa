package dtls

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/lwm2mgen/toolkit/net/internal/pki"
	"github.com/lwm2mgen/toolkit/net/socket"
)

// guard is the net.PacketConn on which pion does a handshake. It passes only records of the
// handshake to pion, keeps those for the record layer, records the progress of the handshake, and
// keeps the last flight. Closing it leaves the socket below open.
type guard struct {
	below    socket.Socket
	addr     packetAddr
	progress func() // called when the peer has made progress
	signs    signs
	client   bool // the peer is a server

	reading sync.Mutex // held by ReadFrom

	mu       sync.Mutex
	closed   bool
	deadline time.Time
	cidLen   int      // of records that arrive
	held     [][]byte // records for the record layer
	heldSize int
	flight   [][]byte // datagrams sent since one was received
	answered bool     // a datagram was received since the last one of flight
	seen     progress
	nextSeq  uint64     // one above the highest sequence number sent in epoch 1
	refused  *pki.Error // why the peer's certificate is not accepted
	alert    *socket.AlertError

	contradictions contradictions // of a server's messages
	restarts       bool           // the handshake may begin again because of them

	sentFlight   flight
	failure      error  // of the socket below, which has ended the handshake
	alertWaiting []byte // record of an alert that may be forged
	alertTimer   *time.Timer
	alertReady   bool   // alertWaiting has waited long enough
	passed       uint64 // plaintext records passed to pion
}

// progress is the progress of a handshake, as the guard sees it.
type progress struct {
	sent, received int  // datagrams
	handshake      bool // a handshake message of the peer
	helloVerify    bool
	serverHello    bool
	helloDone      bool // the server's flight is complete
	sentFinished   bool
	gotFinished    bool // an encrypted record arrived that may be it
	// Our Certificate message was empty: the server asked for certificates of another CA.
	noCertificate bool
	clientKey     bool // ClientKeyExchange was sent: no abbreviated handshake
	contradiction bool // see contradictions; set at the end
	messages      int  // handshake messages of both sides, repetitions included
}

// maxHeld bounds the bytes of application data kept for after the handshake.
const maxHeld = 32 << 10

func newGuard(below socket.Socket, addr packetAddr) *guard {
	below.SetRecvDeadline(time.Time{})
	return &guard{below: below, addr: addr, progress: func() {}}
}

// ReadFrom returns the next datagram, reduced to the records of the handshake.
func (g *guard) ReadFrom(p []byte) (int, net.Addr, error) {
	g.reading.Lock()
	defer g.reading.Unlock()
	for {
		g.mu.Lock()
		closed, past := g.closed, !g.deadline.IsZero() && !g.deadline.After(time.Now())
		alert, failure := g.takeAlert(), g.failure
		g.mu.Unlock()
		switch {
		case closed:
			return 0, nil, net.ErrClosed
		case failure != nil:
			return 0, nil, failure
		case alert != nil:
			return copy(p, alert), g.addr, nil
		case past:
			return 0, nil, socket.ErrTimeout
		}
		n, err := g.below.Recv(p)
		switch {
		case err == nil:
		// Recv promises exactly ErrTimeout.
		case err == socket.ErrTimeout, errors.Is(err, socket.ErrMessageTooLong):
			// Only the deadline decides; a datagram longer than any of a handshake is dropped.
			continue
		case isRefused(err):
			if !g.networkRefused(err) {
				continue
			}
			return 0, nil, err
		default:
			return 0, nil, err
		}
		if n = g.inbound(p[:n]); n > 0 {
			return n, g.addr, nil
		}
	}
}

// inbound moves the records for pion to the front of the datagram and returns their length.
func (g *guard) inbound(datagram []byte) int {
	g.mu.Lock()
	kept, step := 0, false
	before := g.seen
	for rest := datagram; len(rest) > 0; {
		h, record, after, ok := splitRecord(rest, g.cidLen)
		if !ok {
			break
		}
		rest = after
		switch {
		case h.epoch == 0 && g.wellFormed(&h, record):
			if g.waits(&h, record) {
				continue
			}
			g.note(&h, record, false)
			g.renumber(record)
		case h.epoch == 1 && h.typ == typeHandshake:
			g.seen.gotFinished = true
		case h.epoch == 1 && h.typ == typeConnectionID && !g.seen.sentFinished:
			g.seen.gotFinished = true // of a client; its later records are for the record layer
		default:
			g.hold(&h, record)
			continue
		}
		kept += copy(datagram[kept:], record)
	}
	g.seen.received++
	if kept > 0 {
		g.answered = true
	}
	after := g.seen
	step = after.helloVerify != before.helloVerify || after.serverHello != before.serverHello ||
		after.helloDone != before.helloDone || after.gotFinished != before.gotFinished
	if step {
		g.sentFlight.answered()
		g.dropAlert()
	}
	g.mu.Unlock()
	if step {
		g.progress()
	}
	return kept
}

func (g *guard) hold(h *header, record []byte) {
	if h.epoch == 1 && g.heldSize+len(record) <= maxHeld {
		g.held = append(g.held, bytes.Clone(record))
		g.heldSize += len(record)
	}
}

// note records a plaintext handshake message that is the first of its record.
func (g *guard) note(h *header, record []byte, sent bool) {
	if h.typ != typeHandshake || len(record) <= h.body {
		return
	}
	g.seen.messages++
	typ := record[h.body]
	if sent {
		g.seen.clientKey = g.seen.clientKey || typ == msgClientKey
		g.seen.noCertificate = g.seen.noCertificate || typ == msgCertificate &&
			len(record) == h.body+messageHead+emptyList
		return
	}
	g.seen.handshake = true
	if g.client {
		g.contradictions.note(record[h.body:])
	}
	switch typ {
	case msgHelloVerify:
		g.seen.helloVerify = true
	case msgServerHello:
		g.seen.serverHello = true
	case msgHelloDone:
		g.seen.helloDone = true
	case msgClientKey:
		g.seen.clientKey = true
	}
}

// WriteTo sends a datagram of the handshake.
func (g *guard) WriteTo(p []byte, _ net.Addr) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	size := len(p)
	if g.closed {
		return size, nil // the peer does not get the alert that pion sends when it is stopped
	}
	if g.answered {
		g.flight, g.answered = nil, false
	}
	p = unwrapAlert(p)
	g.outbound(p)
	g.flight = append(g.flight, bytes.Clone(p))
	if len(g.flight) > maxFlight {
		g.flight = g.flight[1:]
	}
	if g.alertWaiting != nil {
		return size, nil // a server that has ended the handshake would take it for another one
	}
	g.seen.sent++
	err := g.below.Send(p)
	if isRefused(err) { // the refusal of an earlier datagram, which the system reports once
		err = g.below.Send(p)
	}
	if err != nil && !isRepaired(err) {
		return 0, err
	}
	return size, nil
}

// unwrapAlert returns an alert without the record with a Connection ID that pion puts it in even
// before there are keys. No peer could read it: such records are always protected (RFC 9146 §3).
func unwrapAlert(p []byte) []byte {
	if len(p) < headerLen || p[0] != typeConnectionID || binary.BigEndian.Uint16(p[3:]) != 0 {
		return p
	}
	typ, content, ok := unwrapInner(p)
	if !ok || typ != typeAlert || len(content) < headerLen+2 {
		return p
	}
	return append(append([]byte{typeAlert}, p[1:headerLen-2]...), 0, 2, content[len(content)-2],
		content[len(content)-1])
}

// maxFlight bounds the datagrams of a flight that are kept, without repetitions.
const maxFlight = 16

// isRepaired reports whether the repetitions of the handshake repair an error of Send.
func isRepaired(err error) bool {
	return errors.Is(err, socket.ErrBusy) || errors.Is(err, socket.ErrUnreachable)
}

func (g *guard) outbound(p []byte) {
	repeated := false
	defer func() {
		if repeated {
			g.noteRepeated()
		}
	}()
	for rest := p; len(rest) > 0; {
		h, record, after, ok := splitOutgoing(rest)
		if !ok {
			return
		}
		rest = after
		switch {
		case h.epoch == 1:
			g.seen.sentFinished = true
			g.nextSeq = max(g.nextSeq, h.seq+1)
		case h.typ == typeAlert && len(record) == headerLen+2:
			description := socket.Alert(record[headerLen+1])
			if g.refused != nil { // pion has the same alert for every reason
				description = g.refused.Alert
				record[headerLen+1] = byte(description)
			}
			g.alert = &socket.AlertError{Level: socket.AlertLevel(record[headerLen]), Description: description}
		default:
			if h.typ == typeHandshake && g.sentFlight.isRepeated(record[h.body:]) {
				repeated = true
			}
			g.note(&h, record, true)
		}
	}
}

// splitOutgoing is splitRecord for what pion sends: a record with a Connection ID of unknown length
// is the last of its flight.
func splitOutgoing(b []byte) (h header, record, rest []byte, ok bool) {
	if len(b) >= headerLen && b[0] == typeConnectionID {
		h, _, _, _ = splitRecord(append([]byte{typeHandshake}, append(bytes.Clone(b[1:11]), 0, 0)...), 0)
		return h, b, nil, h.epoch != 0
	}
	return splitRecord(b, 0)
}

// verified records why the peer's certificate was refused, if it was.
func (g *guard) verified(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	_ = errors.As(err, &g.refused)
}

// Close ends reading and writing, and leaves the socket below open.
func (g *guard) Close() error {
	g.mu.Lock()
	g.closed = true
	g.dropAlert()
	g.below.SetRecvDeadline(socket.NoWait())
	g.mu.Unlock()
	return nil
}

// SetReadDeadline wakes a pending ReadFrom too.
func (g *guard) SetReadDeadline(t time.Time) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.deadline = t
	if !g.closed && !g.alertReady && g.failure == nil {
		g.below.SetRecvDeadline(t)
	}
	return nil
}

// SetDeadline is SetReadDeadline: writing never waits.
func (g *guard) SetDeadline(t time.Time) error { return g.SetReadDeadline(t) }

// SetWriteDeadline does nothing.
func (g *guard) SetWriteDeadline(time.Time) error { return nil }

// LocalAddr is not known here.
func (g *guard) LocalAddr() net.Addr { return packetAddr("local") }

// drain waits until no goroutine reads from the socket below. It must be called after Close.
func (g *guard) drain() {
	g.reading.Lock()
	defer g.reading.Unlock()
}

// packetAddr is the address of a peer for pion, which compares and prints it only.
type packetAddr string

// Network implements net.Addr.
func (packetAddr) Network() string { return "dtls" }

// String implements net.Addr.
func (a packetAddr) String() string { return string(a) }
