package dtls

import (
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	pion "github.com/pion/dtls/v3"

	"github.com/lwm2mgen/toolkit/net/internal/pki"
	"github.com/lwm2mgen/toolkit/net/internal/pkitest"
	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
)

// authority holds the certificates of a test.
type authority struct {
	ca     *pkitest.CA
	server *pkitest.Leaf
	device *pkitest.Leaf
}

func newAuthority(tb testing.TB) *authority {
	ca := pkitest.NewCA(tb, "Test CA")
	return &authority{ca, ca.Issue(tb, []string{"server.example", "198.18.0.2"}), ca.Issue(tb, nil)}
}

func (a *authority) security() socket.Security {
	return socket.Security{
		Mode: socket.ModeCertificate, Certificates: [][]byte{a.device.Cert.Raw}, PrivateKey: a.device.Key,
		TrustStore: a.ca.Pool(), ServerPublicKey: a.ca.Cert.Raw,
	}
}

func (a *authority) serverOptions(suites ...pion.CipherSuiteID) []pion.ServerOption {
	if len(suites) == 0 {
		suites = []pion.CipherSuiteID{pion.TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8}
	}
	return []pion.ServerOption{
		pion.WithCertificates(a.server.TLS(a.ca.Cert)), pion.WithCipherSuites(suites...),
		pion.WithClientAuth(pion.RequireAndVerifyClientCert), pion.WithClientCAs(a.ca.Pool()),
	}
}

func TestCertificateEverySuite(t *testing.T) {
	for _, u := range usable(false) {
		t.Run(u.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newAuthority(t)
				if strings.Contains(u.name, "_RSA_") {
					a.server = a.ca.IssueFor(t, pkitest.Keys(t)["RSA"], []string{"server.example"})
				}
				w := newWorld(t, 1)
				startPion(t, w.packets, a.serverOptions(pion.CipherSuiteID(u.id))...)
				s := w.socket(t, a.security())
				mustConnect(t, s, serverEnd)
				mustEcho(t, s, "hello")
				if got := linkOf(t, s).secrets.suite.name; got != u.name {
					t.Errorf("suite %s", got)
				}
			})
		})
	}
}

// opaqueKey is a key that can only sign, as in a secure element.
type opaqueKey struct{ inner crypto.Signer }

func (k opaqueKey) Public() crypto.PublicKey { return k.inner.Public() }
func (k opaqueKey) Sign(r io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return k.inner.Sign(r, digest, opts)
}

func TestKeysOfEveryKind(t *testing.T) {
	for name, key := range pkitest.Keys(t) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newAuthority(t)
				a.device = a.ca.IssueFor(t, key, nil)
				a.device.Key = opaqueKey{key}
				w := newWorld(t, 1)
				startPion(t, w.packets, a.serverOptions()...)
				s := w.socket(t, a.security())
				mustConnect(t, s, serverEnd)
				mustEcho(t, s, "hello")
			})
		})
	}
}

