package leshanlife_test

import (
	"net/netip"
	"testing"
	"time"
)

// kinds are the connections of the tests.
var kinds = map[string]bool{"NoSec": false, "DTLS with a Connection ID": true}

// port returns the port of the server for a connection.
func (p *peer) port(secured bool) uint16 {
	if secured {
		return p.coaps
	}
	return p.coap
}

// TestDeviceRestarts: a device that has detached goes on with its registration and its observation,
// with DTLS by the Connection ID, without a handshake, and from another address, too. A device
// registers again if it has another address and no security, and if it was killed.
func TestDeviceRestarts(t *testing.T) {
	p := startPeer(t, 0, 0)
	for name, secured := range kinds {
		t.Run(name, func(t *testing.T) {
			l := life{Endpoint: name, Port: p.port(secured), Secured: secured, Lifetime: 5 * time.Minute, Value: 20, Store: t.TempDir()}
			handshakes := 0
			if secured {
				p.do(t, "key", name, "")
				handshakes = 1
			}
			d := startProcess(t, l)
			reg := p.event(t, name, "registered")
			if n := p.count("", "handshake"); n != handshakes {
				t.Errorf("%d handshakes, want %d", n, handshakes)
			}
			p.expect(t, "observe", name, "20.0")
			d.say(t, "21")
			p.notified(t, name, "21.0")

			d.detach(t)
			l.Value = 22
			d = startProcess(t, l)
			if up := p.event(t, name, "updated"); up.Registration != reg.Registration {
				t.Errorf("updated %+v, registered %+v", up, reg)
			}
			p.notified(t, name, "22.0") // the value of now
			d.say(t, "23")
			p.notified(t, name, "23.0")
			p.expect(t, "read", name, "23.0")
			if n := p.count(name, "registered") + p.count(name, "deregistered") + p.count("", "handshake"); n != 0 {
				t.Errorf("after Detach the device has registered again, or made a handshake")
			}

			if hasElsewhere() { // the device moves while it does not run
				d.detach(t)
				l.Local, l.Value = netip.AddrPortFrom(elsewhere, 0), 24
				d = startProcess(t, l)
				if secured {
					if up := p.event(t, name, "updated"); up.Registration != reg.Registration || up.Address != elsewhere.String() {
						t.Errorf("registered %+v, updated after a move %+v", reg, up)
					}
					p.notified(t, name, "24.0")
				} else {
					again := p.event(t, name, "registered")
					if again.Old != reg.Registration || again.Address != elsewhere.String() {
						t.Errorf("registered %+v, after a move %+v; want a new registration", reg, again)
					}
					reg = again
				}
				p.expect(t, "read", name, "24.0")
				if n := p.count(name, "registered") + p.count("", "handshake"); n != 0 {
					t.Errorf("after Detach and a move the device has registered again, or made a handshake")
				}
			}

			d.kill()
			l.Value = 25
			startProcess(t, l)
			again := p.event(t, name, "registered")
			if again.Registration == reg.Registration || again.Old != reg.Registration {
				t.Errorf("after a kill %+v, before it %+v", again, reg)
			}
			p.expect(t, "read", name, "25.0")
			if n := p.count("", "handshake"); n != handshakes {
				t.Errorf("%d handshakes after a kill, want %d", n, handshakes)
			}
		})
	}
}

// TestServerRestarts: a server that is killed and started again has lost its registrations and its
// sessions. A device comes back after a notification that is not acknowledged, and at the latest
// after a lifetime and the time of a request without a response.
func TestServerRestarts(t *testing.T) {
	const soon, short, long = 2 * time.Second, 8 * time.Second, 5 * time.Minute
	silence := transmission.MaxTransmitWait()
	lives := []struct {
		name     string
		secured  bool
		lifetime time.Duration // a notification is due if it is long
		limit    time.Duration
	}{
		{"NoSec, nothing is due", false, short, short + soon},
		{"NoSec, a notification is due", false, long, soon},
		{"DTLS, nothing is due", true, short, short + silence + soon},
		{"DTLS, a notification is due", true, long, 2*silence + soon},
	}
	p := startPeer(t, 0, 0)
	sensors := make([]*sensor, len(lives))
	for i, l := range lives {
		if l.secured {
			p.do(t, "key", l.name, "")
		}
		sensors[i] = run(t, life{Endpoint: l.name, Port: p.port(l.secured), Secured: l.secured, Lifetime: l.lifetime, Value: 20}, nil)
		p.event(t, l.name, "registered")
		p.expect(t, "observe", l.name, "20.0")
	}
	p.Kill()
	again := startPeer(t, p.coap, p.coaps)
	for _, l := range lives {
		if l.secured {
			again.do(t, "key", l.name, "")
		}
	}
	start := time.Now()
	for i, l := range lives {
		if l.lifetime == long {
			sensors[i].measure(t, 21)
		}
	}
	for i, l := range lives {
		t.Run(l.name, func(t *testing.T) {
			took := again.event(t, l.name, "registered").at.Sub(start)
			t.Logf("the device was back after %v", took.Round(time.Millisecond))
			if took > l.limit {
				t.Errorf("the device was back after %v, want at most %v", took, l.limit)
			}
			if m := again.do(t, "observe", l.name, "/3303/0/5700"); m.Code != 205 {
				t.Errorf("observe: %+v", m)
			}
			sensors[i].measure(t, 22)
			again.notified(t, l.name, "22.0")
			again.expect(t, "read", l.name, "22.0")
			if st, _ := sensors[i].Status().Server(1); l.secured && st.Secured != "new session" {
				t.Errorf("the connection is a %q", st.Secured)
			}
		})
	}
	if n := again.count("", "handshake"); n != 2 {
		t.Errorf("%d handshakes, want one for each of 2 devices", n)
	}
}
