package sockettest

import (
	"context"
	"errors"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
)

func abilityChecks() []check {
	has := func(name string, f func(a socket.Abilities) bool) func(*Rig, socket.Kind, socket.Abilities) string {
		return ability(name, f)
	}
	handle := has("Handle", func(a socket.Abilities) bool { return a.Handle != nil })
	session := has("Session", func(a socket.Abilities) bool { return a.Session != nil })
	shutdown := has("Shutdowner", func(a socket.Abilities) bool { return a.Shutdowner != nil })
	return []check{
		{name: "Counters", run: checkCounters, unless: has("Counters",
			func(a socket.Abilities) bool { return a.Counters != nil })},
		{name: "Handle", run: checkHandle, unless: handle},
		{name: "Buffered", run: checkBuffered, unless: has("Buffered",
			func(a socket.Abilities) bool { return a.Buffered != nil })},
		{name: "Notifier", run: checkNotifier, unless: has("Notifier",
			func(a socket.Abilities) bool { return a.Notifier != nil })},
		{name: "Poller", run: checkPoller},
		{name: "ReceiverOff", run: checkReceiverOff, unless: has("ReceiverOff",
			func(a socket.Abilities) bool { return a.ReceiverOff != nil })},
		{name: "Shutdown", run: checkShutdown, unless: shutdown},
		{name: "ShutdownOfClosed", run: checkShutdownClosed, unless: shutdown},
		{name: "NewSession", run: checkNewSession, unless: session},
		{name: "SessionResumed", run: checkResumed, unless: requires(session, shutdown, field("Resumes",
			func(r *Rig) bool { return r.Resumes }))},
	}
}

func checkCounters(r *rig) {
	s := r.socket()
	c := socket.Detect(s).Counters
	if c.BytesSent() != 0 || c.BytesReceived() != 0 {
		r.t.Errorf("counters of a new socket are %d and %d", c.BytesSent(), c.BytesReceived())
	}
	secured := r.Config.Security.Mode != socket.ModeNoSec
	peer := r.connect(s)
	for range 2 {
		sent, received := c.BytesSent(), c.BytesReceived()
		r.send(s, pattern(300))
		r.receive(peer, pattern(300))
		r.send(peer, pattern(200))
		r.receive(s, pattern(200))
		if d := c.BytesSent() - sent; d < 300 || d > 300 && !secured {
			r.t.Errorf("BytesSent rose by %d for 300 bytes", d)
		}
		if d := c.BytesReceived() - received; d < 200 || d > 200 && !secured {
			r.t.Errorf("BytesReceived rose by %d for 200 bytes", d)
		}
		sent, received = c.BytesSent(), c.BytesReceived()
		r.drop(s, peer)
		peer = r.connect(s)
		if c.BytesSent() < sent || c.BytesReceived() < received {
			r.t.Errorf("the counters fell over a reconnect: from %d and %d to %d and %d", sent, received,
				c.BytesSent(), c.BytesReceived())
		}
	}
}

func checkHandle(r *rig) {
	s := r.socket()
	h := socket.Detect(s).Handle
	called := false
	if err := h.SystemHandle(func(uintptr) { called = true }); !errors.Is(err, socket.ErrClosed) || called {
		r.t.Errorf("SystemHandle of a closed socket: %v, called %v; want ErrClosed without a call", err, called)
	}
	peer := r.connect(s)
	for range 2 {
		if err := h.SystemHandle(func(uintptr) { called = true }); err != nil || !called {
			r.t.Errorf("SystemHandle: %v, called %v", err, called)
		}
		r.echo(s, peer)
	}
	if err := s.Close(); err != nil {
		r.t.Errorf("Close: %v", err)
	}
	if err := h.SystemHandle(func(uintptr) {
		r.t.Errorf("SystemHandle of a closed socket calls")
	}); !errors.Is(err, socket.ErrClosed) {
		r.t.Errorf("SystemHandle after Close: %v, want ErrClosed", err)
	}
}

