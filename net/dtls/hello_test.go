package dtls

import (
	"testing"
	"testing/synctest"
	"time"

	pion "github.com/pion/dtls/v3"

	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
)

// clientHello holds the offers of a ClientHello (RFC 5246 §7.4.1.2).
type clientHello struct {
	session    []byte
	suites     []socket.CipherSuite
	extensions map[uint16][]byte
}

// Extensions that the tests look for.
const (
	extServerName   = 0
	extConnectionID = 54
)

// parseHello reads a datagram with a ClientHello that is not fragmented. ok is false for any other.
func parseHello(datagram []byte) (h clientHello, ok bool) {
	const typeHello, versionAndRandom = 1, 2 + 32
	if len(datagram) < headerLen+messageHead || datagram[0] != typeHandshake || datagram[headerLen] != typeHello {
		return h, false
	}
	r := reader{b: datagram[headerLen+messageHead:]}
	r.take(versionAndRandom)
	h.session = r.take(int(r.byte()))
	r.take(int(r.byte())) // cookie
	for list := r.take(int(r.uint16())); len(list) > 1; list = list[2:] {
		h.suites = append(h.suites, socket.CipherSuite(list[0])<<8|socket.CipherSuite(list[1]))
	}
	r.take(int(r.byte())) // compression methods
	h.extensions = make(map[uint16][]byte)
	all := reader{b: r.take(int(r.uint16()))}
	for len(all.b) > 0 && !all.bad {
		id := all.uint16()
		h.extensions[id] = all.take(int(all.uint16()))
	}
	return h, !r.bad && !all.bad
}

// hellos collects what the device offers.
func hellos(w *world) *[]clientHello {
	var all []clientHello
	w.net.SetFilter(func(p simnet.Packet) bool {
		if h, ok := parseHello(p.Data); ok && p.To.Port() == 5684 {
			all = append(all, h)
		}
		return true
	})
	return &all
}

// TestServerNameIndication: the Server Name Indication is the configured name or the host, and
// never an address.
func TestServerNameIndication(t *testing.T) {
	for _, c := range []struct {
		name, host, want string
		psk              bool
	}{
		{"", "server.example", "server.example", false},
		{"server.example", "198.18.0.2", "server.example", false},
		{"", "198.18.0.2", "", false},
		{"198.18.0.2", "server.example", "", false},
		{"server.example", "198.18.0.2", "server.example", true},
		{"", "198.18.0.2", "", true},
		{"2001:db8::1", "server.example", "", true},
		{"[2001:db8::1]", "server.example", "", true},
	} {
		synctest.Test(t, func(t *testing.T) {
			a := newAuthority(t)
			w := newWorld(t, 1)
			offered := hellos(w)
			sec, server := a.security(), a.serverOptions()
			if c.psk {
				sec, server = pskSecurity(), pskServer()
			}
			sec.ServerName = c.name
			startPion(t, w.packets, server...)
			s := w.socket(t, sec)
			mustConnect(t, s, socket.Endpoint{Host: c.host, Port: 5684})
			for _, h := range *offered {
				got := ""
				// A list with one name (RFC 6066 §3).
				if list := h.extensions[extServerName]; len(list) > 5 {
					got = string(list[5:])
				}
				if _, there := h.extensions[extServerName]; got != c.want || there != (c.want != "") {
					t.Errorf("%q at %s: the indication is %q, want %q", c.name, c.host, got, c.want)
				}
			}
			if len(*offered) == 0 {
				t.Error("no ClientHello was seen")
			}
		})
	}
}

