package dtls

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
)

// link is the record layer of one connection. It encrypts and decrypts in the goroutine of the
// caller. send, HasBuffered, mute and export may be called from any goroutine, recv from one at a
// time.
type link struct {
	below   socket.Socket
	secrets *secrets
	peer    [][]byte
	resumed socket.Resumption
	store   *storePlace // nil on a server, which stores nothing

	sending sync.Mutex
	seal    protection
	sendCID []byte
	next    uint64 // sequence number of the next record
	muted   bool
	out     []byte // the record being sent

	receiving      sync.Mutex // only export competes for it
	exported       bool
	open           protection
	recvCID        []byte
	window         window
	buf            []byte
	large          bool     // a datagram did not fit buf
	rest           []byte   // of the datagram in buf
	head           header   // of the record being sent, here as it would escape to the heap
	held           [][]byte // records that arrived during the handshake
	flight         [][]byte // to repeat when the peer repeats its own
	repeated       time.Time
	told           time.Time // when looksForgotten was true last
	onNewestRecord func()    // called for the newest record with a Connection ID; may be nil

	buffered  atomic.Bool
	confirmed atomic.Bool // an authentic record was received
	failed    atomic.Bool // a fatal alert was received: the session must not be used again
	end       atomic.Pointer[error]
}

func newLink(below socket.Socket, e *established) (*link, error) {
	sec := e.secrets
	seal, open, err := sec.protections()
	if err != nil {
		return nil, err
	}
	l := &link{
		below: below, secrets: &sec, peer: e.peer,
		seal: seal, sendCID: e.sendCID, next: e.next,
		open: open, recvCID: e.recvCID, held: e.held, flight: e.flight,
	}
	if e.resumed {
		l.resumed = socket.SessionResumed
	}
	l.buffered.Store(len(l.held) > 0)
	return l, nil
}

// overhead returns the most bytes that the record layer adds to a datagram.
func (l *link) overhead() int { return l.secrets.suite.overhead(len(l.sendCID)) }

// innerMTU returns the InnerMTU of a connected socket.
func (l *link) innerMTU() int { return innerMTU(l.below.InnerMTU(), l.overhead()) }

func innerMTU(below, overhead int) int { return min(max(1, below-overhead), maxPlaintext) }

// send sends one record of application data.
func (l *link) send(p []byte) error {
	if err := l.end.Load(); err != nil {
		return *err
	}
	if len(p) > maxPlaintext {
		return &socket.SizeError{Size: len(p), Limit: l.innerMTU()}
	}
	return l.sendRecord(typeApplicationData, p)
}

// errSpent is returned when a further record would reuse a nonce (RFC 6347 §4.1.0).
var errSpent = fmt.Errorf("%w: all sequence numbers of the DTLS connection are used; connect again", socket.ErrReset)

func (l *link) sendRecord(typ uint8, p []byte) error {
	l.sending.Lock()
	defer l.sending.Unlock()
	switch {
	case l.muted:
		return socket.ErrClosed
	case l.next > maxSequence:
		return errSpent
	}
	record, plaintext := l.out[:0], p
	// DTLSInnerPlaintext (RFC 9146 §4), made in memory that the record does not use.
	if len(l.sendCID) > 0 {
		need := l.overhead() + len(p) + 1
		if cap(record) < 2*need {
			record = make([]byte, 0, 2*need)
		}
		plaintext = append(append(record[need:need], p...), typ)
		typ = typeConnectionID
	}
	record, err := l.seal.seal(record, typ, l.next, l.sendCID, plaintext)
	if err != nil {
		return fmt.Errorf("%w: %w", socket.ErrReset, err)
	}
	l.next++ // even if Send fails: a sequence number is never assigned twice
	l.out = record[:0]
	if err := l.below.Send(record); err != nil {
		return l.innerSizeError(len(p), err)
	}
	return nil
}

// innerSizeError translates the SizeError of the socket below.
func (l *link) innerSizeError(n int, err error) error {
	var size *socket.SizeError
	if !errors.As(err, &size) {
		return err
	}
	out := &socket.SizeError{Size: n}
	if size.Limit > 0 {
		out.Limit = max(1, size.Limit-l.overhead())
	}
	return out
}

// mostDropped bounds the datagrams that recv drops before the caller checks its deadline.
const mostDropped = 64

// errFlood says that recv dropped many datagrams that are not authentic, and more may be waiting.
var errFlood = errors.New("dtls: nothing but forged records")

// recv implements Recv. It may also return errFlood.
func (l *link) recv(p []byte) (int, error) {
	for range mostDropped {
		n, done, err := l.nextContent(p)
		if done {
			return n, err
		}
		if err := l.end.Load(); err != nil {
			return 0, *err
		}
		buf := l.buffer(len(p))
		n, err = l.below.Recv(buf)
		// Truncated, so it cannot be authenticated; the next buffer is large enough for a
		// repetition.
		if errors.Is(err, socket.ErrMessageTooLong) {
			l.large = true
			continue
		}
		if err != nil {
			return 0, err
		}
		l.receiving.Lock()
		l.rest = buf[:n]
		l.receiving.Unlock()
	}
	return 0, errFlood
}

// smallest is the size of the receive buffer for an MTU of Ethernet or less.
const smallest = 2048