// TestServerVerification connects with every usage and matching type to good and bad servers.
func TestServerVerification(t *testing.T) {
	type change func(t *testing.T, a *authority, s *socket.Security)
	usage := func(u socket.CertificateUsage, key func(*authority) []byte) change {
		return func(_ *testing.T, a *authority, s *socket.Security) { s.Usage, s.ServerPublicKey = u, key(a) }
	}
	ca := func(a *authority) []byte { return a.ca.Cert.Raw }
	leaf := func(a *authority) []byte { return a.server.Cert.Raw }
	other := func(t *testing.T) []byte { return pkitest.NewCA(t, "Other CA").Cert.Raw }
	cases := []struct {
		name   string
		change change
		alert  socket.Alert // 0: accepted
		text   string
	}{
		{"CA constraint", usage(0, ca), 0, ""},
		{"CA constraint without a certificate", usage(0, func(*authority) []byte { return nil }), 0, ""},
		{"CA constraint with the server's own", usage(0, leaf), socket.AlertCertificateUnknown, "the CA in ServerPublicKey (/0/x/4) is not in its chain"},
		{"service constraint", usage(1, leaf), 0, ""},
		{"service constraint with the CA", usage(1, ca), socket.AlertCertificateUnknown, "not the one in ServerPublicKey (/0/x/4)"},
		{"trust anchor", func(_ *testing.T, a *authority, s *socket.Security) { s.Usage, s.TrustStore = 2, nil }, 0, ""},
		{"trust anchor of another CA", func(t *testing.T, _ *authority, s *socket.Security) { s.Usage, s.ServerPublicKey = 2, other(t) }, socket.AlertUnknownCA, "no way from there to a trusted CA"},
		{"trust anchor by hash", func(_ *testing.T, a *authority, s *socket.Security) {
			h := sha512.Sum384(a.ca.Cert.Raw)
			s.Usage, s.Matching, s.ServerPublicKey, s.TrustStore = 2, socket.MatchSHA384, h[:], nil
		}, 0, ""},
		{"trust anchor by hash, not sent", func(_ *testing.T, a *authority, s *socket.Security) {
			s.Usage, s.Matching, s.ServerPublicKey, s.TrustStore = 2, socket.MatchSHA256, make([]byte, 32), nil
		}, socket.AlertUnknownCA, "the server must send its CA's certificate too"},
		{"domain-issued", func(_ *testing.T, a *authority, s *socket.Security) {
			s.Usage, s.ServerPublicKey, s.TrustStore = 3, a.server.Cert.Raw, nil
			s.ServerName = "some.other.name"
		}, 0, ""},
		{"domain-issued by hash, expired", func(t *testing.T, a *authority, s *socket.Security) {
			a.server = a.ca.Issue(t, nil, pkitest.Expired)
			h := sha256.Sum256(a.server.Cert.Raw)
			s.Usage, s.Matching, s.ServerPublicKey, s.TrustStore = 3, socket.MatchSHA256, h[:], nil
		}, 0, ""},
		{"domain-issued, another", func(_ *testing.T, a *authority, s *socket.Security) {
			h := sha512.Sum512(a.ca.Cert.Raw)
			s.Usage, s.Matching, s.ServerPublicKey, s.TrustStore = 3, socket.MatchSHA512, h[:], nil
		}, socket.AlertCertificateUnknown, "not the one in ServerPublicKey (/0/x/4)"},
		{"wrong name", func(t *testing.T, a *authority, _ *socket.Security) {
			a.server = a.ca.Issue(t, []string{"elsewhere.example"})
		}, socket.AlertBadCertificate, `not for the name "server.example"`},
		{"wrong name in the security", func(_ *testing.T, _ *authority, s *socket.Security) { s.ServerName = "elsewhere.example" }, socket.AlertBadCertificate, `"elsewhere.example"`},
		{"numeric name", func(_ *testing.T, _ *authority, s *socket.Security) { s.ServerName = "198.18.0.2" }, 0, ""},
		{"wrong numeric name", func(_ *testing.T, _ *authority, s *socket.Security) { s.ServerName = "198.18.0.3" }, socket.AlertBadCertificate, "198.18.0.3"},
		{"expired", func(t *testing.T, a *authority, _ *socket.Security) {
			a.server = a.ca.Issue(t, []string{"server.example"}, pkitest.Expired)
		}, socket.AlertCertificateExpired, "by this device's clock it is"},
		{"revoked", func(t *testing.T, a *authority, s *socket.Security) {
			s.CRLs = append(s.CRLs, a.ca.Revoke(t, a.server))
		}, socket.AlertCertificateRevoked, "was revoked by its issuer"},
		{"another revoked", func(t *testing.T, a *authority, s *socket.Security) {
			s.CRLs = append(s.CRLs, a.ca.Revoke(t, a.device), pkitest.NewCA(t, "Foreign CA").Revoke(t, a.server))
		}, 0, ""},
		{"untrusted", func(t *testing.T, a *authority, s *socket.Security) {
			s.TrustStore, s.ServerPublicKey = pkitest.NewCA(t, "Other CA").Pool(), nil
		}, socket.AlertUnknownCA, "no way from there to a trusted CA"},
		{"not for servers", func(t *testing.T, a *authority, _ *socket.Security) {
			a.server = a.ca.Issue(t, []string{"server.example"}, func(c *x509.Certificate) {
				c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection}
			})
		}, socket.AlertBadCertificate, "incompatible key usage"},
	}
	for _, c := range cases {
		for name, more := range map[string][]pion.ServerOption{"": nil, " with Connection ID": {pion.WithConnectionIDGenerator(pion.RandomCIDGenerator(8))}} {
			t.Run(c.name+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					a := newAuthority(t)
					sec := a.security()
					c.change(t, a, &sec)
					w := newWorld(t, 1)
					alerts := sentAlerts(w)
					startPion(t, w.packets, append(a.serverOptions(), more...)...)
					s := w.socket(t, sec)
					err := s.Connect(context.Background(), serverEnd)
					if c.alert == 0 {
						if err != nil {
							t.Fatal(err)
						}
						mustEcho(t, s, "hello")
						return
					}
					var alert *socket.AlertError
					var reason *pki.Error
					if !errors.As(err, &alert) || !errors.As(err, &reason) {
						t.Fatalf("error %v", err)
					}
					if alert.Description != c.alert || alert.Received || !strings.Contains(err.Error(), c.text) {
						t.Errorf("error %v", err)
					}
					if !slices.Equal(*alerts, []socket.Alert{c.alert}) {
						t.Errorf("the server was sent the alerts %v, want %v", *alerts, c.alert)
					}
					if s.State() != socket.StateClosed || s.Below.State() != socket.StateClosed {
						t.Errorf("states %v and %v", s.State(), s.Below.State())
					}
					t.Log(err)
				})
			})
		}
	}
}

// sentAlerts collects the fatal alerts of the device that a server can read: in plaintext, in epoch
// 0.
func sentAlerts(w *world) *[]socket.Alert {
	var alerts []socket.Alert
	w.net.SetFilter(func(p simnet.Packet) bool {
		for rest := p.Data; p.To.Port() == 5684 && len(rest) > 0; {
			h, record, after, ok := splitRecord(rest, 0)
			if !ok {
				break
			}
			rest = after
			if h.typ == typeAlert && h.epoch == 0 && len(record) == headerLen+2 && record[headerLen] == byte(socket.AlertFatal) {
				alerts = append(alerts, socket.Alert(record[headerLen+1]))
			}
		}
		return true
	})
	return &alerts
}

func TestServerRefusesDevice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(t)
		sec := a.security()
		a.ca = pkitest.NewCA(t, "CA that did not issue the device's certificate")
		w := newWorld(t, 1)
		startPion(t, w.packets, a.serverOptions()...)
		s := w.socket(t, sec)
		err := s.Connect(context.Background(), serverEnd)
		var alert *socket.AlertError
		if !errors.As(err, &alert) || !alert.Received {
			t.Fatalf("error %v", err)
		}
		t.Log(err)
	})
}

// serverSees makes a server refuse chains of another length.
func serverSees(count int) func([][]byte, [][]*x509.Certificate) error {
	return func(raw [][]byte, _ [][]*x509.Certificate) error {
		if len(raw) != count {
			return errors.New("the chain is not complete")
		}
		return nil
	}
}
