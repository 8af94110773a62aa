package lwm2m_test

import (
	"context"
	stdtls "crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/net/dtls"
	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/net/tls"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
	"github.com/lwm2mgen/toolkit/runtime/objects/security"
	"github.com/lwm2mgen/toolkit/runtime/objects/server"
)

// refusal is a device and a server of which one refuses the other.
type refusal struct {
	t    *testing.T
	root *authority
	own  identity // of the device, from root

	// Of the server. A server has a pre-shared key or a certificate.
	cert      stdtls.Certificate
	clientCAs *x509.CertPool
	suites    []socket.CipherSuite
	versions  uint16 // the newest version of TLS; 0 means all

	// Of the device, as New and the Security object have it.
	trust  *x509.CertPool
	crls   []*x509.RevocationList
	secure func(lwm2m.Account, *socket.Security) error
	usage  uint64
	server []byte // /0/x/4
}

const (
	rightKey      = "the right key"
	rightIdentity = "probe-7"
)

// newRefusal returns a device and a server that accept each other, with certificate usage 0.
func newRefusal(t *testing.T) *refusal {
	r := &refusal{t: t, root: newAuthority(t, "Root", nil)}
	r.own = r.root.issue("probe-7")
	r.cert = r.root.issue("server").tls()
	r.clientCAs, r.trust = r.root.pool(), r.root.pool()
	return r
}

// listen starts the server on host.
func (r *refusal) listen(host *simnet.Host, scheme string) {
	r.t.Helper()
	var below, l socket.Listener
	var err error
	if scheme == "coaps" {
		if below, err = host.Listen(5684); err == nil {
			l, err = dtls.Listen(below, dtls.ServerConfig{
				Certificate: r.cert, ClientCAs: r.clientCAs, CipherSuites: r.suites,
				Key: func(id []byte) (socket.Secret, error) {
					if string(id) != rightIdentity {
						return socket.Secret{}, os.ErrNotExist
					}
					return socket.NewSecret([]byte(rightKey)), nil
				},
			})
		}
	} else if below, err = host.ListenStream(5684); err == nil {
		cfg := &stdtls.Config{Certificates: []stdtls.Certificate{r.cert}, ClientCAs: r.clientCAs, MaxVersion: r.versions}
		for _, s := range r.suites {
			cfg.CipherSuites = append(cfg.CipherSuites, uint16(s))
		}
		if r.clientCAs != nil {
			cfg.ClientAuth = stdtls.RequireAndVerifyClientCert
		}
		l, err = tls.Listen(below, cfg)
	}
	if err != nil {
		r.t.Fatal(err)
	}
	lwm2mtest.NewServer(r.t, l)
}

// outcome runs the device, whose account is first one without security and then gets credentials,
// and returns the status after the first attempt.
func (r *refusal) outcome(scheme string, credentials func(*security.Instance)) lwm2m.ServerStatus {
	n := simnet.New(1)
	r.listen(n.NewHost("server.example"), scheme)
	host := n.NewHost("device")
	sec, err := security.New(security.Config{ExternalKeys: true})
	if err != nil {
		r.t.Fatal(err)
	}
	srv, err := server.New(server.Config{})
	if err != nil {
		r.t.Fatal(err)
	}
	addAccount(r.t, sec, srv, 1, "coap://elsewhere.example")
	client, err := lwm2m.New(lwm2m.Config{
		Endpoint: "probe-7", Objects: []dm.Object{sec, srv, newDevice(r.t)}, Logger: quiet(),
		Dialers:    []socket.Dialer{host.Dialer(), host.StreamDialer(), dtls.Dialer{}, tls.Dialer{}},
		TrustStore: r.trust, CRLs: r.crls, Secure: r.secure,
	})
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- client.Run(ctx) }()
	err = sec.Update(context.Background(), 1, func(i *security.Instance) error {
		i.ServerURI = dm.Str(scheme + "://server.example")
		credentials(i)
		return nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
	synctest.Wait()
	var s lwm2m.ServerStatus
	for range 600 {
		s, _ = client.Status().Server(1)
		if s.State == lwm2m.StateInvalid || s.State == lwm2m.StateError || s.State == lwm2m.StateFailed || s.State.Registered() {
			break
		}
		time.Sleep(time.Second)
	}
	stop()
	if err := <-ended; err != nil {
		r.t.Error(err)
	}
	return s
}

// withPSK gives an account a pre-shared key.
func withPSK(identity, key string) func(*security.Instance) {
	return func(i *security.Instance) {
		i.SecurityMode, i.PublicKeyOrIdentity = dm.Int(0), dm.Key([]byte(identity))
		i.SecretKey = dm.Key([]byte(key))
	}
}

// x509 gives an account the certificate of the device.
func (r *refusal) x509(i *security.Instance) {
	i.SecurityMode, i.PublicKeyOrIdentity = dm.Int(2), dm.Key(r.own.cert.Raw)
	i.SecretKey, i.CertificateUsage = dm.Key(r.own.pkcs8(r.t)), dm.Uint(r.usage)
	i.ServerPublicKey = dm.Key(r.server)
}

// hashes are what differs from run to run in an error.
var hashes = regexp.MustCompile(`[0-9a-f]{64}`)

// want compares the error of the status with the golden file. With UPDATE_GOLDEN in the environment
// it writes the file.
func (r *refusal) want(file string, s lwm2m.ServerStatus) {
	r.t.Helper()
	if s.Err == nil {
		r.t.Fatalf("the status has no error: %v", s)
	}
	text := hashes.ReplaceAllString(s.Err.Error(), "<hash>")
	got := s.State.String() + "\n" + strings.ReplaceAll(text, "; ", ";\n") + "\n"
	file = filepath.Join("testdata", "refusals", file+".txt")
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			r.t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			r.t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		r.t.Fatal(err)
	}
	if got != string(want) {
		r.t.Errorf("the status is\n%s\nwant, as in %s,\n%s", got, file, want)
	}
	for _, secret := range []string{rightKey, "hunter2"} {
		if strings.Contains(got, secret) {
			r.t.Errorf("the error shows the key %q", secret)
		}
	}
}

