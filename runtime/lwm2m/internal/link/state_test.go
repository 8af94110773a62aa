package link

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/coap"
)

// post delivers a CoAP request from the server. Its message ID is 7.
func (l *testLink) post() {
	l.rig.t.Helper()
	b, err := (&coap.Message{Type: coap.Confirmable, Code: coap.POST, MessageID: 7}).AppendUDP(nil)
	if err != nil {
		l.rig.t.Fatal(err)
	}
	a := socket.Detect(l.opened.Socket).Addresses
	if a == nil {
		a = socket.Detect(l.sockets[0].Socket).Addresses
	}
	l.rig.net.Inject(a.RemoteAddr(), a.LocalAddr(), b)
	l.rig.turn()
	l.rig.group.ServeReady(10)
}

// TestContinuedConnection: the history of a connection continues on the next one if the server
// takes both for the same endpoint.
func TestContinuedConnection(t *testing.T) {
	session := func(r socket.Resumption) linkConfig {
		return linkConfig{secured: true, change: func(f *fakeSocket) { f.able.Session, f.resumption = f, r }}
	}
	suspend := func(l *testLink) { l.Suspend(errReason) }
	for name, c := range map[string]struct {
		link    linkConfig
		end     func(l *testLink)
		repeats bool
	}{
		"suspended":                  {linkConfig{}, suspend, true},
		"closed":                     {linkConfig{}, func(l *testLink) { l.Close(errReason) }, true},
		"lost":                       {linkConfig{}, func(l *testLink) { l.lost(l.Socket(), errReason) }, true},
		"new session":                {session(socket.NewSession), suspend, false},
		"session resumed":            {session(socket.SessionResumed), suspend, true},
		"Connection ID":              {session(socket.ConnectionIDResumed), suspend, true},
		"security without a session": {linkConfig{secured: true}, suspend, false},
		"no addresses": {linkConfig{change: func(f *fakeSocket) {
			f.able.Addresses = nil
		}}, suspend, true},
		"another port": {linkConfig{}, func(l *testLink) {
			suspend(l)
			a := socket.Detect(l.sockets[0].Socket)
			port := a.Addresses.LocalAddr().Port() + 1
			if err := a.Binder.Bind(netip.AddrPortFrom(netip.Addr{}, port)); err != nil {
				l.rig.t.Error(err)
			}
		}, false},
		"new credentials": {linkConfig{}, func(l *testLink) {
			port := socket.Detect(l.sockets[0].Socket).Addresses.LocalAddr()
			suspend(l)
			l.Renew()
			l.rig.bind = port
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			onRig(t, func(r *rig) {
				l := r.newLink(c.link)
				l.connect()
				l.post()
				c.end(l)
				r.pass(time.Minute)
				l.connect()
				l.post()
				if s := l.Stats(); s.MessagesReceived != 2 || s.Repeated != 0 != c.repeats {
					t.Errorf("%+v", s)
				}
				l.Suspend(errReason)
				r.pass(5 * time.Minute)
				l.connect()
				if l.post(); l.Conn().Stats().Repeated != 0 {
					t.Error("remembered for longer than EXCHANGE_LIFETIME")
				}
			})
		})
	}
}

// localPort returns the local port of the connection.
func (l *testLink) localPort() uint16 {
	return socket.Detect(l.Socket().Net()).Addresses.LocalAddr().Port()
}

// restart ends l and returns a link of a later process that continues it.
func (l *testLink) restart(c linkConfig, between func(State)) *testLink {
	l.rig.t.Helper()
	b, err := json.Marshal(l.Save())
	if err != nil {
		l.rig.t.Fatal(err)
	}
	l.Discard(errReason, false)
	var st State
	if err := json.Unmarshal(b, &st); err != nil {
		l.rig.t.Fatal(err)
	}
	if between != nil {
		between(st)
	}
	next := l.rig.newLink(c)
	next.Restore(st)
	return next
}

