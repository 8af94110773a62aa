package tls

import (
	"context"
	stdtls "crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/net/internal/pkitest"
	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/net/sockettest"
	"github.com/lwm2mgen/toolkit/net/tcp"
)

// authority holds the certificates of a test.
type authority struct {
	ca             *pkitest.CA
	server, device *pkitest.Leaf
}

func newAuthority(tb testing.TB) *authority {
	ca := pkitest.NewCA(tb, "Test CA")
	return &authority{ca, ca.Issue(tb, []string{"server.example"}), ca.Issue(tb, nil)}
}

func (a *authority) security() socket.Security {
	return socket.Security{
		Mode: socket.ModeCertificate, Certificates: [][]byte{a.device.Cert.Raw}, PrivateKey: a.device.Key,
		TrustStore: a.ca.Pool(), ServerName: "server.example",
	}
}

func (a *authority) config() *stdtls.Config {
	return &stdtls.Config{
		Certificates: []stdtls.Certificate{a.server.TLS(a.ca.Cert)}, ClientCAs: a.ca.Pool(), ClientAuth: stdtls.RequireAndVerifyClientCert,
		MinVersion: stdtls.VersionTLS12,
	}
}

func rigOver(t testing.TB, a *authority, below socket.Listener, over socket.Dialer, host string, version uint16) sockettest.Rig {
	c := a.config()
	c.MaxVersion = version
	l, err := Listen(below, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return sockettest.Rig{
		Dialer: Dialer{}, Config: socket.Config{Security: a.security(), Below: over},
		Remote: socket.Endpoint{Host: host, Port: l.Addr().Port()}, Peer: l, Resumes: true,
	}
}

func TestKit(t *testing.T) {
	for _, version := range []uint16{stdtls.VersionTLS12, stdtls.VersionTLS13} {
		t.Run(stdtls.VersionName(version), func(t *testing.T) {
			sockettest.Run(t, func(t testing.TB) sockettest.Rig {
				below, err := tcp.Listen(netip.MustParseAddrPort("127.0.0.1:0"))
				if err != nil {
					t.Fatal(err)
				}
				silent, err := tcp.Listen(netip.MustParseAddrPort("127.0.0.1:0"))
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = silent.Close() })
				r := rigOver(t, newAuthority(t), below, tcp.Dialer{}, "127.0.0.1", version)
				r.Silent = socket.Endpoint{Host: "127.0.0.1", Port: silent.Addr().Port()}
				return r
			})
		})
	}
}

func simRig(t testing.TB) sockettest.Rig {
	n := simnet.New(1)
	device, server := n.NewHost("device"), n.NewHost("server.example")
	below, err := server.ListenStream(5684)
	if err != nil {
		t.Fatal(err)
	}
	r := rigOver(t, newAuthority(t), below, device.StreamDialer(), "server.example", 0)
	r.Unknown = "nowhere.example"
	return r
}

func TestKitInMemory(t *testing.T) { sockettest.RunInBubbles(t, synctest.Test, simRig) }

// The socket below need not have any optional ability.
func TestKitOverBareSocket(t *testing.T) {
	sockettest.RunInBubbles(t, synctest.Test, func(t testing.TB) sockettest.Rig {
		r := simRig(t)
		r.Config.Below = sockettest.Bare(r.Config.Below)
		return r
	})
}

// world is a server in memory that echoes.
type world struct {
	device   *simnet.Host
	remote   socket.Endpoint
	listener socket.Listener
}

