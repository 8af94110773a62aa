package libcoapdtls

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/interop/internal/authority"
	"github.com/lwm2mgen/toolkit/net/socket"
)

// servers are libcoap's programs on different TLS libraries.
func servers() []string { return []string{"coap-server-openssl", "coap-server-gnutls"} }

// exchange sends one request and checks the answer.
func exchange(s socket.Socket, id byte) error {
	if err := s.Send(get(id)); err != nil {
		return err
	}
	s.SetRecvDeadline(time.Now().Add(5 * time.Second))
	buf := make([]byte, 1500)
	n, err := s.Recv(buf)
	if err == nil && (n < 4 || buf[1] != 0x45) { // 2.05
		err = errors.New("not an answer")
	}
	return err
}

// TestCertificatesAtServer: every fault of a certificate has the right effect.
func TestCertificatesAtServer(t *testing.T) {
	for _, c := range []struct {
		name     string
		change   func(t *testing.T, a *authority.Authority, s *socket.Security)
		until    time.Duration
		alert    socket.Alert // zero: any alert, or none if there is no text either
		received bool
		text     string
	}{
		{"good", nil, time.Hour, 0, false, ""},
		{"wrong host name", func(_ *testing.T, _ *authority.Authority, s *socket.Security) { s.ServerName = "elsewhere.example" },
			time.Hour, socket.AlertBadCertificate, false, "elsewhere.example"},
		{"expired", nil, -time.Hour, socket.AlertCertificateExpired, false, "valid from"},
		{"revoked", nil, time.Hour, socket.AlertCertificateRevoked, false, "revoked"},
		{"untrusted", func(t *testing.T, _ *authority.Authority, s *socket.Security) {
			s.TrustStore = authority.New(t, "another CA").Pool()
		},
			time.Hour, socket.AlertUnknownCA, false, "no way from there"},
		{"no common suite", func(_ *testing.T, _ *authority.Authority, s *socket.Security) {
			s.CipherSuites = []socket.CipherSuite{0xc030} // RSA only
		}, time.Hour, 0, true, "no ciphersuite in common"},
		{"missing client certificate", func(t *testing.T, a *authority.Authority, s *socket.Security) {
			own := authority.New(t, "another CA").Device(t)
			s.Certificates, s.PrivateKey = own.Certificates, own.PrivateKey
		}, time.Hour, 0, true, "of a CA that ours is not from"},
	} {
		for _, name := range servers() {
			t.Run(c.name+"/"+name, func(t *testing.T) {
				a := authority.New(t, "CA")
				cert, key := a.Issue(t, c.until, "server.example")
				sec := a.Device(t)
				if c.name == "revoked" {
					sec.CRLs = append(sec.CRLs, a.Revoke(t, cert))
				}
				if c.change != nil {
					c.change(t, a, &sec)
				}
				files := a.Identity(t, cert, key)
				s, err := dial(t, sec, libcoapServer(t, name, "-c", files[1], "-j", files[3], "-C", a.CAFile(t)))
				if err == nil {
					err = exchange(s, 1)
				}
				if c.text == "" {
					if err != nil {
						t.Fatal(err)
					}
					return
				}
				var alert *socket.AlertError
				if !errors.As(err, &alert) || alert.Received != c.received || c.alert != 0 && alert.Description != c.alert || !strings.Contains(err.Error(), c.text) {
					t.Fatalf("error %v", err)
				}
				t.Log(err)
			})
		}
	}
}