func checkBuffered(r *rig) {
	s, peer := r.connected()
	b := socket.Detect(s).Buffered
	s.SetRecvDeadline(socket.NoWait())
	if b.HasBuffered() {
		r.t.Errorf("HasBuffered although nothing was sent")
	}
	for range 3 {
		r.send(peer, "something")
	}
	r.arrived()
	for b.HasBuffered() {
		if _, err := r.recvNow(s, 4); err != nil && !errors.Is(err, socket.ErrMessageTooLong) {
			r.t.Fatalf("HasBuffered, but Recv with NoWait: %v", err)
		}
	}
}

// notified returns a channel that receives a token whenever ready is called.
func notified() (ready func(), calls <-chan struct{}) {
	c := make(chan struct{}, 1)
	return func() {
		select {
		case c <- struct{}{}:
		default:
		}
	}, c
}

func checkNotifier(r *rig) {
	s, peer := r.connected()
	r.notifies(s, peer, socket.Detect(s).Notifier)
}

// notifies checks the contract of Notifier.
func (r *rig) notifies(s, peer socket.Socket, n socket.Notifier) {
	r.t.Helper()
	s.SetRecvDeadline(socket.NoWait())
	r.send(peer, "waiting already")
	r.arrived()
	ready, calls := notified()
	n.NotifyReadable(ready)
	select {
	case <-calls:
	default:
		if got, err := r.recvNow(s, 100); err == nil {
			r.t.Fatalf("NotifyReadable returned without a call, and %q was waiting", got)
		} // otherwise it has not arrived yet
	}
	r.drain(s, calls, "waiting already")
	for i := range 5 {
		text := pattern(10 + i)
		r.send(peer, text)
		r.drain(s, calls, text)
	}
	r.drop(s, peer)
	r.expectCall(calls, "Close")
	peer2 := r.connect(s)
	r.send(peer2, "after a reconnect")
	r.drain(s, calls, "after a reconnect")
	n.NotifyReadable(nil)
	if r.countsEveryCall(s, peer2, calls) {
		r.t.Errorf("a call after NotifyReadable(nil)")
	}
	r.drop(s, peer2)
}

// countsEveryCall reports whether there is a call for every message of peer. A single call may
// belong to an earlier message.
func (r *rig) countsEveryCall(s, peer socket.Socket, calls <-chan struct{}) bool {
	r.t.Helper()
	for range 3 {
		r.send(peer, "unheard")
		r.arrived()
		for err := error(nil); err == nil; { // so that the next message causes a call
			_, err = r.recvNow(s, 100)
		}
		select {
		case <-calls:
		default:
			return false
		}
	}
	return true
}

// drain follows the rule of Notifier until text has come, and nothing but text.
func (r *rig) drain(s socket.Socket, calls <-chan struct{}, text string) {
	r.t.Helper()
	for {
		got, err := r.recvNow(s, 100)
		switch {
		case errors.Is(err, socket.ErrTimeout) && text == "":
			return
		case errors.Is(err, socket.ErrTimeout):
			r.expectCall(calls, "data")
		case err != nil:
			r.t.Fatalf("Recv: %v", err)
		case len(got) > len(text) || got != text[:len(got)]:
			r.t.Fatalf("Recv: %q, want %q", short(got), short(text))
		default:
			text = text[len(got):]
		}
	}
}

func (r *rig) expectCall(calls <-chan struct{}, why string) {
	r.t.Helper()
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	select {
	case <-calls:
	case <-timeout.C:
		r.t.Fatalf("no call for %s within %v", why, patience)
	}
}

// checkPoller checks that the socket works with socket.Poller, and that the descriptor of a Handle
// is readable when it should be.
func checkPoller(r *rig) {
	r.goroutines(func() {
		var p socket.Poller
		r.t.Cleanup(func() { _ = p.Close() })
		s, err := p.Wrap(r.socket())
		if err != nil {
			r.t.Fatalf("Wrap: %v", err)
		}
		peer := r.connect(s)
		r.notifies(s, peer, socket.Detect(s).Notifier)
		if err := p.Close(); err != nil {
			r.t.Errorf("Poller.Close: %v", err)
		}
	})
}