func newWorld(t *testing.T, c *stdtls.Config) *world {
	n := simnet.New(1)
	w := &world{device: n.NewHost("device"), remote: socket.Endpoint{Host: "server.example", Port: 5684}}
	below, err := n.NewHost("server.example").ListenStream(5684)
	if err != nil {
		t.Fatal(err)
	}
	l, err := Listen(below, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	w.listener = l
	go func() {
		for {
			s, err := l.Accept(context.Background())
			if err != nil {
				return
			}
			go echo(s)
		}
	}()
	return w
}

func echo(s socket.Socket) {
	defer s.Close()
	buf := make([]byte, 1000)
	for {
		n, err := s.Recv(buf)
		if err != nil || s.Send(buf[:n]) != nil {
			return
		}
	}
}

func (w *world) socket(t *testing.T, sec socket.Security) socket.Socket {
	s, err := Dialer{Below: w.device.StreamDialer()}.NewSocket(socket.Config{Security: sec})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// talk connects and exchanges a message. With TLS 1.3 a refusal of the server only arrives then.
func talk(s socket.Socket, to socket.Endpoint) error {
	if err := s.Connect(context.Background(), to); err != nil {
		return err
	}
	if err := s.Send([]byte("hello")); err != nil {
		return err
	}
	s.SetRecvDeadline(time.Now().Add(5 * time.Second))
	buf := make([]byte, 10)
	n, err := s.Recv(buf)
	if err == nil && string(buf[:n]) != "hello" {
		err = fmt.Errorf("echo %q", buf[:n])
	}
	return err
}

// TestVerification: each failure has its own error.
func TestFailuresExplainThemselves(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(t *testing.T, a *authority, s *socket.Security, c *stdtls.Config)
		is     error // nil: it works
		text   string
	}{
		{"good", func(*testing.T, *authority, *socket.Security, *stdtls.Config) {}, nil, ""},
		{"domain-issued", func(_ *testing.T, a *authority, s *socket.Security, _ *stdtls.Config) {
			s.Usage, s.ServerPublicKey, s.TrustStore = socket.UsageDomainIssued, a.server.Cert.Raw, nil
		}, nil, ""},
		{"wrong name", func(_ *testing.T, _ *authority, s *socket.Security, _ *stdtls.Config) {
			s.ServerName = "elsewhere.example"
		},
			&socket.AlertError{Description: socket.AlertBadCertificate}, "elsewhere.example"},
		{"expired", func(t *testing.T, a *authority, _ *socket.Security, c *stdtls.Config) {
			c.Certificates[0] = a.ca.Issue(t, []string{"server.example"}, pkitest.Expired).TLS()
		}, &socket.AlertError{Description: socket.AlertBadCertificate}, "valid from"},
		{"revoked", func(t *testing.T, a *authority, s *socket.Security, _ *stdtls.Config) {
			s.CRLs = append(s.CRLs, a.ca.Revoke(t, a.server))
		}, &socket.AlertError{Description: socket.AlertBadCertificate}, "revoked"},
		{"untrusted", func(t *testing.T, _ *authority, s *socket.Security, _ *stdtls.Config) {
			s.TrustStore = pkitest.NewCA(t, "Other CA").Pool()
		}, &socket.AlertError{Description: socket.AlertBadCertificate}, "no way from there"},
		{"no common suite", func(_ *testing.T, _ *authority, s *socket.Security, c *stdtls.Config) {
			s.CipherSuites = []socket.CipherSuite{0xc02c}
			c.CipherSuites = []uint16{0xc02b}
		}, &socket.AlertError{Description: socket.AlertHandshakeFailure}, "no ciphersuite in common"},
		{"no common version", func(_ *testing.T, _ *authority, s *socket.Security, c *stdtls.Config) {
			s.MaxVersion, c.MinVersion = stdtls.VersionTLS12, stdtls.VersionTLS13
		}, &socket.AlertError{Description: socket.AlertProtocolVersion}, "no version of TLS in common"},
		{"a suite that is not allowed", func(_ *testing.T, _ *authority, s *socket.Security, _ *stdtls.Config) {
			s.CipherSuites = []socket.CipherSuite{0x1302} // which crypto/tls's server never prefers
		}, &socket.AlertError{Description: socket.AlertBadCertificate}, "not among the CipherSuites allowed"},
		{"client refused by TLS 1.2", func(t *testing.T, _ *authority, s *socket.Security, c *stdtls.Config) {
			c.ClientCAs = pkitest.NewCA(t, "Other CA").Pool()
			s.MaxVersion = stdtls.VersionTLS12
		}, &socket.AlertError{Description: socket.AlertHandshakeFailure}, "it wants a certificate of a CA that ours is not from"},
		{"client refused by TLS 1.3", func(t *testing.T, _ *authority, _ *socket.Security, c *stdtls.Config) {
			c.ClientCAs = pkitest.NewCA(t, "Other CA").Pool()
		}, &socket.AlertError{Description: socket.AlertCertificateRequired}, "it wants a certificate"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newAuthority(t)
				sec, config := a.security(), a.config()
				c.change(t, a, &sec, config)
				w := newWorld(t, config)
				s := w.socket(t, sec)
				err := talk(s, w.remote)
				if (err == nil) != (c.is == nil) || err != nil && (!errors.Is(err, c.is) || !strings.Contains(err.Error(), c.text)) {
					t.Errorf("error %v", err)
				}
				if err != nil {
					t.Log(err)
				}
			})
		})
	}
}