// TestSessionOrConnectionID: a handshake offers one or the other. When a server declines a session,
// the next handshake offers the Connection ID again.
func TestSessionOrConnectionID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		offered := hellos(w)
		store := newStore()
		startPion(t, w.packets, append(pskServer(), pion.WithSessionStore(store))...)
		s := w.socket(t, pskSecurity())
		for i, c := range []struct {
			forget       bool
			session, cid bool // offered
			resumption   socket.Resumption
		}{
			{false, false, true, socket.NewSession},
			{false, true, false, socket.SessionResumed},
			{true, true, false, socket.NewSession},
			{false, false, true, socket.NewSession},
		} {
			if c.forget {
				clear(store.m)
			}
			*offered = nil
			mustConnect(t, s, serverEnd)
			mustEcho(t, s, "hello")
			for _, h := range *offered {
				_, cid := h.extensions[extConnectionID]
				if session := len(h.session) > 0; session != c.session || cid != c.cid {
					t.Errorf("connection %d offers a session: %v, a Connection ID: %v", i, session, cid)
				}
			}
			if s.Resumption() != c.resumption || len(*offered) == 0 {
				t.Errorf("connection %d is a %v after %d ClientHellos", i, s.Resumption(), len(*offered))
			}
			_ = s.Close()
		}
	})
}

// TestNoCBCBesideConnectionID: pion computes the MAC of CBC suites differently from RFC 9146 §5.1.
// A server that has only those gets a second handshake without a Connection ID.
func TestNoCBCBesideConnectionID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		offered := hellos(w)
		startPion(t, w.packets, append(pskServer(pion.TLS_PSK_WITH_AES_128_CBC_SHA256), pion.WithConnectionIDGenerator(pion.RandomCIDGenerator(8)))...)
		s := w.socket(t, pskSecurity())
		mustConnect(t, s, serverEnd)
		mustEcho(t, s, "hello")
		without := 0
		for _, h := range *offered {
			_, cid := h.extensions[extConnectionID]
			if !cid {
				without++
			}
			for _, id := range h.suites {
				if u, ok := suiteByID(id); cid && ok && u.kind == kindCBC {
					t.Errorf("%s is offered beside a Connection ID", u.name)
				}
			}
		}
		if without == 0 || without == len(*offered) {
			t.Errorf("%d of %d ClientHellos are without a Connection ID", without, len(*offered))
		}
	})
}

// TestSlowServerIsWaitedFor: the timers restart with each step of the server; all steps together
// take longer than the timers allow for one.
func TestSlowServerIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		mustDefault(t, w, simnet.Link{Delay: 2500 * time.Millisecond})
		startPion(t, w.packets, pskServer()...)
		sec := pskSecurity()
		sec.HandshakeMin, sec.HandshakeMax = time.Second, 4*time.Second // 7 s in all
		s := w.socket(t, sec)
		start := time.Now()
		mustConnect(t, s, serverEnd)
		if d := time.Since(start); d < 10*time.Second {
			t.Errorf("it took %v, which shows nothing", d)
		}
	})
}

// TestRepeatedFlightsAreFew: plaintext handshake messages make the socket repeat its last flight
// five times a second at most, and never after an authentic record.
func TestRepeatedFlightsAreFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		startPion(t, w.packets, withStore(pskServer())...)
		s := w.socket(t, pskSecurity())
		mustConnect(t, s, serverEnd)
		mustEcho(t, s, "first")
		_ = s.Close()
		mustConnect(t, s, serverEnd)
		if s.Resumption() != socket.SessionResumed {
			t.Fatal(s.Resumption())
		}
		sent := 0
		w.net.SetFilter(func(p simnet.Packet) bool {
			if p.To.Port() == 5684 {
				sent++
			}
			return true
		})
		hello := forged(typeHandshake, 0, 9, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
		provoke := func() int {
			sent = 0
			for range 200 {
				for range 5 {
					w.net.Inject(s.Able.Addresses.RemoteAddr(), s.Able.Addresses.LocalAddr(), hello)
				}
				s.SetRecvDeadline(time.Now().Add(5 * time.Millisecond))
				if n, err := s.Recv(make([]byte, 100)); n != 0 {
					t.Fatalf("%d bytes, %v", n, err)
				}
			}
			return sent
		}
		if n := provoke(); n < 2 || n > 6 {
			t.Errorf("a thousand forged messages within a second made the device send %d datagrams", n)
		}
		mustEcho(t, s, "second")
		if n := provoke(); n != 0 {
			t.Errorf("after an answer they made it send %d", n)
		}
	})
}
