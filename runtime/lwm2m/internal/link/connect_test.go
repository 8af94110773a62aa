package link

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/coap"
)

func TestConnect(t *testing.T) {
	onRig(t, func(r *rig) {
		l := r.newLink(linkConfig{})
		l.begin()
		l.want()
		if l.Socket() != nil || l.Conn() != nil {
			t.Error("there is a connection before Connected")
		}
		r.pass(time.Second)
		l.want("connected, registration survives: false", "dial ended")
		if l.Socket() == nil || l.Conn() == nil || l.Socket().Net() != socket.Socket(l.sockets[0]) {
			t.Error("there is no connection after Connected")
		}
		if s := l.Session(); s != "" {
			t.Errorf("the session is %q, want none without security", s)
		}
		l.deliver(1)
		if err := r.group.Serve(context.Background(), l.Socket()); err != nil || l.received() != 1 {
			t.Errorf("Serve handled %d messages, and returned %v", l.received(), err)
		}
	})
}

func TestFailedConnect(t *testing.T) {
	broken := errors.New("no network")
	onRig(t, func(r *rig) {
		l := r.newLink(linkConfig{change: func(f *fakeSocket) { f.connectErr = broken }})
		l.connect()
		l.want("failed", "dial ended")
		if !errors.Is(l.err, broken) || l.Socket() != nil {
			t.Errorf("the error is %v and the connection %v", l.err, l.Socket())
		}
		l.sockets[0].connectErr = nil
		l.connect()
		l.want("connected, registration survives: false", "dial ended")
		if len(l.sockets) != 1 {
			t.Errorf("%d sockets were made, want that of the failed Connect to be used again", len(l.sockets))
		}
	})
}

// Signs of a Connect are reported while it is under way, and not after it was cancelled.
func TestSignsOfConnect(t *testing.T) {
	onRig(t, func(r *rig) {
		hold := make(chan struct{})
		first, second := errors.New("no response yet"), errors.New("still none")
		l := r.newLink(linkConfig{change: func(f *fakeSocket) { f.signs, f.hold = []error{first, second}, hold }})
		l.begin()
		hold <- struct{}{}
		r.pass(time.Second)
		l.want("sign: no response yet", "sign: still none", "connected, registration survives: false", "dial ended")
		if l.Sign() != nil {
			t.Errorf("after the Connect there is the sign %v", l.Sign())
		}
		l.Close(errReason)
		l.begin()
		l.Close(errReason)
		hold <- struct{}{}
		r.pass(time.Second)
		l.want("closing", "dial ended")
	})
}

// A Connect that is refused is repeated once, over every kind of socket: the first refusal is a
// sign, the second one a failure.
func TestRefusedConnect(t *testing.T) {
	for name, c := range map[string]struct {
		signs []error // of the socket
		calls int
	}{
		"a socket that reports the first refusal": {[]error{socket.ErrRefused}, 1},
		"a socket that fails at the first one":    {nil, 2},
	} {
		t.Run(name, func(t *testing.T) {
			onRig(t, func(r *rig) {
				l := r.newLink(linkConfig{change: func(f *fakeSocket) { f.signs, f.connectErr = c.signs, socket.ErrRefused }})
				l.begin()
				r.pass(0)
				r.pass(2 * time.Second)
				l.want("sign: connection refused", "failed", "dial ended")
				if n := len(l.sockets[0].calls); n != c.calls {
					t.Errorf("Connect was called %d times, want %d", n, c.calls)
				}
			})
		})
	}
}

// A server that starts after it has refused a stream is connected to with the same attempt.
func TestServerStartsAfterRefusal(t *testing.T) {
	onRig(t, func(r *rig) {
		l := r.newLink(linkConfig{stream: true})
		l.begin()
		r.pass(1500 * time.Millisecond) // the name is looked up, the first Connect refused
		if err := l.Sign(); !errors.Is(err, socket.ErrRefused) {
			t.Errorf("the sign is %v", err)
		}
		r.listen()
		r.pass(2 * time.Second) // the rest of the pause, and the name again
		l.events = l.events[1:]
		l.want("connected, registration survives: false", "dial ended")
	})
}

func TestFailedOpen(t *testing.T) {
	locked := errors.New("the secure element is locked")
	onRig(t, func(r *rig) {
		l := r.newLink(linkConfig{openErr: locked})
		if err := l.Connect(false); !errors.Is(err, locked) {
			t.Errorf("Connect: %v", err)
		}
		r.pass(time.Minute)
		l.want()
	})
}

func TestConnectTimeout(t *testing.T) {
	onRig(t, func(r *rig) {
		r.net.SetLookupDelay(time.Hour)
		l := r.newLink(linkConfig{})
		l.begin()
		r.pass(time.Minute - 1)
		l.want()
		r.pass(1)
		l.want("failed", "dial ended")
		if !errors.Is(l.err, context.DeadlineExceeded) {
			t.Errorf("the error is %v", l.err)
		}
	})
}

