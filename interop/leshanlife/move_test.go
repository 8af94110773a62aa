package leshanlife_test

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/interop/internal/relay"
	"github.com/lwm2mgen/toolkit/net/dtls"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/net/udp"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
)

// elsewhere is another address of the loopback interface.
var elsewhere = netip.MustParseAddr("127.0.0.2")

// hasElsewhere reports whether the loopback interface has that address.
func hasElsewhere() bool {
	c, err := net.ListenPacket("udp4", netip.AddrPortFrom(elsewhere, 0).String())
	if err != nil {
		return false
	}
	_ = c.Close()
	return true
}

// mover is udp.Dialer, and lets its last socket connect from another address.
type mover struct {
	udp.Dialer
	last socket.Socket
}

func (m *mover) NewSocket(c socket.Config) (socket.Socket, error) {
	s, err := m.Dialer.NewSocket(c)
	m.last = s
	return s, err
}

// move gives the device another address, about which it learns by Reconnect.
func (m *mover) move(t *testing.T, s *sensor, to netip.Addr) {
	t.Helper()
	bound := make(chan error, 1)
	s.Sched().Post(func() { bound <- socket.Detect(m.last).Binder.Bind(netip.AddrPortFrom(to, 0)) })
	if err := <-bound; err != nil {
		t.Fatal(err)
	}
	if err := s.Reconnect(1); err != nil {
		t.Fatal(err)
	}
}

// TestDeviceMoves: the address of the device changes. Over DTLS the connection goes on by its
// Connection ID, without a handshake and without a Register. Without security the device registers
// again.
func TestDeviceMoves(t *testing.T) {
	if !hasElsewhere() {
		t.Skip("the loopback interface has no second address")
	}
	p := startPeer(t, 0, 0)

	for name, secured := range kinds {
		t.Run("Reconnect, "+name, func(t *testing.T) {
			if secured {
				p.do(t, "key", name, "")
			}
			var m mover
			s := run(t, life{Endpoint: name, Port: p.port(secured), Secured: secured, Lifetime: 5 * time.Minute, Value: 20},
				func(c *lwm2m.Config) { c.Dialers = []socket.Dialer{&m, dtls.Dialer{Below: &m}} })
			reg := p.event(t, name, "registered")
			p.expect(t, "observe", name, "20.0")
			p.count("", "handshake")
			m.move(t, s, elsewhere)
			if !secured {
				if again := p.event(t, name, "registered"); again.Old != reg.Registration || again.Address != elsewhere.String() {
					t.Errorf("registered %+v, then %+v; want a new registration from %v", reg, again, elsewhere)
				}
				p.expect(t, "read", name, "20.0")
				return
			}
			up := p.event(t, name, "updated")
			if up.Registration != reg.Registration || up.Address != elsewhere.String() {
				t.Errorf("registered %+v, updated %+v; want the same registration from %v", reg, up, elsewhere)
			}
			p.expect(t, "read", name, "20.0")
			s.measure(t, 21)
			p.notified(t, name, "21.0")
			if n := p.count("", "handshake") + p.count(name, "registered"); n != 0 {
				t.Errorf("the device has registered again, or made a handshake")
			}
		})
	}

	t.Run("a NAT rebinds", func(t *testing.T) {
		const name = "behind a NAT"
		p.do(t, "key", name, "")
		nat := relay.New(t, p.coaps)
		s := run(t, life{Endpoint: name, Port: nat.Endpoint().Port, Secured: true, Lifetime: 5 * time.Minute, Value: 20}, nil)
		reg := p.event(t, name, "registered")
		p.expect(t, "observe", name, "20.0")
		if seen := nat.Take(); seen.KeyExchanges != 1 || seen.WithCID == 0 {
			t.Fatalf("a full handshake: %+v", seen)
		}
		nat.Rebind()
		s.measure(t, 21)
		p.notified(t, name, "21.0") // although the device knows of nothing
		p.expect(t, "read", name, "21.0")
		nat.Rebind()
		if err := s.Update(1); err != nil {
			t.Fatal(err)
		}
		up := p.event(t, name, "updated")
		if up.Registration != reg.Registration || up.Port == reg.Port {
			t.Errorf("registered %+v, updated %+v; want the same registration from another port", reg, up)
		}
		p.expect(t, "read", name, "21.0")
		if seen := nat.Take(); seen.Handshake != 0 || seen.WithCID < 3 || nat.Ports() != 3 {
			t.Errorf("from %d ports: %+v; want no handshake", nat.Ports(), seen)
		}
	})
}
