package dtls

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lwm2mgen/toolkit/net/internal/accept"
	"github.com/lwm2mgen/toolkit/net/socket"
)

// pathSocket is the socket of a path during a handshake: it receives from the path's reader.
type pathSocket struct {
	socket.Socket
	inbox *socket.Inbox
}

func (s *pathSocket) Recv(p []byte) (int, error)  { return s.inbox.Recv(p) }
func (s *pathSocket) SetRecvDeadline(t time.Time) { s.inbox.SetRecvDeadline(t) }

// serverSocket is the socket below an accepted connection. It sends to the address from which the
// client sent last.
type serverSocket struct {
	listener *listener
	inbox    *socket.Inbox // datagrams with the number of their path in front
	cid      string
	peer     Peer
	open     atomic.Bool
	buf      []byte // for Recv

	mu    sync.Mutex
	now   *path
	paths []numbered // the oldest first
	// The last number assigned: none is used again, because datagrams with it may still be waiting.
	count uint32
	last  uint32 // number of the path of the datagram that Recv returned last
}

// numbered is a path with its number.
type numbered struct {
	number uint32
	path   *path
}

// pathLen is the length of a path's number.
const pathLen = 4

func newServerSocket(p *path) *serverSocket {
	s := &serverSocket{listener: p.listener, inbox: socket.NewInbox(socket.Datagram, 0), now: p}
	s.open.Store(true)
	s.inbox.Open()
	return s
}

// maxPaths bounds the addresses that are remembered for one connection.
const maxPaths = 8

// deliver queues a datagram. The record layer checks whether it is authentic.
func (s *serverSocket) deliver(p *path, b []byte) {
	s.mu.Lock()
	at := s.number(p)
	s.mu.Unlock()
	s.inbox.Put(append(binary.BigEndian.AppendUint32(make([]byte, 0, pathLen+len(b)), at), b...))
}

// number returns the number of a path. A new path gets a number and replaces the oldest one that is
// not in use. The caller holds s.mu.
func (s *serverSocket) number(p *path) uint32 {
	for _, known := range s.paths {
		if known.path == p {
			return known.number
		}
	}
	if len(s.paths) >= maxPaths {
		oldest := slices.IndexFunc(s.paths, func(n numbered) bool { return n.path != s.now })
		s.paths = slices.Delete(s.paths, oldest, oldest+1)
	}
	s.count++
	s.paths = append(s.paths, numbered{s.count, p})
	return s.count
}

// moveToLastPath makes the path of the last datagram the current one: the datagram was authentic
// and the newest (RFC 9146 §6).
func (s *serverSocket) moveToLastPath() {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := slices.IndexFunc(s.paths, func(n numbered) bool { return n.number == s.last })
	if at < 0 || s.paths[at].path == s.now {
		return
	}
	to, old := s.paths[at].path, s.now
	s.now = to
	to.mu.Lock()
	to.current = s
	to.mu.Unlock()
	if old != nil {
		old.removeConn(s, lingerMoved)
	}
}

// onPathLost removes a path that has ended. The connection ends with its path if it has no
// Connection ID or if the listener is closed.
func (s *serverSocket) onPathLost(p *path) {
	s.mu.Lock()
	last := s.now == p
	s.paths = slices.DeleteFunc(s.paths, func(n numbered) bool { return n.path == p })
	if last {
		s.now = nil
	}
	s.mu.Unlock()
	if last && (s.cid == "" || s.listener.Ctx.Err() != nil) {
		s.inbox.PutError(fmt.Errorf("%w: the client's address is gone", socket.ErrReset))
	}
}

// endReplaced ends the connection because there is a new one at its address.
func (s *serverSocket) endReplaced() {
	s.inbox.PutError(fmt.Errorf("%w: the client has begun a new DTLS connection", socket.ErrReset))
}

func (s *serverSocket) Send(p []byte) error {
	s.mu.Lock()
	to := s.now
	s.mu.Unlock()
	switch {
	case !s.open.Load():
		return socket.ErrClosed
	case to == nil:
		return socket.ErrUnreachable
	}
	return to.socket.Send(p)
}

func (s *serverSocket) Recv(p []byte) (int, error) {
	if len(s.buf) < pathLen+len(p) {
		s.buf = make([]byte, pathLen+len(p))
	}
	n, err := s.inbox.Recv(s.buf[:pathLen+len(p)])
	if n < pathLen {
		return 0, err
	}
	s.mu.Lock()
	s.last = binary.BigEndian.Uint32(s.buf)
	s.mu.Unlock()
	return copy(p, s.buf[pathLen:n]), err
}

// Close ends the connection, and its path if that is then unused.
func (s *serverSocket) Close() error {
	if !s.open.Swap(false) {
		return nil
	}
	l := s.listener
	l.mu.Lock()
	if l.byCID[s.cid] == s {
		delete(l.byCID, s.cid)
	}
	l.mu.Unlock()
	s.inbox.Close()
	s.mu.Lock()
	p := s.now
	s.mu.Unlock()
	if p != nil {
		p.removeConn(s, linger)
	}
	return nil
}

func (s *serverSocket) addrs() (local, remote netip.AddrPort) {
	s.mu.Lock()
	p := s.now
	s.mu.Unlock()
	if p != nil {
		if a := socket.Detect(p.socket).Addresses; a != nil {
			return a.LocalAddr(), a.RemoteAddr()
		}
	}
	return netip.AddrPort{}, netip.AddrPort{}
}

func (s *serverSocket) LocalAddr() netip.AddrPort {
	local, _ := s.addrs()
	return local
}

func (s *serverSocket) RemoteAddr() netip.AddrPort {
	_, remote := s.addrs()
	return remote
}

func (s *serverSocket) Connect(context.Context, socket.Endpoint) error {
	return fmt.Errorf("connect: %w", accept.ErrAccepted)
}

func (s *serverSocket) State() socket.State {
	if s.open.Load() {
		return socket.StateAccepted
	}
	return socket.StateClosed
}

func (s *serverSocket) InnerMTU() int {
	s.mu.Lock()
	p := s.now
	s.mu.Unlock()
	if p == nil {
		return 1280 - 48 // IPv6's least MTU without the headers
	}
	return p.socket.InnerMTU()
}

func (s *serverSocket) Kind() socket.Kind           { return socket.Datagram }
func (s *serverSocket) SetRecvDeadline(t time.Time) { s.inbox.SetRecvDeadline(t) }
func (s *serverSocket) NotifyReadable(ready func()) { s.inbox.NotifyReadable(ready) }
