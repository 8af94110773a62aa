package dtls

import (
	"net/netip"
	"testing"
	"testing/synctest"

	"github.com/lwm2mgen/toolkit/net/internal/loopbacktest"
	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/net/sockettest"
	"github.com/lwm2mgen/toolkit/net/udp"
)

func pskServerConfig() ServerConfig {
	return ServerConfig{Key: func(id []byte) (socket.Secret, error) {
		if string(id) != string(testIdentity) {
			return socket.Secret{}, nil
		}
		return socket.NewSecret(testKey), nil
	}}
}

// kitRig makes a rig over UDP or the in-memory network.
func kitRig(t testing.TB, below socket.Listener, over socket.Dialer, host string, sec socket.Security, c ServerConfig) sockettest.Rig {
	l, err := Listen(below, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return sockettest.Rig{
		Dialer: Dialer{}, Config: socket.Config{Security: sec, Below: over},
		Remote: socket.Endpoint{Host: host, Port: l.Addr().Port()}, Peer: l,
		Resumes: true, Secrets: [][]byte{testKey},
	}
}

func udpRig(t testing.TB, sec socket.Security, c ServerConfig) sockettest.Rig {
	below, err := udp.Listen(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	silent, err := udp.Listen(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	r := kitRig(t, below, udp.Dialer{}, "127.0.0.1", sec, c)
	r.Silent = socket.Endpoint{Host: "127.0.0.1", Port: silent.Addr().Port()}
	r.Taken, r.Stranger = r.Peer.Addr(), loopbacktest.Stranger
	return r
}

func simRig(t testing.TB, sec socket.Security, c ServerConfig) sockettest.Rig {
	n := simnet.New(1)
	device, server, other := n.NewHost("device"), n.NewHost("server.example"), n.NewHost("other")
	below, err := server.Listen(5684)
	if err != nil {
		t.Fatal(err)
	}
	other.SetDown(true)
	n.SetName("multi.example", other.Addrs()[0], server.Addrs()[0])
	r := kitRig(t, below, device.Dialer(), "server.example", sec, c)
	r.Silent = socket.Endpoint{Host: "other", Port: 5684}
	r.Unknown = "nowhere.example"
	return r
}

func TestKitPSK(t *testing.T) {
	sockettest.Run(t, func(t testing.TB) sockettest.Rig { return udpRig(t, pskSecurity(), pskServerConfig()) })
}

func TestKitPSKWithConnectionID(t *testing.T) {
	sockettest.Run(t, func(t testing.TB) sockettest.Rig {
		c := pskServerConfig()
		c.ConnectionIDLength = 8
		return udpRig(t, pskSecurity(), c)
	})
}

func TestKitCertificates(t *testing.T) {
	sockettest.Run(t, func(t testing.TB) sockettest.Rig {
		a := newAuthority(t)
		sec := a.security()
		sec.ServerName = "server.example"
		return udpRig(t, sec, ServerConfig{Certificate: a.server.TLS(), ClientCAs: a.ca.Pool(), ConnectionIDLength: 4})
	})
}

func TestKitInMemory(t *testing.T) {
	sockettest.RunInBubbles(t, synctest.Test, func(t testing.TB) sockettest.Rig { return simRig(t, pskSecurity(), pskServerConfig()) })
}

// The socket below need not have any optional ability.
func TestKitOverBareSocket(t *testing.T) {
	sockettest.RunInBubbles(t, synctest.Test, func(t testing.TB) sockettest.Rig {
		r := simRig(t, pskSecurity(), pskServerConfig())
		r.Config.Below = sockettest.Bare(r.Config.Below)
		return r
	})
}

// linkOf returns the connection of an open socket.
func linkOf(t testing.TB, s socket.Socket) *link {
	t.Helper()
	l, open := s.(*conn).Link()
	if !open {
		t.Fatal("the socket is not open")
	}
	return l
}
