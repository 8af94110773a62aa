package link

import (
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