func checkReceiverOff(r *rig) {
	s, peer := r.connected()
	off := socket.Detect(s).ReceiverOff
	for range 2 {
		off.ReceiverOff()
		off.ReceiverOff()
		r.echo(s, peer)
	}
	off.ReceiverOff()
	r.drop(s, peer)
	off.ReceiverOff()
	r.echo(s, r.connect(s))
}

func checkShutdown(r *rig) {
	s, peer := r.connected()
	a := socket.Detect(s)
	s.SetRecvDeadline(time.Time{})
	c := r.pending(s)
	r.within("Shutdown", func() {
		if err := a.Shutdowner.Shutdown(); err != nil {
			r.t.Errorf("Shutdown: %v", err)
		}
	})
	if got := r.await(c, "Shutdown"); !errors.Is(got.err, socket.ErrClosed) {
		r.t.Errorf("a Recv that was pending during Shutdown returned %q, %v; want ErrClosed", got.text, got.err)
	}
	if st := s.State(); st != socket.StateShutdown {
		r.t.Errorf("State is %q, want %q", st, socket.StateShutdown)
	}
	if err := s.Send([]byte("x")); !errors.Is(err, socket.ErrClosed) {
		r.t.Errorf("Send after Shutdown: %v, want ErrClosed", err)
	}
	if a.Addresses != nil && !a.Addresses.RemoteAddr().IsValid() {
		r.t.Errorf("Shutdown has lost the addresses")
	}
	if err := s.Connect(r.ctx, r.Remote); err != nil {
		r.t.Fatalf("Connect after Shutdown: %v", err)
	}
	r.reconnectAfterShutdown(s, peer)
}

// reconnectAfterShutdown exchanges messages after Shutdown and Connect. The peer may have the
// connection that it knew, or a new one.
func (r *rig) reconnectAfterShutdown(s, peer socket.Socket) {
	r.t.Helper()
	r.send(s, hello)
	peer.SetRecvDeadline(time.Now().Add(soon))
	if got, err := r.recvNow(peer, 100); err != nil || got != hello {
		ctx, cancel := context.WithTimeout(r.ctx, patience)
		defer cancel()
		if peer, err = r.Peer.Accept(ctx); err != nil {
			r.t.Fatalf("the peer saw neither the old connection nor a new one: %v", err)
		}
		r.t.Cleanup(func() { _ = peer.Close() })
		r.receive(peer, hello)
	}
	r.echo(s, peer)
	if err := s.Close(); err != nil || s.State() != socket.StateClosed {
		r.t.Errorf("Close: %v, state %q", err, s.State())
	}
}

func checkShutdownClosed(r *rig) {
	s := r.socket()
	sh := socket.Detect(s).Shutdowner
	if err := sh.Shutdown(); !errors.Is(err, socket.ErrClosed) {
		r.t.Errorf("Shutdown of a new socket: %v, want ErrClosed", err)
	}
	if st := s.State(); st != socket.StateClosed {
		r.t.Errorf("State after it is %q, want %q", st, socket.StateClosed)
	}
	r.echo(s, r.connect(s))
	if err := sh.Shutdown(); err != nil {
		r.t.Errorf("Shutdown: %v", err)
	}
	if err := s.Close(); err != nil || s.State() != socket.StateClosed {
		r.t.Errorf("Close after Shutdown: %v, state %q", err, s.State())
	}
}

func checkNewSession(r *rig) {
	s, peer := r.connected()
	if got := socket.Detect(s).Session.Resumption(); got != socket.NewSession {
		r.t.Errorf("Resumption of a first connection is %q", got)
	}
	r.echo(s, peer)
}

func checkResumed(r *rig) {
	s, peer := r.connected()
	a := socket.Detect(s)
	r.echo(s, peer)
	if err := a.Shutdowner.Shutdown(); err != nil {
		r.t.Fatalf("Shutdown: %v", err)
	}
	if err := s.Connect(r.ctx, r.Remote); err != nil {
		r.t.Fatalf("Connect after Shutdown: %v", err)
	}
	if got := a.Session.Resumption(); got == socket.NewSession {
		r.t.Errorf("Resumption after Shutdown is %q, and the peer resumes", got)
	}
	r.reconnectAfterShutdown(s, peer)
}
