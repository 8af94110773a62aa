package sockettest

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
)

// Rig is a port under test and its peer. The network between them must not lose packets.
type Rig struct {
	// Dialer makes the sockets under test, with Config.
	Dialer socket.Dialer
	Config socket.Config
	// Remote is the endpoint to connect to, at which Peer accepts.
	Remote socket.Endpoint
	// Peer accepts the other end of each connection. Its sockets must be known to be good: the kit
	// does not test them.
	Peer socket.Listener

	// Unused is an endpoint at a host that can be reached, without a listener. The zero value means
	// unknown.
	Unused socket.Endpoint
	// Silent is an endpoint that never answers. The zero value means unknown.
	Silent socket.Endpoint
	// Unknown is a host name that does not exist; its lookup must fail within a few seconds. The
	// zero value means unknown.
	Unknown string
	// SecondPeer accepts at SecondRemote, an endpoint other than Remote. The zero value means that
	// there is none.
	SecondRemote socket.Endpoint
	SecondPeer   socket.Listener
	// Multihomed has a host name that resolves to two addresses, the first of which does not answer
	// and the second of which is Peer's. The zero value means that there is none.
	Multihomed socket.Endpoint
	// Taken is a local address and port that a socket to Remote cannot be bound to. The zero value
	// means unknown.
	Taken netip.AddrPort
	// Stranger sends a datagram to a local address of a socket, from an address that the socket is
	// not connected to. The zero value means that nobody can.
	Stranger func(to netip.AddrPort, datagram []byte) error
	// Translated says that there is a NAT between the socket and the peer.
	Translated bool
	// Resumes says that Peer resumes a security session when the socket connects again after
	// Shutdown.
	Resumes bool
	// Secrets are keys of at least four bytes each, which must not appear when sockets and their
	// configuration are printed.
	Secrets [][]byte
}

// patience is how long an expected event may take.
const patience = 10 * time.Second

// settle is how long the kit waits for a goroutine to block before it wakes it. The result does not
// depend on whether it has blocked.
const settle = 20 * time.Millisecond

// rig is the Rig of a running check.
type rig struct {
	Rig
	t   testing.TB
	ctx context.Context
}

// socket makes a socket, which is closed at the end of the check.
func (r *rig) socket() socket.Socket {
	r.t.Helper()
	s, err := r.Dialer.NewSocket(r.Config)
	if err != nil {
		r.t.Fatalf("NewSocket: %v", err)
	}
	r.t.Cleanup(func() { _ = s.Close() })
	return s
}

// connected makes a socket and connects it to Remote.
func (r *rig) connected() (s, peer socket.Socket) {
	r.t.Helper()
	s = r.socket()
	return s, r.connect(s)
}

// connect connects s to Remote and returns the other end.
func (r *rig) connect(s socket.Socket) socket.Socket {
	r.t.Helper()
	return r.connectTo(s, r.Remote, r.Peer)
}

func (r *rig) connectTo(s socket.Socket, remote socket.Endpoint, l socket.Listener) socket.Socket {
	r.t.Helper()
	if err := s.Connect(r.ctx, remote); err != nil {
		r.t.Fatalf("Connect to %s: %v", remote, err)
	}
	return r.greet(s, l)
}

// hello is the first message on a connection, by which a listener for datagrams notices the
// connection.
const hello = "hello"

// greet sends the first message and returns the end that receives it: for an address that was used
// before, this may be an earlier accepted socket.
func (r *rig) greet(s socket.Socket, l socket.Listener) socket.Socket {
	r.t.Helper()
	if s.State() != socket.StateConnected {
		r.t.Fatalf("State after Connect is %q, want %q", s.State(), socket.StateConnected)
	}
	r.send(s, hello)
	ctx, cancel := context.WithTimeout(r.ctx, patience)
	defer cancel()
	peer, err := l.Accept(ctx)
	if err != nil {
		r.t.Fatalf("the peer did not see a connection: %v", err)
	}
	r.t.Cleanup(func() { _ = peer.Close() })
	r.receive(peer, hello)
	return peer
}

// drop closes both ends, so that the next connection is a new one for the peer too.
func (r *rig) drop(s, peer socket.Socket) {
	r.t.Helper()
	if err := s.Close(); err != nil {
		r.t.Errorf("Close: %v", err)
	}
	_ = peer.Close()
}

