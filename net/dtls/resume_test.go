package dtls

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	pion "github.com/pion/dtls/v3"

	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
)

// pionStore is a session store for pion's server.
type pionStore struct{ m map[string]pion.Session }

func (s *pionStore) Set(k []byte, v pion.Session) error { s.m[string(k)] = v; return nil }
func (s *pionStore) Get(k []byte) (pion.Session, error) { return s.m[string(k)], nil }
func (s *pionStore) Del(k []byte) error                 { delete(s.m, string(k)); return nil }
func withStore(o []pion.ServerOption) []pion.ServerOption {
	return append(o, pion.WithSessionStore(newStore()))
}
func newStore() *pionStore { return &pionStore{make(map[string]pion.Session)} }

// counter counts the handshake messages and datagrams of a device.
type counter struct{ datagrams, clientKeyExchanges, hellos int }

func (c *counter) watch(w *world) {
	w.net.SetFilter(func(p simnet.Packet) bool {
		if p.To.Port() != 5684 {
			return true
		}
		c.datagrams++
		for rest := p.Data; len(rest) > 0; {
			h, record, after, ok := splitRecord(rest, 0)
			if !ok {
				break
			}
			rest = after
			if h.typ == typeHandshake && h.epoch == 0 {
				switch record[h.body] {
				case 1:
					c.hellos++
				case msgClientKey:
					c.clientKeyExchanges++
				}
			}
		}
		return true
	})
}

// TestAbbreviatedHandshake: every kind of reconnect resumes the session, also in another process
// that shares only the store.
func TestAbbreviatedHandshake(t *testing.T) {
	for _, suite := range []pion.CipherSuiteID{pion.TLS_PSK_WITH_AES_128_CCM_8, pion.TLS_PSK_WITH_AES_128_CBC_SHA256} {
		t.Run(suite.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1)
				startPion(t, w.packets, withStore(pskServer(suite))...)
				var c counter
				c.watch(w)
				sec := pskSecurity()
				sec.Sessions = &socket.MemorySessions{}
				s := w.socket(t, sec)
				mustConnect(t, s, serverEnd)
				mustEcho(t, s, "first")
				if s.Resumption() != socket.NewSession || c.clientKeyExchanges != 1 {
					t.Fatalf("%v with %d ClientKeyExchanges", s.Resumption(), c.clientKeyExchanges)
				}
				for i, end := range []func() error{s.Close, s.Close, s.Close} {
					if err := end(); err != nil {
						t.Fatal(err)
					}
					if i == 2 {
						s = w.socket(t, sec) // as after a restart
					}
					c = counter{}
					mustConnect(t, s, serverEnd)
					if s.Resumption() != socket.SessionResumed || c.clientKeyExchanges != 0 || c.datagrams != 3 {
						t.Fatalf("reconnect %d: %v with %d ClientKeyExchanges in %d datagrams", i, s.Resumption(), c.clientKeyExchanges, c.datagrams)
					}
					mustEcho(t, s, fmt.Sprint("resumed ", i))
				}
			})
		})
	}
}

// TestLostLastFlight: the client's last flight of an abbreviated handshake is lost, which pion
// never repeats.
func TestLostLastFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		startPion(t, w.packets, withStore(pskServer())...)
		s := w.socket(t, pskSecurity())
		mustConnect(t, s, serverEnd)
		mustEcho(t, s, "first")
		_ = s.Close()
		lost := 0
		w.net.SetFilter(func(p simnet.Packet) bool {
			if p.To.Port() == 5684 && p.Data[0] == typeChangeCipherSpec && lost < 3 {
				lost++
				return false
			}
			return true
		})
		mustConnect(t, s, serverEnd)
		if s.Resumption() != socket.SessionResumed || lost != 1 {
			t.Fatalf("%v, %d lost", s.Resumption(), lost)
		}
		mustEcho(t, s, "after the loss of three flights")
		if lost != 3 {
			t.Errorf("%d lost", lost)
		}
	})
}

// TestDeclinedSession: a server that has forgotten the session gets a full handshake.
func TestDeclinedSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		store := newStore()
		startPion(t, w.packets, append(pskServer(), pion.WithSessionStore(store))...)
		s := w.socket(t, pskSecurity())
		mustConnect(t, s, serverEnd)
		mustEcho(t, s, "first")
		_ = s.Close()
		clear(store.m)
		mustConnect(t, s, serverEnd)
		mustEcho(t, s, "second")
		if s.Resumption() != socket.NewSession {
			t.Error(s.Resumption())
		}
	})
}

// TestUnansweredResumption: a resumed connection without any answer is not resumed again.
func TestUnansweredResumption(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		startPion(t, w.packets, withStore(pskServer())...)
		s := w.socket(t, pskSecurity())
		for i, want := range []socket.Resumption{socket.NewSession, socket.SessionResumed, socket.NewSession} {
			mustConnect(t, s, serverEnd)
			if s.Resumption() != want {
				t.Errorf("connection %d: %v", i, s.Resumption())
			}
			_ = s.Close()
			<-time.After(time.Minute)
		}
	})
}