// expectRefusal runs a device and a server over DTLS and over TLS and compares the error that the
// status has.
func expectRefusal(t *testing.T, name string, prepare func(r *refusal) func(*security.Instance)) {
	t.Helper()
	for _, scheme := range []string{"coaps", "coaps+tcp"} {
		expectRefusalOver(t, scheme, name, prepare)
	}
}

func expectRefusalOver(t *testing.T, scheme, name string, prepare func(r *refusal) func(*security.Instance)) {
	t.Helper()
	t.Run(scheme, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := newRefusal(t)
			r.want(name+"-"+strings.ReplaceAll(scheme, "+", "-"), r.outcome(scheme, prepare(r)))
		})
	})
}

// Without a fault the device of these tests registers, over both transports.
func TestNothingIsRefused(t *testing.T) {
	for scheme, credentials := range map[string]func(r *refusal) func(*security.Instance){
		"coaps":     func(*refusal) func(*security.Instance) { return withPSK(rightIdentity, rightKey) },
		"coaps+tcp": func(r *refusal) func(*security.Instance) { return r.x509 },
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newRefusal(t)
			if scheme == "coaps" {
				r.cert, r.clientCAs = stdtls.Certificate{}, nil
			}
			if s := r.outcome(scheme, credentials(r)); !s.State.Registered() {
				t.Errorf("over %s: %v", scheme, s)
			}
		})
	}
}

func TestRefusedKey(t *testing.T) {
	expectRefusalOver(t, "coaps", "wrong-psk", func(r *refusal) func(*security.Instance) {
		r.cert, r.clientCAs = stdtls.Certificate{}, nil
		return withPSK(rightIdentity, "hunter2")
	})
}

func TestRefusedIdentity(t *testing.T) {
	expectRefusalOver(t, "coaps", "wrong-identity", func(r *refusal) func(*security.Instance) {
		r.cert, r.clientCAs = stdtls.Certificate{}, nil
		return withPSK("probe-8", rightKey)
	})
}

func TestRefusedHostName(t *testing.T) {
	expectRefusal(t, "wrong-host-name", func(r *refusal) func(*security.Instance) {
		r.cert = r.root.issue("server", func(c *x509.Certificate) { c.DNSNames = []string{"other.example"} }).tls()
		return r.x509
	})
}

// The name in /0/x/14 replaces that of the URI.
func TestRefusedSNI(t *testing.T) {
	expectRefusal(t, "wrong-sni", func(r *refusal) func(*security.Instance) {
		return func(i *security.Instance) { r.x509(i); i.SNI = dm.Str("sni.example") }
	})
}