// send sends text.
func (r *rig) send(s socket.Socket, text string) {
	r.t.Helper()
	if err := r.offer(s, []byte(text)); err != nil {
		r.t.Fatalf("Send of %d bytes: %v", len(text), err)
	}
}

// offer sends p, and repeats that while the socket is busy.
func (r *rig) offer(s socket.Socket, p []byte) error {
	err := s.Send(p)
	for end := time.Now().Add(patience); errors.Is(err, socket.ErrBusy) && time.Now().Before(end); {
		r.pause(time.Millisecond)
		err = s.Send(p)
	}
	return err
}

// receive expects text: as one datagram, or as the next bytes of a stream.
func (r *rig) receive(s socket.Socket, text string) {
	r.t.Helper()
	if s.Kind() == socket.Stream {
		r.receiveStream(s, text)
		return
	}
	got, err := r.recv(s, len(text)+100)
	if err != nil {
		r.t.Fatalf("Recv: %v, want a datagram of %d bytes", err, len(text))
	}
	if got != text {
		r.t.Fatalf("Recv: %q, want %q", short(got), short(text))
	}
}

func (r *rig) receiveStream(s socket.Socket, text string) {
	r.t.Helper()
	for rest := text; rest != ""; {
		got, err := r.recv(s, len(rest))
		if err != nil {
			r.t.Fatalf("Recv: %v, with %d of %d bytes missing", err, len(rest), len(text))
		}
		if got == "" || got != rest[:len(got)] {
			r.t.Fatalf("Recv: %q at byte %d, want %q", short(got), len(text)-len(rest), short(rest))
		}
		rest = rest[len(got):]
	}
}

// recv is one Recv with a deadline, and a limit beyond it.
func (r *rig) recv(s socket.Socket, size int) (string, error) {
	r.t.Helper()
	s.SetRecvDeadline(time.Now().Add(patience))
	return r.recvNow(s, size)
}

// recvNow is one Recv with the deadline that is set.
func (r *rig) recvNow(s socket.Socket, size int) (string, error) {
	r.t.Helper()
	buf := make([]byte, size)
	var n int
	var err error
	r.within("Recv", func() { n, err = s.Recv(buf) })
	if n < 0 || n > size {
		r.t.Fatalf("Recv returned %d for a buffer of %d bytes", n, size)
	}
	return string(buf[:n]), err
}

// within fails the check if f does not return.
func (r *rig) within(what string, f func()) {
	r.t.Helper()
	r.wait(what, r.start(f))
}

// start runs f in a goroutine.
func (r *rig) start(f func()) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	return done
}

// wait waits for the end of a started function.
func (r *rig) wait(what string, done <-chan struct{}) {
	r.t.Helper()
	timeout := time.NewTimer(2 * patience)
	defer timeout.Stop()
	select {
	case <-done:
	case <-timeout.C:
		r.t.Fatalf("%s did not return within %v", what, 2*patience)
	}
}

// pending starts a Recv and gives it time to block. The channel delivers the result.
func (r *rig) pending(s socket.Socket) <-chan result {
	c := make(chan result, 1)
	go func() {
		buf := make([]byte, 100)
		n, err := s.Recv(buf)
		c <- result{string(buf[:max(n, 0)]), err}
	}()
	r.pause(settle)
	return c
}

type result struct {
	text string
	err  error
}

// await waits for the result of a pending Recv.
func (r *rig) await(c <-chan result, why string) result {
	r.t.Helper()
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	select {
	case got := <-c:
		return got
	case <-timeout.C:
		r.t.Fatalf("a pending Recv was not woken by %s within %v", why, patience)
		return result{}
	}
}

// pause waits for d.
func (r *rig) pause(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	<-timer.C
}

// arrived waits long enough for data of the peer to arrive: the network cannot be asked.
func (r *rig) arrived() { r.pause(50 * time.Millisecond) }

// echo sends a message in each direction.
func (r *rig) echo(s, peer socket.Socket) {
	r.t.Helper()
	r.send(s, "question")
	r.receive(peer, "question")
	r.send(peer, "answer")
	r.receive(s, "answer")
}

func short(s string) string {
	if len(s) > 40 {
		return s[:40] + "..."
	}
	return s
}

// pattern returns size bytes that are not all alike.
func pattern(size int) string {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(i + i>>8)
	}
	return string(b)
}

// isEnd reports whether an error is that of the end of a stream.
func isEnd(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, socket.ErrReset) }
