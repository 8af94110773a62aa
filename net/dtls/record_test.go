package dtls

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
)

// onceSocket receives one datagram and keeps what is sent.
type onceSocket struct {
	socket.Socket
	datagram []byte
	sent     [][]byte
	received func() // called before Recv returns a datagram; may be nil
}

func (s *onceSocket) InnerMTU() int { return 1400 }
func (s *onceSocket) Send(p []byte) error {
	s.sent = append(s.sent, bytes.Clone(p))
	return nil
}

func (s *onceSocket) Recv(p []byte) (int, error) {
	if s.datagram == nil {
		return 0, socket.ErrTimeout
	}
	n := copy(p, s.datagram)
	cut := n < len(s.datagram)
	s.datagram = nil
	if s.received != nil {
		s.received()
	}
	if cut {
		return n, socket.ErrMessageTooLong
	}
	return n, nil
}

// linkFor makes one end of a connection.
func linkFor(tb testing.TB, below socket.Socket, id socket.CipherSuite, client bool, cid []byte) *link {
	tb.Helper()
	u, ok := suiteByID(id)
	if !ok {
		tb.Fatalf("no suite %v", id)
	}
	sec := secrets{suite: u, client: client, master: make([]byte, masterLen)}
	l, err := newLink(below, &established{secrets: sec, sendCID: cid, recvCID: cid, flight: [][]byte{[]byte("last flight")}})
	if err != nil {
		tb.Fatal(err)
	}
	return l
}

// TestRecordsOfEverySuite: records of every suite pass in both directions, with and without a
// Connection ID, and damaged ones do not.
func TestRecordsOfEverySuite(t *testing.T) {
	for _, u := range suites() {
		for _, cid := range [][]byte{nil, {1}, bytes.Repeat([]byte{9}, 20)} {
			if u.kind == kindCBC && cid != nil {
				continue // never negotiated
			}
			from, to := &onceSocket{}, &onceSocket{}
			a, b := linkFor(t, from, u.id, true, cid), linkFor(t, to, u.id, false, cid)
			for _, size := range []int{0, 1, 100} {
				text := bytes.Repeat([]byte{0}, size) // zeros look like padding
				if err := a.send(text); err != nil {
					t.Fatal(err)
				}
				record := from.sent[len(from.sent)-1]
				if len(record) > size+a.overhead() {
					t.Errorf("%s: a record of %d bytes for %d, more than %d on top", u.name, len(record), size, a.overhead())
				}
				for i := range record {
					to.datagram = bytes.Clone(record)
					to.datagram[i] ^= 0x40
					if n, err := b.recv(make([]byte, 200)); !errors.Is(err, socket.ErrTimeout) {
						t.Fatalf("%s: damage at byte %d: %d, %v", u.name, i, n, err)
					}
				}
				to.datagram = record
				if n, err := b.recv(make([]byte, 200)); err != nil || n != size {
					t.Fatalf("%s: %d, %v; want %d", u.name, n, err, size)
				}
			}
		}
	}
}

// TestLargeDatagrams: a datagram that did not fit cannot be authenticated and has no effect but a
// larger buffer for the next.
func TestLargeDatagrams(t *testing.T) {
	from, to := &onceSocket{}, &onceSocket{}
	a, b := linkFor(t, from, 0xc0a8, true, nil), linkFor(t, to, 0xc0a8, false, nil)
	text := bytes.Repeat([]byte("0123456789"), 500)
	if err := a.send(text); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 100)
	for round, want := range []error{socket.ErrTimeout, socket.ErrMessageTooLong} {
		to.datagram = bytes.Clone(from.sent[0])
		n, err := b.recv(buf)
		if !errors.Is(err, want) || errors.Is(err, socket.ErrMessageTooLong) && !bytes.Equal(buf[:n], text[:len(buf)]) {
			t.Fatalf("round %d: %d bytes, %v; want %v", round, n, err, want)
		}
	}
	to.datagram = make([]byte, 60_000) // more than any record
	if n, err := b.recv(buf); !errors.Is(err, socket.ErrTimeout) {
		t.Fatalf("%d, %v", n, err)
	}
}

// TestExportEndsReceiving: a record that Recv processes during the export would be new again for
// the connection that continues.
func TestExportEndsReceiving(t *testing.T) {
	from, to := &onceSocket{}, &onceSocket{}
	cid := []byte{1, 2, 3}
	a, b := linkFor(t, from, 0xc0a8, true, cid), linkFor(t, to, 0xc0a8, false, cid)
	if err := a.send([]byte("once")); err != nil {
		t.Fatal(err)
	}
	var st *liveState
	to.datagram, to.received = from.sent[0], func() {
		b.mute()
		st = b.export()
	}
	if n, err := b.recv(make([]byte, 100)); !errors.Is(err, socket.ErrClosed) {
		t.Fatalf("Recv took a record that the exported state does not know: %d, %v", n, err)
	}
	if st.window.next != 0 {
		t.Errorf("window %+v", st.window)
	}
}

// TestSequenceNumbersEnd: the last sequence number is used, and none twice.
func TestSequenceNumbersEnd(t *testing.T) {
	below := &onceSocket{}
	l := linkFor(t, below, 0xc0a8, true, nil)
	l.next = maxSequence
	if err := l.send([]byte("the last")); err != nil {
		t.Fatal(err)
	}
	if err := l.send([]byte("one more")); !errors.Is(err, socket.ErrReset) || len(below.sent) != 1 {
		t.Errorf("%v, %d records", err, len(below.sent))
	}
}

func FuzzRecords(f *testing.F) {
	sender := &onceSocket{}
	a := linkFor(f, sender, 0xc0a8, false, nil)
	for _, typ := range []uint8{typeApplicationData, typeAlert, typeHandshake, 99} {
		if err := a.sendRecord(typ, []byte{2, 40}); err != nil {
			f.Fatal(err)
		}
	}
	for _, r := range sender.sent {
		f.Add(r, uint8(0))
		f.Add(append(forged(typeHandshake, 0, 1, 1, 2, 3), r...), uint8(4))
	}
	f.Fuzz(func(t *testing.T, datagram []byte, cidLen uint8) {
		below := &onceSocket{datagram: datagram}
		l := linkFor(t, below, 0xc0a8, true, make([]byte, cidLen%21))
		buf := make([]byte, 100)
		for range 100 {
			n, err := l.recv(buf)
			if n < 0 || n > len(buf) {
				t.Fatalf("%d bytes", n)
			}
			if err != nil {
				break
			}
		}
		if len(below.sent) > 1 {
			t.Errorf("%d datagrams were sent in answer to one", len(below.sent))
		}
		// The guard sees it during a handshake.
		g := newGuard(&deadlineSocket{}, "peer")
		g.cidLen = int(cidLen % 21)
		b := bytes.Clone(datagram)
		if n := g.inbound(b); n > len(b) {
			t.Errorf("the guard made %d bytes of %d", n, len(b))
		}
		g.mu.Lock()
		defer g.mu.Unlock()
		g.outbound(b)
	})
}

// deadlineSocket accepts a deadline.
type deadlineSocket struct{ onceSocket }

func (*deadlineSocket) SetRecvDeadline(time.Time) {}