// buffer returns a buffer for a datagram with p bytes of content, or with as many as the network
// carries without fragmentation.
func (l *link) buffer(p int) []byte {
	want := min(max(p, l.below.InnerMTU())+l.overhead(), maxPlaintext+maxExpansion)
	if l.large {
		want = maxPlaintext + maxExpansion
	}
	if want = max(want, smallest); len(l.buf) < want {
		l.buf = make([]byte, want)
	}
	return l.buf
}

// nextContent returns the next content of the datagrams received. done says that there is content,
// or an error.
func (l *link) nextContent(p []byte) (n int, done bool, err error) {
	l.receiving.Lock()
	defer l.receiving.Unlock()
	defer func() { l.buffered.Store(len(l.rest) > 0 || len(l.held) > 0) }()
	if l.exported { // the connection that continues would take this record for a new one
		return 0, true, socket.ErrClosed
	}
	for {
		if len(l.rest) == 0 {
			if len(l.held) == 0 {
				return 0, false, nil
			}
			l.rest, l.held = l.held[0], l.held[1:]
		}
		var record []byte
		var ok bool
		l.head, record, l.rest, ok = splitRecord(l.rest, len(l.recvCID))
		if !ok {
			continue
		}
		if n, done, err = l.record(&l.head, record, p); done {
			return n, done, err
		}
	}
}

// record processes one record. A record that is not authentic has no effect, except for a repeated
// handshake message, whose effect is bounded.
func (l *link) record(h *header, record, p []byte) (n int, done bool, err error) {
	if h.epoch == 0 {
		if l.looksForgotten(h, record) {
			return 0, true, errForgotten
		}
		if h.typ == typeHandshake {
			l.repeatFlight()
		}
		return 0, false, nil
	}
	wrapped := h.typ == typeConnectionID
	if h.epoch != 1 || wrapped != (len(l.recvCID) > 0) || !bytes.Equal(h.cid, l.recvCID) || !l.window.isFresh(h.seq) {
		return 0, false, nil
	}
	content, err := l.open.open(h, record)
	if err != nil {
		return 0, false, nil
	}
	if l.window.mark(h.seq) && wrapped && l.onNewestRecord != nil {
		l.onNewestRecord()
	}
	typ := h.typ
	if wrapped {
		if typ, content, wrapped = unwrapInner(content); !wrapped {
			return 0, false, nil
		}
	}
	switch typ {
	case typeApplicationData:
		l.confirmed.Store(true)
		l.flight = nil
		n = copy(p, content)
		if n < len(content) {
			return n, true, socket.ErrMessageTooLong
		}
		return n, true, nil
	case typeAlert:
		err := l.alert(content)
		return 0, err != nil, err
	case typeHandshake:
		l.repeatFlight()
	}
	return 0, false, nil
}

// alert handles an authentic alert. Every fatal one, and close_notify, ends the connection.
func (l *link) alert(content []byte) error {
	if len(content) != 2 {
		return nil
	}
	a := &socket.AlertError{Level: socket.AlertLevel(content[0]), Description: socket.Alert(content[1]), Received: true}
	if a.Level != socket.AlertFatal && a.Description != socket.AlertCloseNotify {
		return nil
	}
	if a.Description != socket.AlertCloseNotify {
		l.failed.Store(true)
	}
	err := fmt.Errorf("%w: the peer ended the DTLS connection: %w", socket.ErrReset, a)
	l.end.Store(&err)
	return err
}

// repeatPause is the shortest time between two repetitions of the last flight.
const repeatPause = 200 * time.Millisecond

// repeatFlight sends the last flight of the handshake again, byte for byte, because the peer seems
// to lack it (RFC 6347 §4.2.4). A peer that has sent application data cannot lack it.
func (l *link) repeatFlight() {
	now := time.Now()
	if len(l.flight) == 0 || now.Sub(l.repeated) < repeatPause {
		return
	}
	l.repeated = now
	l.sending.Lock()
	defer l.sending.Unlock()
	if l.muted {
		return
	}
	for _, d := range l.flight {
		_ = l.below.Send(d) // if it fails, the peer repeats its message
	}
}

// mute ends sending permanently. Nothing is sent after it has returned.
func (l *link) mute() {
	l.sending.Lock()
	defer l.sending.Unlock()
	l.muted = true
}

// notifyClose sends a close_notify, unless the link is muted or the connection has ended, and mutes
// the link.
func (l *link) notifyClose() {
	if l.end.Load() == nil || !l.failed.Load() {
		_ = l.sendRecord(typeAlert, []byte{byte(socket.AlertWarning), byte(socket.AlertCloseNotify)})
	}
	l.mute()
}

// liveState is the state of a muted link.
type liveState struct {
	secrets          secrets
	sendCID, recvCID []byte
	next             uint64
	window           window
	peer             [][]byte
}

// export returns the state of a muted link. continueLink may use it once.
func (l *link) export() *liveState {
	l.receiving.Lock()
	defer l.receiving.Unlock()
	l.sending.Lock()
	defer l.sending.Unlock()
	l.exported = true
	return &liveState{
		secrets: *l.secrets, sendCID: slices.Clone(l.sendCID), recvCID: slices.Clone(l.recvCID),
		next: l.next, window: l.window, peer: l.peer,
	}
}

// continueLink makes a link that continues the connection of st.
func continueLink(below socket.Socket, st *liveState) (*link, error) {
	l, err := newLink(below, &established{
		secrets: st.secrets, sendCID: st.sendCID, recvCID: st.recvCID, next: st.next, peer: st.peer,
	})
	if err != nil {
		return nil, err
	}
	l.window = st.window
	l.resumed = socket.ConnectionIDResumed
	return l, nil
}
