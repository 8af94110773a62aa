package socket_test

import (
	stdtls "crypto/tls"
	"net/netip"
	"testing"

	"github.com/lwm2mgen/toolkit/net/dtls"
	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/net/tcp"
	"github.com/lwm2mgen/toolkit/net/tls"
	"github.com/lwm2mgen/toolkit/net/udp"
)

// plain hides all methods of a listener but those of socket.Listener.
type plain struct{ socket.Listener }

func TestListenerURI(t *testing.T) {
	free := netip.MustParseAddrPort("127.0.0.1:0")
	host := simnet.New(1).NewHost("server")
	open := func(l socket.Listener, err error) socket.Listener {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		return l
	}
	key := dtls.ServerConfig{Key: func([]byte) (socket.Secret, error) { return socket.NewSecret([]byte("key")), nil }}
	cert := &stdtls.Config{Certificates: []stdtls.Certificate{{}}}
	for _, c := range []struct {
		name, scheme string
		l            socket.Listener
	}{
		{"UDP", "coap", open(udp.Listen(free))},
		{"TCP", "coap+tcp", open(tcp.Listen(free))},
		{"DTLS", "coaps", open(dtls.Listen(open(udp.Listen(free)), key))},
		{"TLS", "coaps+tcp", open(tls.Listen(open(tcp.Listen(free)), cert))},
		{"simulated datagrams", "coap", open(host.Listen(1))},
		{"simulated streams", "coap+tcp", open(host.ListenStream(1))},
		{"DTLS over simulated datagrams", "coaps", open(dtls.Listen(open(host.Listen(2)), key))},
		{"a listener without a scheme", "coap", open(plain{open(udp.Listen(free))}, nil)},
		{"DTLS over a listener without a scheme", "coaps", open(dtls.Listen(plain{open(udp.Listen(free))}, key))},
		{"TLS over a listener without a scheme", "coaps+tcp", open(tls.Listen(plain{open(tcp.Listen(free))}, cert))},
	} {
		if got, want := socket.ListenerURI(c.l), c.scheme+"://"+c.l.Addr().String(); got != want {
			t.Errorf("%s: %s, want %s", c.name, got, want)
		}
	}
}
