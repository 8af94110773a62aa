package sockettest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
)

func basicChecks() []check {
	return []check{
		{name: "NewSocketIsClosed", run: checkNew},
		{name: "Connect", run: checkConnect},
		{name: "ConnectTwice", run: checkConnectTwice},
		{name: "ConnectWithEndedContext", run: checkEndedContext},
		{name: "Echo", run: checkEcho},
		{name: "SendKeepsNothing", run: checkSendKeepsNothing},
		{name: "CloseTwice", run: checkCloseTwice},
		{name: "ClosedSocket", run: checkClosed},
		{name: "CloseWakesRecv", run: checkCloseWakes},
		{name: "Reconnect", run: checkReconnect},
		{name: "CloseDropsData", run: checkCloseDrops},
		{name: "ConcurrentUse", run: checkConcurrent},
		{name: "CloseBesideOthers", run: checkRacingClose},
		{name: "NoGoroutineLeft", run: checkGoroutines},
		{name: "NoDescriptorLeft", run: checkDescriptors, unless: descriptorsListed},
		{name: "SecretsAreHidden", run: checkSecrets, unless: field("Secrets",
			func(r *Rig) bool { return len(r.Secrets) > 0 })},
	}
}

func checkNew(r *rig) {
	s := r.socket()
	if st := s.State(); st != socket.StateClosed {
		r.t.Errorf("State of a new socket is %q, want %q", st, socket.StateClosed)
	}
	if err := s.Send([]byte("x")); !errors.Is(err, socket.ErrClosed) {
		r.t.Errorf("Send on a new socket: %v, want ErrClosed", err)
	}
	if _, err := r.recv(s, 10); !errors.Is(err, socket.ErrClosed) {
		r.t.Errorf("Recv on a new socket: %v, want ErrClosed", err)
	}
	if m := s.InnerMTU(); m < 1 {
		r.t.Errorf("InnerMTU of a new socket is %d, want at least 1", m)
	}
	if err := s.Close(); err != nil {
		r.t.Errorf("Close on a new socket: %v", err)
	}
}

func checkConnect(r *rig) {
	s := r.socket()
	kind := s.Kind()
	peer := r.connect(s)
	if s.Kind() != kind || peer.Kind() != kind {
		r.t.Errorf("Kind is %v, after Connect %v, the peer's is %v", kind, s.Kind(), peer.Kind())
	}
	m := s.InnerMTU()
	if m < 1 || m > 1<<16 {
		r.t.Fatalf("InnerMTU is %d", m)
	}
	r.send(s, pattern(m))
	r.receive(peer, pattern(m))
}

func checkConnectTwice(r *rig) {
	s, peer := r.connected()
	if err := s.Connect(r.ctx, r.Remote); !errors.Is(err, socket.ErrConnected) {
		r.t.Errorf("Connect on a connected socket: %v, want ErrConnected", err)
	}
	r.echo(s, peer)
}

func checkEndedContext(r *rig) {
	s := r.socket()
	ctx, cancel := context.WithCancel(r.ctx)
	cancel()
	if err := s.Connect(ctx, r.Remote); !errors.Is(err, context.Canceled) {
		r.t.Errorf("Connect with a context that has ended: %v, want context.Canceled", err)
	}
	if st := s.State(); st != socket.StateClosed {
		r.t.Errorf("State after it is %q, want %q", st, socket.StateClosed)
	}
	r.echo(s, r.connect(s))
}

func checkEcho(r *rig) {
	s, peer := r.connected()
	for _, size := range []int{1, 2, 100, min(1000, s.InnerMTU()), s.InnerMTU()} {
		r.send(s, pattern(size))
		r.receive(peer, pattern(size))
		r.send(peer, pattern(min(size, peer.InnerMTU())))
		r.receive(s, pattern(min(size, peer.InnerMTU())))
	}
}

func checkSendKeepsNothing(r *rig) {
	s, peer := r.connected()
	want := pattern(500)
	buf := []byte(want)
	if err := r.offer(s, buf); err != nil {
		r.t.Fatalf("Send: %v", err)
	}
	if string(buf) != want {
		r.t.Errorf("Send has changed the caller's buffer")
	}
	clear(buf)
	r.receive(peer, want)
}

func checkCloseTwice(r *rig) {
	s, _ := r.connected()
	for range 3 {
		if err := s.Close(); err != nil {
			r.t.Errorf("Close: %v", err)
		}
		if st := s.State(); st != socket.StateClosed {
			r.t.Errorf("State after Close is %q, want %q", st, socket.StateClosed)
		}
	}
}

func checkClosed(r *rig) {
	s, _ := r.connected()
	if err := s.Close(); err != nil {
		r.t.Errorf("Close: %v", err)
	}
	if err := s.Send([]byte("x")); !errors.Is(err, socket.ErrClosed) {
		r.t.Errorf("Send after Close: %v, want ErrClosed", err)
	}
	if _, err := r.recv(s, 10); !errors.Is(err, socket.ErrClosed) {
		r.t.Errorf("Recv after Close: %v, want ErrClosed", err)
	}
}

func checkCloseWakes(r *rig) {
	s, _ := r.connected()
	s.SetRecvDeadline(time.Time{})
	c := r.pending(s)
	r.within("Close", func() { _ = s.Close() })
	if got := r.await(c, "Close"); !errors.Is(got.err, socket.ErrClosed) {
		r.t.Errorf("a Recv that was pending during Close returned %q, %v; want ErrClosed", got.text, got.err)
	}
}

func checkReconnect(r *rig) {
	s, peer := r.connected()
	for range 3 {
		r.echo(s, peer)
		r.drop(s, peer)
		peer = r.connect(s)
	}
	r.echo(s, peer)
}