func TestRestoredLink(t *testing.T) {
	take := func(r *rig, st State) socket.Socket {
		s, err := r.device.Dialer().NewSocket(socket.Config{Local: st.Local})
		if err == nil {
			err = s.Connect(r.t.Context(), socket.Endpoint{Host: "server", Port: 5683})
		}
		if err != nil {
			r.t.Fatal(err)
		}
		return s
	}
	for name, c := range map[string]struct {
		before  func(l *testLink)
		between func(r *rig, st State)
		samePort, survives,
		repeats bool
	}{
		"connected": {func(*testLink) {}, nil, true, true, true},
		"suspended": {func(l *testLink) { l.Suspend(errReason) }, nil, true, true, true},
		"port taken": {func(*testLink) {}, func(r *rig, st State) {
			s := take(r, st)
			r.t.Cleanup(func() { _ = s.Close() })
		}, false, true, false},
		"port configured": {func(*testLink) {}, func(r *rig, st State) {
			r.bind = netip.AddrPortFrom(netip.Addr{}, st.Local.Port()+1)
		}, false, true, false},
		"moved": {func(*testLink) {}, func(r *rig, _ State) { r.device.Move() }, true, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			onRig(t, func(r *rig) {
				r.net.SetName("server", r.server.Addrs()[0])
				l := r.newLink(linkConfig{})
				l.connect()
				l.SetRegisteredFrom(l.LocalIP())
				l.post()
				port := l.localPort()
				c.before(l)
				next := l.restart(linkConfig{}, func(st State) {
					if c.between != nil {
						c.between(r, st)
					}
				})
				if got, want := next.Save(), next.last; got.Local != want.Local || string(got.Conn) != string(want.Conn) {
					t.Error("a state that was not used is lost")
				}
				next.connect()
				next.want(fmt.Sprintf("connected, registration survives: %v", c.survives), "dial ended")
				if got := next.localPort(); got == port != c.samePort {
					t.Errorf("port %d, was %d", got, port)
				}
				next.post()
				if n := next.Stats().Repeated; n != 0 != c.repeats {
					t.Errorf("%d messages were recognized as repeated", n)
				}
				next.Close(errReason)
				if s := next.sockets[0].State(); s != socket.StateClosed && name != "port configured" {
					t.Errorf("the socket is still %v", s)
				}
				if len(next.sockets) != 1 {
					t.Errorf("%d sockets were made", len(next.sockets))
				}
			})
		})
	}
}

// A Connect that fails leaves the stored port and address for the next one.
func TestRestoredLinkAfterFailedConnect(t *testing.T) {
	onRig(t, func(r *rig) {
		l := r.newLink(linkConfig{})
		l.connect()
		port := l.localPort()
		next := l.restart(linkConfig{change: func(f *fakeSocket) { f.connectErr = socket.ErrUnreachable }}, nil)
		next.connect()
		next.want("failed", "dial ended")
		next.sockets[0].connectErr = nil
		next.connect()
		if got := next.localPort(); got != port {
			t.Errorf("port %d, was %d", got, port)
		}
	})
}

// A restored link tries the address of the server that it was connected to first.
func TestRestoredServerAddress(t *testing.T) {
	onRig(t, func(r *rig) {
		second := r.net.NewHost("second")
		r.net.SetName("server", r.server.Addrs()[0], second.Addrs()[0])
		l := r.newLink(linkConfig{})
		l.connect()
		l.Close(errReason)
		if err := l.Connect(true); err != nil {
			t.Fatal(err)
		}
		r.pass(2 * time.Second)
		next := l.restart(linkConfig{}, nil)
		next.connect()
		if got := socket.Detect(next.Socket().Net()).Addresses.RemoteAddr().Addr(); got != second.Addrs()[0] {
			t.Errorf("connected to %v, want %v", got, second.Addrs()[0])
		}
	})
}

// A stream is not bound to the port of the earlier process, and has nothing else to continue.
func TestRestoredStream(t *testing.T) {
	onRig(t, func(r *rig) {
		r.listen()
		l := r.newLink(linkConfig{stream: true})
		l.connect()
		if st := l.Save(); len(st.Conn) != 0 || !st.Remote.IsValid() {
			t.Errorf("saved %+v", st)
		}
		next := l.restart(linkConfig{stream: true}, nil)
		if err := next.Connect(false); err != nil {
			t.Fatal(err)
		}
		if s := next.sockets[0].State(); s == socket.StateBound {
			t.Error("the stream is bound")
		}
		r.pass(2 * time.Second)
		next.want("connected, registration survives: false", "dial ended")
	})
}