func TestRefusedAtStart(t *testing.T) {
	a := newAuthority(t)
	for _, c := range []struct {
		name   string
		change func(*socket.Security)
		text   string
	}{
		{"PSK", func(s *socket.Security) {
			*s = socket.Security{Mode: socket.ModePSK, Identity: []byte("i"), Key: socket.NewSecret([]byte("key"))}
		}, "golang.org/issue/6379"},
		{"RPK", func(s *socket.Security) { s.Mode, s.ServerPublicKey = socket.ModeRPK, a.ca.Cert.Raw }, "RFC 7250"},
		{"none", func(s *socket.Security) { *s = socket.Security{} }, "coap+tcp"},
		{"CCM", func(s *socket.Security) { s.CipherSuites = []socket.CipherSuite{0xc0ae, 0xc0ac} }, "no CCM"},
		{"TLS 1.1", func(s *socket.Security) { s.MaxVersion = stdtls.VersionTLS11 }, "0x0303"},
		{"no trust", func(s *socket.Security) { s.TrustStore = nil }, "TrustStore"},
	} {
		sec := a.security()
		c.change(&sec)
		_, err := Dialer{Below: tcp.Dialer{}}.NewSocket(socket.Config{Security: sec})
		if err == nil || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// TestResumption: reconnects and restarts resume the session.
func TestResumption(t *testing.T) {
	for _, version := range []uint16{stdtls.VersionTLS12, stdtls.VersionTLS13} {
		synctest.Test(t, func(t *testing.T) {
			a := newAuthority(t)
			sec := a.security()
			sec.MaxVersion = version
			sec.Sessions = &socket.MemorySessions{}
			w := newWorld(t, a.config())
			s := w.socket(t, sec)
			for i := range 4 {
				if i == 2 {
					s = w.socket(t, sec)
				}
				if err := talk(s, w.remote); err != nil {
					t.Fatal(err)
				}
				want := socket.SessionResumed
				if i == 0 {
					want = socket.NewSession
				}
				if got := socket.Detect(s).Session.Resumption(); got != want {
					t.Errorf("%s, connection %d: %v", stdtls.VersionName(version), i, got)
				}
				_ = s.Close()
			}
			// Another server name is another session, and a revoked server is not trusted again.
			sec.CRLs = append(sec.CRLs, a.ca.Revoke(t, a.server))
			if err := talk(w.socket(t, sec), w.remote); !errors.Is(err, &socket.AlertError{Description: socket.AlertBadCertificate}) {
				t.Errorf("a revoked server: %v", err)
			}
		})
	}
}

// TestPeerEnds: Recv distinguishes a proper end from a stream that was cut off.
func TestPeerEnds(t *testing.T) {
	for name, cut := range map[string]bool{"close_notify": false, "cut off": true} {
		synctest.Test(t, func(t *testing.T) {
			a := newAuthority(t)
			n := simnet.New(1)
			device := n.NewHost("device")
			below, err := n.NewHost("server.example").ListenStream(5684)
			if err != nil {
				t.Fatal(err)
			}
			l, err := Listen(below, a.config())
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			w := &world{device: device}
			s := w.socket(t, a.security())
			if err := s.Connect(context.Background(), socket.Endpoint{Host: "server.example", Port: 5684}); err != nil {
				t.Fatal(err)
			}
			peer, err := l.Accept(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			if cut {
				_ = peer.(*conn).Below.Close()
			} else {
				_ = peer.Close()
			}
			_, err = s.Recv(make([]byte, 10))
			if want := map[bool]error{false: io.EOF, true: socket.ErrReset}[cut]; !errors.Is(err, want) {
				t.Errorf("%s: %v, want %v", name, err, want)
			}
		})
	}
}

// TestForgetSessions: a listener that has forgotten its sessions does a full handshake.
func TestForgetSessions(t *testing.T) {
	for _, version := range []uint16{stdtls.VersionTLS12, stdtls.VersionTLS13} {
		synctest.Test(t, func(t *testing.T) {
			a := newAuthority(t)
			sec := a.security()
			sec.MaxVersion = version
			sec.Sessions = &socket.MemorySessions{}
			w := newWorld(t, a.config())
			s := w.socket(t, sec)
			for i, want := range []socket.Resumption{socket.NewSession, socket.SessionResumed, socket.NewSession} {
				if i == 2 {
					w.listener.(interface{ ForgetSessions() }).ForgetSessions()
				}
				if err := talk(s, w.remote); err != nil {
					t.Fatal(err)
				}
				if got := socket.Detect(s).Session.Resumption(); got != want {
					t.Errorf("%s, connection %d: %v, want %v", stdtls.VersionName(version), i, got, want)
				}
				_ = s.Close()
			}
		})
	}
}