func TestRefusedExpiredCertificate(t *testing.T) {
	expectRefusal(t, "expired", func(r *refusal) func(*security.Instance) {
		r.cert = r.root.issue("server", func(c *x509.Certificate) {
			c.NotBefore, c.NotAfter = time.Now().AddDate(-1, 0, 0), time.Now().Add(-time.Hour)
		}).tls()
		return r.x509
	})
}

func TestRefusedCertificateOfTheFuture(t *testing.T) {
	expectRefusal(t, "not-yet-valid", func(r *refusal) func(*security.Instance) {
		r.cert = r.root.issue("server", func(c *x509.Certificate) {
			c.NotBefore = time.Now().AddDate(25, 0, 0)
			c.NotAfter = c.NotBefore.AddDate(1, 0, 0)
		}).tls()
		return r.x509
	})
}

func TestRefusedSelfSignedCertificate(t *testing.T) {
	expectRefusal(t, "self-signed", func(r *refusal) func(*security.Instance) {
		alone := &authority{t: r.t}
		r.cert = alone.issue("server").tls()
		return r.x509
	})
}

func TestRefusedRevokedCertificate(t *testing.T) {
	expectRefusal(t, "revoked", func(r *refusal) func(*security.Instance) {
		server := r.root.issue("server")
		r.cert, r.crls = server.tls(), []*x509.RevocationList{r.root.revoke(time.Now().AddDate(0, 1, 0), server.cert)}
		return r.x509
	})
}

func TestRefusedOutdatedRevocationList(t *testing.T) {
	expectRefusal(t, "outdated-crl", func(r *refusal) func(*security.Instance) {
		r.crls = []*x509.RevocationList{r.root.revoke(time.Now().Add(-time.Hour))}
		r.secure = func(_ lwm2m.Account, s *socket.Security) error {
			s.RequireCRLs = s.Mode == socket.ModeCertificate
			s.CRLs = r.crls
			return nil
		}
		return r.x509
	})
}

// A certificate that another key usage is for, such as that of another device.
func TestRefusedExtendedKeyUsage(t *testing.T) {
	expectRefusal(t, "wrong-extended-key-usage", func(r *refusal) func(*security.Instance) {
		r.cert = r.root.issue("device", func(c *x509.Certificate) {
			c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
		}).tls()
		return r.x509
	})
}

// Each certificate usage (/0/x/15) refuses a server that its certificate in /0/x/4 does not fit.
func TestRefusedCertificateUsage(t *testing.T) {
	for usage, name := range []string{"ca-constraint", "service-constraint", "trust-anchor", "domain-issued"} {
		t.Run(name, func(t *testing.T) {
			expectRefusal(t, "usage-"+name, func(r *refusal) func(*security.Instance) {
				other := newAuthority(r.t, "Other", nil)
				r.usage, r.server = uint64(usage), other.cert.Raw
				if usage%2 == 1 {
					r.server = r.root.issue("another server").cert.Raw
				}
				return r.x509
			})
		})
	}
}

// The resource /0/x/15 without a value means usage 3: a CA in /0/x/4 is not the server's
// certificate.
func TestRefusedAbsentCertificateUsage(t *testing.T) {
	expectRefusal(t, "usage-absent", func(r *refusal) func(*security.Instance) {
		r.server = r.root.cert.Raw
		return func(i *security.Instance) { r.x509(i); i.CertificateUsage = dm.Empty[uint64]() }
	})
}

// A usage without anything to trust is refused before a connection.
func TestRefusedUsageWithoutAnchor(t *testing.T) {
	for usage, name := range []string{"ca-constraint", "service-constraint", "trust-anchor", "domain-issued"} {
		t.Run(name, func(t *testing.T) {
			expectRefusal(t, "no-anchor-"+name, func(r *refusal) func(*security.Instance) {
				r.usage, r.trust = uint64(usage), nil
				return r.x509
			})
		})
	}
}

func TestRefusedChainWithoutIntermediate(t *testing.T) {
	expectRefusal(t, "missing-intermediate", func(r *refusal) func(*security.Instance) {
		r.cert = newAuthority(r.t, "Intermediate", r.root).issue("server").tls()
		return r.x509
	})
}

// An intermediate that the server sends leads to the root.
func TestChainWithIntermediate(t *testing.T) {
	for _, scheme := range []string{"coaps", "coaps+tcp"} {
		synctest.Test(t, func(t *testing.T) {
			r := newRefusal(t)
			between := newAuthority(t, "Intermediate", r.root)
			r.cert = between.issue("server").tls(between.cert)
			if s := r.outcome(scheme, r.x509); !s.State.Registered() {
				t.Errorf("over %s: %v", scheme, s)
			}
		})
	}
}

