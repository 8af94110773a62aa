package leshanlife_test

import (
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
// with DTLS by the Connection ID and without a handshake. A device that was killed registers again.
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

			d.kill()
			l.Value = 24
			startProcess(t, l)
			again := p.event(t, name, "registered")
			if again.Registration == reg.Registration || again.Old != reg.Registration {
				t.Errorf("after a kill %+v, before it %+v", again, reg)
			}
			p.expect(t, "read", name, "24.0")
			if n := p.count("", "handshake"); n != handshakes {
				t.Errorf("%d handshakes after a kill, want %d", n, handshakes)
			}
		})
	}
}

// TestServerRestarts: a server that is killed and started again has lost its registrations and its
// sessions. The device comes back within a lifetime and the time of a request without a response.
func TestServerRestarts(t *testing.T) {
	const lifetime = 8 * time.Second
	p := startPeer(t, 0, 0)
	sensors := make(map[string]*sensor)
	for name, secured := range kinds {
		if secured {
			p.do(t, "key", name, "")
		}
		sensors[name] = run(t, life{Endpoint: name, Port: p.port(secured), Secured: secured, Lifetime: lifetime, Value: 20}, nil)
		p.event(t, name, "registered")
		p.expect(t, "observe", name, "20.0")
	}
	p.kill()
	again := startPeer(t, p.coap, p.coaps)
	for name, secured := range kinds {
		if secured {
			again.do(t, "key", name, "")
		}
	}
	start := time.Now()
	for name, secured := range kinds {
		t.Run(name, func(t *testing.T) {
			again.event(t, name, "registered")
			took, limit := time.Since(start), lifetime+transmission.MaxTransmitWait()+time.Second
			t.Logf("the device was back after %v", took.Round(time.Millisecond))
			if took > limit {
				t.Errorf("the device was back after %v, want at most %v", took, limit)
			}
			again.expect(t, "observe", name, "20.0")
			sensors[name].measure(t, 21)
			again.notified(t, name, "21.0")
			if n := again.count("", "handshake"); secured && n != 1 {
				t.Errorf("%d handshakes", n)
			}
			if st, _ := sensors[name].Status().Server(1); secured && st.Secured != "new session" {
				t.Errorf("the connection is a %q", st.Secured)
			}
		})
	}
}
