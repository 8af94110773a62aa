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

// link is the record layer of one connection: it protects what is sent and takes the protection off what is received, in the goroutine of
// the caller. send, HasBuffered, mute and export may be called from any goroutine, recv from one at a time.
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
	out     []byte // the record under way

	receiving sync.Mutex // against export only
	exported  bool
	open      protection
	recvCID   []byte
	window    window
	buf       []byte
	large     bool     // something came that buf was too small for
	rest      []byte   // of the datagram in buf
	head      header   // of the record under way, here as it would escape to the heap
	held      [][]byte // records from before
	flight    [][]byte // to repeat when the peer repeats its own
	repeated  time.Time
	moved     func() // called for the newest record with a Connection ID; may be nil

	buffered  atomic.Bool
	confirmed atomic.Bool // something authentic was received
	failed    atomic.Bool // a fatal alert came: nothing of the session may be used again
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

// overhead is what the record layer adds to each datagram at most.
func (l *link) overhead() int { return l.secrets.suite.overhead(len(l.sendCID)) }

// innerMTU is InnerMTU of a connected socket.
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

// errSpent: every further record would use a nonce again (RFC 6347 §4.1.0).
var errSpent = fmt.Errorf("%w: all sequence numbers of the DTLS connection are used; connect anew", socket.ErrReset)

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
	if len(l.sendCID) > 0 { // DTLSInnerPlaintext (RFC 9146 §4), made where it will not be in the way of the record
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
	l.next++ // whether or not the datagram leaves: a sequence number is never given out twice
	l.out = record[:0]
	if err := l.below.Send(record); err != nil {
		return l.sizeOf(len(p), err)
	}
	return nil
}

// sizeOf translates the size error of the socket below.
func (l *link) sizeOf(n int, err error) error {
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

// mostDropped is how many datagrams recv drops before it asks whether it is time to end.
const mostDropped = 64

// errFlood: much has come that is not authentic, and more may be waiting.
var errFlood = errors.New("dtls: nothing but forged records")

// recv is Recv of a connected socket, or errFlood.
func (l *link) recv(p []byte) (int, error) {
	for range mostDropped {
		n, done, err := l.next1(p)
		if done {
			return n, err
		}
		if err := l.end.Load(); err != nil {
			return 0, *err
		}
		buf := l.buffer(len(p))
		n, err = l.below.Recv(buf)
		if errors.Is(err, socket.ErrMessageTooLong) { // cut off, so it cannot be authenticated; when it is repeated it can
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

// smallest is the receive buffer of a link whose MTU is that of an Ethernet or less.
const smallest = 2048

// buffer returns room for a datagram with p bytes of content, or as many as the network carries unfragmented.
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

// next1 takes the next content out of what has been received. done says that there was one, or an error.
func (l *link) next1(p []byte) (n int, done bool, err error) {
	l.receiving.Lock()
	defer l.receiving.Unlock()
	defer func() { l.buffered.Store(len(l.rest) > 0 || len(l.held) > 0) }()
	if l.exported { // what came meanwhile would be new again for whoever goes on
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

// record does what one record says. Nothing that is not authentic has an effect, but for a repeated handshake message, whose effect is bounded.
func (l *link) record(h *header, record, p []byte) (n int, done bool, err error) {
	if h.epoch == 0 {
		if h.typ == typeHandshake {
			l.repeatFlight()
		}
		return 0, false, nil
	}
	wrapped := h.typ == typeConnectionID
	if h.epoch != 1 || wrapped != (len(l.recvCID) > 0) || !bytes.Equal(h.cid, l.recvCID) || !l.window.fresh(h.seq) {
		return 0, false, nil
	}
	content, err := l.open.open(h, record)
	if err != nil {
		return 0, false, nil
	}
	if l.window.mark(h.seq) && wrapped && l.moved != nil {
		l.moved()
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

// repeatFlight sends the last flight of the handshake again, byte for byte, as the peer seems to lack it (RFC 6347 §4.2.4). Once
// application data has come the peer cannot.
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
		_ = l.below.Send(d) // the peer asks again
	}
}

// mute ends sending for good. Nothing leaves after it has returned.
func (l *link) mute() {
	l.sending.Lock()
	defer l.sending.Unlock()
	l.muted = true
}

// notifyClose tells the peer that the connection ends, unless it is muted or has ended.
func (l *link) notifyClose() {
	if l.end.Load() == nil || !l.failed.Load() {
		_ = l.sendRecord(typeAlert, []byte{byte(socket.AlertWarning), byte(socket.AlertCloseNotify)})
	}
	l.mute()
}

// liveState is a connection put aside: a muted link's.
type liveState struct {
	secrets          secrets
	sendCID, recvCID []byte
	next             uint64
	window           window
	peer             [][]byte
}

// export returns the state of a muted link, for importLink to go on with it once.
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

// importLink goes on with a connection.
func importLink(below socket.Socket, st *liveState) (*link, error) {
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