// cidPion is a pion server that follows a client's address by its Connection ID.
func cidPion(t *testing.T, w *world) *pionPeer {
	return startPion(t, w.packets, append(pskServer(), pion.WithConnectionIDGenerator(pion.RandomCIDGenerator(8)))...)
}

// TestConnectionIDBehindNAT: a NAT rebinds during a connection to pion's server.
func TestConnectionIDBehindNAT(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		nat := w.net.NewNAT()
		p := cidPion(t, w)
		s := w.socketAt(t, nat.NewHost("inside"), pskSecurity())
		mustConnect(t, s, serverEnd)
		mustEcho(t, s, "before")
		var c counter
		for i := range 3 {
			nat.Rebind()
			c.watch(w)
			mustEcho(t, s, fmt.Sprint("after rebinding ", i))
		}
		if c.hellos != 0 || p.connections() != 1 {
			t.Errorf("%d ClientHellos, %d connections", c.hellos, p.connections())
		}
	})
}

// TestListenerFollowsConnectionID: the package's own listener follows a client to its new address,
// and does not follow a replay.
func TestListenerFollowsConnectionID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := simnet.New(1)
		cfg := pskServerConfig()
		cfg.ConnectionIDLength = 6
		l := listenSim(t, n, cfg)
		nat := n.NewNAT()
		sock, err := Dialer{Below: nat.NewHost("inside").Dialer()}.NewSocket(socket.Config{Security: pskSecurity()})
		if err != nil {
			t.Fatal(err)
		}
		defer sock.Close()
		mustConnect(t, sock, serverEnd)
		peer, err := l.Accept(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		defer peer.Close()
		if who, ok := PeerOf(peer); !ok || string(who.Identity) != string(testIdentity) {
			t.Errorf("the peer is %q, %v", who.Identity, ok)
		}
		var last []byte
		n.SetFilter(func(p simnet.Packet) bool {
			if p.To.Port() == 5684 {
				last = append([]byte(nil), p.Data...)
			}
			return true
		})
		exchange := func(text string) netip.AddrPort {
			t.Helper()
			buf := make([]byte, 100)
			for _, way := range [][2]socket.Socket{{sock, peer}, {peer, sock}} {
				if err := way[0].Send([]byte(text)); err != nil {
					t.Fatal(err)
				}
				way[1].SetRecvDeadline(time.Now().Add(time.Second))
				if n, err := way[1].Recv(buf); err != nil || string(buf[:n]) != text {
					t.Fatalf("%q, %v", buf[:n], err)
				}
			}
			return socket.Detect(peer).Addresses.RemoteAddr()
		}
		before := exchange("before")
		nat.Rebind()
		after := exchange("after")
		if before == after {
			t.Errorf("the address is still %v", after)
		}
		// Another host repeats the datagrams of the client.
		n.Inject(netip.MustParseAddrPort("192.0.2.1:1"), l.Addr(), last)
		if got := exchange("at the end"); got != after {
			t.Errorf("a replay moved the connection to %v", got)
		}
	})
}

// TestShutdownKeepsConnection: a connection continues after Shutdown, within a socket and across
// restarts, without a handshake.
func TestShutdownKeepsConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		p := cidPion(t, w)
		sec := pskSecurity()
		sec.Sessions = &socket.MemorySessions{}
		s := w.socket(t, sec)
		mustConnect(t, s, serverEnd)
		mustEcho(t, s, "first")
		var c counter
		c.watch(w)
		for i := range 4 {
			if err := s.Shutdown(); err != nil {
				t.Fatal(err)
			}
			if s.State() != socket.StateShutdown {
				t.Error(s.State())
			}
			if i%2 == 1 {
				s = w.socket(t, sec)
			}
			before := c.datagrams
			mustConnect(t, s, serverEnd)
			if s.Resumption() != socket.ConnectionIDResumed || c.datagrams != before {
				t.Fatalf("%d: %v with %d datagrams", i, s.Resumption(), c.datagrams-before)
			}
			mustEcho(t, s, fmt.Sprint("resumed ", i))
		}
		if c.hellos != 0 || p.connections() != 1 {
			t.Errorf("%d ClientHellos, %d connections", c.hellos, p.connections())
		}
		// A connection without any answer is not resumed again.
		_ = s.Shutdown()
		mustConnect(t, s, serverEnd)
		_ = s.Shutdown()
		_ = p.conn.Close()
		mustConnect(t, s, serverEnd)
		if s.Resumption() != socket.NewSession {
			t.Error(s.Resumption())
		}
		mustEcho(t, s, "a new session")
	})
}

// brokenStore returns an error from every method.
type brokenStore struct{}

var errStore = errors.New("the flash is worn out")

func (brokenStore) Put(string, []byte) error    { return errStore }
func (brokenStore) Take(string) ([]byte, error) { return nil, errStore }

func TestBrokenStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		cidPion(t, w)
		sec := pskSecurity()
		sec.Sessions = brokenStore{}
		s := w.socket(t, sec)
		mustConnect(t, s, serverEnd)
		mustEcho(t, s, "first")
		if err := s.Shutdown(); !errors.Is(err, errStore) {
			t.Errorf("Shutdown: %v", err)
		}
		if s.State() != socket.StateShutdown {
			t.Error(s.State())
		}
		_ = s.Close()
	})
}
