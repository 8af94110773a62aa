package openssl

import (
	stdtls "crypto/tls"
	"errors"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/interop/internal/authority"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/net/tcp"
	"github.com/lwm2mgen/toolkit/net/tls"
)

func TestTLSCertificates(t *testing.T) {
	for _, version := range []string{"-tls1_2", "-tls1_3"} {
		t.Run(version, func(t *testing.T) { certificates(t, "tcp", version) })
	}
}

// TestTLSNoCommonSuite: a server with TLS 1.2 finds no common suite. A server with TLS 1.3 finds
// one, because crypto/tls offers all suites, and the device refuses it.
func TestTLSNoCommonSuite(t *testing.T) {
	for _, c := range []struct {
		name, text string
		allowed    socket.CipherSuite
		args       []string
		alert      socket.Alert
		received   bool
	}{
		{"1.2", "no ciphersuite in common", 0xc02b, []string{"-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-GCM-SHA384"}, socket.AlertHandshakeFailure, true},
		{"1.3", "TLS_AES_256_GCM_SHA384, which is not among", 0x1301, []string{"-tls1_3", "-ciphersuites", "TLS_AES_256_GCM_SHA384"}, 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := authority.New(t, "CA")
			cert, key := a.Issue(t, time.Hour, "server.example")
			sec := a.Device(t)
			sec.CipherSuites = []socket.CipherSuite{c.allowed}
			_, at := server(t, "tcp", append(a.Identity(t, cert, key), c.args...)...)
			err := connect(t, client(t, "tcp", sec), at)
			if err == nil || !strings.Contains(err.Error(), c.text) || c.received && !isAlert(err, c.alert, true) {
				t.Fatal(err)
			}
			t.Log(err)
		})
	}
}

// TestTLSResumption: OpenSSL and the device agree that a session is resumed.
func TestTLSResumption(t *testing.T) {
	for _, version := range []string{"-tls1_2", "-tls1_3"} {
		t.Run(version, func(t *testing.T) {
			a := authority.New(t, "CA")
			cert, key := a.Issue(t, time.Hour, "server.example")
			p, at := server(t, "tcp", append(a.Identity(t, cert, key), version)...)
			s := client(t, "tcp", a.Device(t))
			for i, want := range []socket.Resumption{socket.NewSession, socket.SessionResumed} {
				if err := connect(t, s, at); err != nil {
					t.Fatal(err)
				}
				talk(t, s, p, "hello "+strconv.Itoa(i))
				if got := socket.Detect(s).Session.Resumption(); got != want {
					t.Errorf("connection %d is a %v", i, got)
				}
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
			}
			p.expect(t, "Reused session-id")
		})
	}
}

// TestTLSMissingClientCertificate: with TLS 1.3 the client only learns of the refusal when it
// receives.
func TestTLSMissingClientCertificate(t *testing.T) {
	for _, version := range []string{"-tls1_2", "-tls1_3"} {
		t.Run(version, func(t *testing.T) {
			a, other := authority.New(t, "CA"), authority.New(t, "another CA")
			cert, key := a.Issue(t, time.Hour, "server.example")
			sec := other.Device(t)
			sec.TrustStore = a.Pool()
			_, at := server(t, "tcp", append(a.Identity(t, cert, key), version, "-Verify", "1", "-verify_return_error", "-CAfile", a.CAFile(t))...)
			s := client(t, "tcp", sec)
			err := connect(t, s, at)
			if err == nil && version == "-tls1_3" {
				s.SetRecvDeadline(time.Now().Add(patience))
				_, err = s.Recv(make([]byte, 10))
			}
			var alert *socket.AlertError
			if !errors.As(err, &alert) || !alert.Received || !strings.Contains(err.Error(), "of a CA that ours is not from") {
				t.Fatal(err)
			}
			t.Log(err)
		})
	}
}

func TestTLSListener(t *testing.T) {
	a := authority.New(t, "CA")
	cert, key := a.Issue(t, time.Hour, "server.example")
	for _, version := range []string{"-tls1_2", "-tls1_3"} {
		t.Run(version, func(t *testing.T) {
			below, err := tcp.Listen(netip.MustParseAddrPort("127.0.0.1:0"))
			if err != nil {
				t.Fatal(err)
			}
			l, err := tls.Listen(below, &stdtls.Config{Certificates: []stdtls.Certificate{{Certificate: [][]byte{cert.Raw}, PrivateKey: key}}})
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			p := start(t, "s_client", version, "-CAfile", a.CAFile(t), "-verify_return_error", "-verify_hostname", "server.example",
				"-connect", "127.0.0.1:"+strconv.Itoa(int(l.Addr().Port())))
			accept(t, l, p)
		})
	}
}