func TestRefusedForeignPrivateKey(t *testing.T) {
	expectRefusal(t, "foreign-private-key", func(r *refusal) func(*security.Instance) {
		other := r.root.issue("probe-8")
		return func(i *security.Instance) { r.x509(i); i.SecretKey = dm.Key(other.pkcs8(r.t)) }
	})
}

func TestRefusedMissingPrivateKey(t *testing.T) {
	expectRefusal(t, "missing-private-key", func(r *refusal) func(*security.Instance) {
		return func(i *security.Instance) { r.x509(i); i.SecretKey = dm.Key(nil) }
	})
}

// The server demands a client certificate of a CA that has not issued the device's.
func TestRefusedClientCertificate(t *testing.T) {
	expectRefusal(t, "client-certificate", func(r *refusal) func(*security.Instance) {
		// With TLS 1.3 the server refuses after the handshake, and the end of the connection may
		// overtake its alert.
		r.versions = stdtls.VersionTLS12
		r.clientCAs = newAuthority(r.t, "Fleet", nil).pool()
		return r.x509
	})
}

// A list in /0/x/16 with nothing but a suite that is weak, TLS_RSA_WITH_AES_128_CBC_SHA.
func TestRefusedWeakCiphersuite(t *testing.T) {
	expectRefusal(t, "weak-ciphersuite", func(r *refusal) func(*security.Instance) {
		return func(i *security.Instance) { r.x509(i); i.Ciphersuite = dm.Uints(0x002f) }
	})
}

// The server has only a suite that the list in /0/x/16 leaves out. (Over DTLS the listener of this
// toolkit sends no alert then; interop/openssl tests it.)
func TestRefusedServerWithWeakCiphersuite(t *testing.T) {
	expectRefusalOver(t, "coaps+tcp", "server-weak-ciphersuite", func(r *refusal) func(*security.Instance) {
		r.suites, r.versions = []socket.CipherSuite{0xc02b}, stdtls.VersionTLS12
		return func(i *security.Instance) { r.x509(i); i.Ciphersuite = dm.Uints(0xc02c, 0x1302) }
	})
}

// crypto/tls has no CCM.
func TestRefusedCCMOverTLS(t *testing.T) {
	expectRefusalOver(t, "coaps+tcp", "ccm", func(r *refusal) func(*security.Instance) {
		return func(i *security.Instance) { r.x509(i); i.Ciphersuite = dm.Uints(0xc0ae) }
	})
}

// crypto/tls offers every suite of TLS 1.3, so the server may choose one that is not in /0/x/16.
func TestRefusedSuiteOfTLS13(t *testing.T) {
	expectRefusalOver(t, "coaps+tcp", "tls13-suite", func(r *refusal) func(*security.Instance) {
		return func(i *security.Instance) { r.x509(i); i.Ciphersuite = dm.Uints(0x1302) }
	})
}

// crypto/tls has no pre-shared keys.
func TestRefusedPSKOverTLS(t *testing.T) {
	expectRefusalOver(t, "coaps+tcp", "psk-over-tls", func(*refusal) func(*security.Instance) {
		return withPSK(rightIdentity, rightKey)
	})
}

func TestRefusedRawPublicKey(t *testing.T) {
	expectRefusal(t, "raw-public-key", func(r *refusal) func(*security.Instance) {
		return func(i *security.Instance) {
			r.x509(i)
			i.SecurityMode, i.ServerPublicKey = dm.Int(1), dm.Key(r.root.cert.RawSubjectPublicKeyInfo)
		}
	})
}

func TestRefusedOSCORE(t *testing.T) {
	expectRefusal(t, "oscore", func(r *refusal) func(*security.Instance) {
		return func(i *security.Instance) { r.x509(i); i.OSCORESecurityMode = dm.Link(dm.ObjectLink{Object: 21}) }
	})
}

func TestRefusedCOSE(t *testing.T) {
	expectRefusal(t, "cose", func(r *refusal) func(*security.Instance) {
		return func(i *security.Instance) {
			r.x509(i)
			i.COSESecurity.Set(0, dm.ObjectLink{Object: 23})
		}
	})
}

// Mode NoSec at an address with a secured scheme.
func TestRefusedNoSecurity(t *testing.T) {
	expectRefusal(t, "nosec", func(*refusal) func(*security.Instance) {
		return func(i *security.Instance) { i.SecurityMode = dm.Int(3) }
	})
}