func checkCloseDrops(r *rig) {
	s, peer := r.connected()
	r.send(peer, "from the first connection")
	r.arrived()
	r.drop(s, peer)
	peer = r.connect(s)
	r.send(peer, "from the second connection")
	r.receive(s, "from the second connection")
}

// checkConcurrent is for the race detector too.
func checkConcurrent(r *rig) {
	s, peer := r.connected()
	const senders, each = 4, 5
	s.SetRecvDeadline(time.Time{})
	received := r.pending(s)
	var group sync.WaitGroup
	for range senders {
		group.Go(func() {
			for range each {
				if err := r.offer(s, []byte("x")); err != nil {
					r.t.Errorf("Send beside others: %v", err)
				}
				_, _, _ = s.State(), s.InnerMTU(), s.Kind()
			}
		})
	}
	r.within("Send while a Recv is pending", group.Wait)
	r.receiveAll(peer, senders*each)
	r.send(peer, "answer")
	if got := r.await(received, "data"); got.err != nil || got.text != "answer" {
		r.t.Errorf("the pending Recv: %q, %v", got.text, got.err)
	}
}

// checkRacingClose connects and closes while other goroutines use the socket. It is mainly for the
// race detector.
func checkRacingClose(r *rig) {
	s := r.socket()
	stop := make(chan struct{})
	var group sync.WaitGroup
	others := func(what string, use func(i int) error) {
		group.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				if err := use(i); err != nil && !isOrdinary(err) {
					r.t.Errorf("%s beside Close: %v", what, err)
				}
				r.pause(time.Millisecond)
			}
		})
	}
	others("Send", func(int) error { return s.Send([]byte("x")) })
	others("Send", func(int) error { return s.Send([]byte("y")) })
	others("Recv", func(int) error { _, err := s.Recv(make([]byte, 10)); return err })
	others("SetRecvDeadline", func(i int) error {
		s.SetRecvDeadline([]time.Time{{}, socket.NoWait(), time.Now().Add(time.Millisecond)}[i%3])
		_, _, _ = s.State(), s.InnerMTU(), s.Kind()
		return nil
	})
	for range 5 {
		if err := s.Connect(r.ctx, r.Remote); err != nil {
			r.t.Errorf("Connect beside others: %v", err)
			break
		}
		ctx, cancel := context.WithTimeout(r.ctx, patience)
		peer, err := r.Peer.Accept(ctx)
		cancel()
		if err != nil {
			r.t.Errorf("the peer did not see a connection: %v", err)
			break
		}
		r.pause(settle / 4)
		r.within("Close beside others", func() { _ = s.Close() })
		_ = peer.Close()
		r.pause(settle / 4)
	}
	close(stop)
	s.SetRecvDeadline(socket.NoWait())
	r.within("Send or Recv beside Close", group.Wait)
}

// isOrdinary reports whether an error may occur in a call that is concurrent with Close.
func isOrdinary(err error) bool {
	for _, e := range []error{socket.ErrClosed, socket.ErrTimeout, socket.ErrBusy, socket.ErrRefused,
		socket.ErrReset, io.EOF} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// receiveAll receives count messages of one byte.
func (r *rig) receiveAll(s socket.Socket, count int) {
	r.t.Helper()
	for count > 0 {
		got, err := r.recv(s, 100)
		if err != nil {
			r.t.Fatalf("%d messages did not arrive: %v", count, err)
		}
		if s.Kind() == socket.Datagram && len(got) != 1 {
			r.t.Fatalf("Recv: %d bytes in a datagram, want 1", len(got))
		}
		count -= len(got)
	}
}

func checkGoroutines(r *rig) {
	var s, peer socket.Socket
	r.goroutines(func() {
		s = r.socket()
		for range 3 {
			peer = r.connect(s)
			r.echo(s, peer)
			r.drop(s, peer)
		}
	})
}

// descriptors counts the open descriptors of the process.
func descriptors() (int, error) {
	open, err := os.ReadDir("/dev/fd")
	return len(open), err
}

func descriptorsListed(*Rig, socket.Kind, socket.Abilities) string {
	if _, err := descriptors(); err != nil {
		return "the system does not list descriptors"
	}
	return ""
}

func checkDescriptors(r *rig) {
	r.drop(r.connected())
	s := r.socket()
	before, _ := descriptors()
	const rounds = 20
	for range rounds {
		r.drop(s, r.connect(s))
	}
	if after, _ := descriptors(); after-before >= rounds/2 { // other code may open and close some
		r.t.Errorf("%d descriptors more are open after %d connections", after-before, rounds)
	}
}

func checkSecrets(r *rig) {
	s, _ := r.connected()
	for _, v := range []any{s, &r.Config, r.Config, r.Config.Security, &r.Config.Security} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			out := []byte(fmt.Sprintf(verb, v))
			for i, secret := range r.Secrets {
				if containsSecret(out, secret) {
					r.t.Errorf("printing a %T with %s shows Secrets[%d]", v, verb, i)
				}
			}
		}
	}
}

// containsSecret reports whether out contains secret in one of the forms in which fmt prints bytes.
func containsSecret(out, secret []byte) bool {
	list := func(verb string) []byte { return bytes.Trim(fmt.Appendf(nil, verb, secret), "[]") }
	for _, form := range [][]byte{secret, list("%d"), list("%x"), list("%X"),
		bytes.TrimPrefix(list("%#v"), []byte("[]byte"))} {
		if len(form) > 0 && bytes.Contains(out, bytes.Trim(form, "{}")) {
			return true
		}
	}
	return false
}
