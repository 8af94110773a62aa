package tls

import (
	stdtls "crypto/tls"
	"io"
	"sync"
	"sync/atomic"

	"github.com/lwm2mgen/toolkit/net/socket"
)

// link is one connection.
type link struct {
	tls    *stdtls.Conn
	wire   *wire
	cache  *sessionCache // nil on a server
	below  socket.Backlog
	buffer int

	sending sync.Mutex

	receiving sync.Mutex
	plain     []byte // decrypted and not yet received
	room      []byte
	buffered  atomic.Bool
}

const (
	maxRecord = 16 << 10
	// perRecord is an upper bound for what a record adds to its content: header, nonce, tag and
	// content type; with CBC IV, MAC and padding.
	perRecord = 5 + 16 + 32 + 16
)

// send encrypts p and passes it to the socket below as a whole. If that is busy, send refuses p
// before it encrypts anything, because encryption cannot be undone.
func (l *link) send(p []byte) error {
	l.sending.Lock()
	defer l.sending.Unlock()
	if l.wire.pending() > 0 {
		if err := l.wire.flush(); err != nil {
			return err
		}
	}
	if n := l.backlog(); n > 0 && n+len(p)+(len(p)/maxRecord+1)*perRecord > l.buffer {
		return socket.ErrBusy
	}
	l.wire.hold()
	_, err := l.tls.Write(p)
	if flushed := l.wire.flush(); flushed != nil && flushed != socket.ErrBusy { // never wrapped
		return flushed
	}
	if err != nil {
		return brokenError(err)
	}
	return nil
}

func (l *link) backlog() int {
	if l.below == nil {
		return 0
	}
	return l.below.SendBacklog()
}

// recv returns the rest of a record, or the next record.
func (l *link) recv(p []byte) (int, error) {
	l.receiving.Lock()
	defer l.receiving.Unlock()
	if len(p) == 0 {
		return 0, nil
	}
	if len(l.plain) == 0 {
		if l.wire.pending() > 0 {
			_ = l.wire.flush() // there may be no further Send to do it
		}
		if len(p) >= maxRecord {
			n, err := l.tls.Read(p)
			return n, l.receiveError(n, err)
		}
		if l.room == nil {
			l.room = make([]byte, maxRecord)
		}
		n, err := l.tls.Read(l.room)
		if n == 0 {
			return 0, l.receiveError(n, err)
		}
		l.plain = l.room[:n]
	}
	n := copy(p, l.plain)
	l.plain = l.plain[n:]
	l.buffered.Store(len(l.plain) > 0)
	return n, nil
}

func (l *link) receiveError(n int, err error) error {
	switch {
	case err == nil || n > 0:
		return nil
	case err == io.EOF && l.wire.ended: // never wrapped
		err = io.ErrUnexpectedEOF // without close_notify; crypto/tls does not distinguish the two
	}
	return brokenError(err)
}