// A connection that the exchange layer refuses is closed, and has failed.
func TestConnectionWithoutExchangeLayer(t *testing.T) {
	onRig(t, func(r *rig) {
		l := r.newLink(linkConfig{params: coap.Params{AckTimeout: -1}})
		l.connect()
		l.want("failed", "dial ended")
		l.sockets[0].want(t, "connect", "close")
		if s := l.sockets[0].State(); s.Open() || l.err == nil {
			t.Errorf("the socket is %v, the error %v", s, l.err)
		}
	})
}

func TestCancelConnect(t *testing.T) {
	for name, c := range map[string]struct {
		cancel  func(*testLink)
		sockets int // that Open has made after another Connect
	}{
		"by Suspend": {func(l *testLink) { l.Suspend(errReason) }, 1},
		"by Close":   {func(l *testLink) { l.Close(errReason) }, 2},
		"by Discard": {func(l *testLink) { l.Discard(errReason, false) }, 2},
	} {
		t.Run(name, func(t *testing.T) {
			onRig(t, func(r *rig) {
				l := r.newLink(linkConfig{})
				l.begin()
				c.cancel(l)
				l.want() // neither Closing nor Failed
				r.turn()
				l.want("dial ended")
				l.connect()
				l.want("connected, registration survives: false", "dial ended")
				if len(l.sockets) != c.sockets {
					t.Errorf("%d sockets were made, want %d", len(l.sockets), c.sockets)
				}
			})
		})
	}
}

// A Connect that succeeds although it was cancelled leaves no open socket.
func TestLateConnect(t *testing.T) {
	for name, cancel := range map[string]func(*testLink){
		"by Suspend": func(l *testLink) { l.Suspend(errReason) },
		"by Close":   func(l *testLink) { l.Close(errReason) },
	} {
		t.Run(name, func(t *testing.T) {
			onRig(t, func(r *rig) {
				hold := make(chan struct{})
				held := hold
				l := r.newLink(linkConfig{change: func(f *fakeSocket) { f.hold, held = held, nil }})
				l.begin()
				late := l.sockets[0]
				cancel(l)
				r.pass(time.Hour)
				l.want() // Connect has not returned
				l.connect()
				l.want("connected, registration survives: false", "dial ended")
				close(hold)
				r.pass(2 * time.Second)
				l.want("dial ended")
				late.want(t, "connect", "close", "close")
				if s := late.State(); s.Open() {
					t.Errorf("the socket of the cancelled Connect is %v", s)
				}
				if s := l.sockets[1].State(); !s.Open() {
					t.Errorf("the socket of the second Connect is %v", s)
				}
			})
		})
	}
}

// A Connect that has succeeded, but is cancelled before the loop learns of it, leaves no open
// socket. Suspend keeps the session of the new connection.
func TestCancelAfterConnect(t *testing.T) {
	for name, c := range map[string]struct {
		cancel func(*testLink)
		call   string
	}{
		"by Suspend": {func(l *testLink) { l.Suspend(errReason) }, "shutdown"},
		"by Close":   {func(l *testLink) { l.Close(errReason) }, "close"},
	} {
		t.Run(name, func(t *testing.T) {
			onRig(t, func(r *rig) {
				l := r.newLink(linkConfig{})
				l.begin()
				<-time.After(2 * time.Second)
				if s := l.sockets[0].State(); !s.Open() {
					t.Fatalf("the socket is %v", s)
				}
				c.cancel(l)
				r.turn()
				l.want("dial ended")
				l.sockets[0].want(t, "connect", c.call)
				if s := l.sockets[0].State(); s.Open() || l.Socket() != nil {
					t.Errorf("the socket is %v, the connection %v", s, l.Socket())
				}
				l.connect()
				l.want("connected, registration survives: false", "dial ended")
			})
		})
	}
}

// With nextAddress each address of the server is tried, and then the name service is asked again.
func TestConnectToNextAddress(t *testing.T) {
	onRig(t, func(r *rig) {
		r.net.SetName("server", r.server.Addrs()[0], netip.MustParseAddr("192.0.2.250"))
		l := r.newLink(linkConfig{})
		l.connect()
		l.Close(errReason)
		l.sockets[0].want(t, "connect", "close")
		for _, want := range [][]string{{"connect next"}, {"connect next", "connect"}} {
			l.events = nil
			if err := l.Connect(true); err != nil {
				t.Fatal(err)
			}
			r.pass(2 * time.Second)
			l.want("connected, registration survives: false", "dial ended")
			l.sockets[0].want(t, want...)
			l.Close(errReason)
			l.sockets[0].want(t, "close")
		}
	})
}

func TestRemoteAddr(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*fakeSocket)
		want   func(r *rig) string
	}{
		"known": {nil, func(r *rig) string { return netip.AddrPortFrom(r.server.Addrs()[0], 5683).String() }},
		"not known": {
			func(f *fakeSocket) { f.able.Addresses = nil },
			func(*rig) string { return "server:5683" },
		},
	} {
		t.Run(name, func(t *testing.T) {
			onRig(t, func(r *rig) {
				l := r.newLink(linkConfig{change: c.change})
				l.connect()
				if got := l.RemoteAddr(); got != c.want(r) {
					t.Errorf("the address is %s, want %s", got, c.want(r))
				}
			})
		})
	}
}
