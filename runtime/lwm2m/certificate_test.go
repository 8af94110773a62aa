package lwm2m_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	stdtls "crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/net/dtls"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/net/tcp"
	"github.com/lwm2mgen/toolkit/net/tls"
	"github.com/lwm2mgen/toolkit/net/udp"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
)

// ca issues certificates.
type ca struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newCA(t *testing.T) *ca {
	a := &ca{t: t}
	a.cert, a.key = a.issue(x509.Certificate{Subject: pkix.Name{CommonName: "CA"}, IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	return a
}

// issue signs a certificate; the first is the CA's own.
func (a *ca) issue(c x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	c.SerialNumber = big.NewInt(time.Now().UnixNano())
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = &c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, &c, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert, key
}

func (a *ca) server() stdtls.Certificate {
	cert, key := a.issue(x509.Certificate{
		Subject: pkix.Name{CommonName: "server"}, KeyUsage: x509.KeyUsageDigitalSignature,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	return stdtls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key}
}

func (a *ca) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.cert)
	return p
}

// device returns the credentials of a device that trusts the CA trusted.
func (a *ca) device(name string, trusted *ca) *lwm2m.Certificate {
	cert, key := a.issue(x509.Certificate{
		Subject: pkix.Name{CommonName: name}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	return &lwm2m.Certificate{Chain: [][]byte{cert.Raw}, PrivateKey: socket.NewSecret(der), Server: trusted.cert.Raw,
		Usage: socket.UsageTrustAnchor}
}

// listen opens a listener for coaps or coaps+tcp at 127.0.0.1 that requires client certificates of
// the CA.
func (a *ca) listen(scheme string) socket.Listener {
	a.t.Helper()
	any := netip.MustParseAddrPort("127.0.0.1:0")
	var below, l socket.Listener
	var err error
	if scheme == "coaps" {
		if below, err = udp.Listen(any); err == nil {
			l, err = dtls.Listen(below, dtls.ServerConfig{Certificate: a.server(), ClientCAs: a.pool()})
		}
	} else if below, err = tcp.Listen(any); err == nil {
		l, err = tls.Listen(below, &stdtls.Config{
			Certificates: []stdtls.Certificate{a.server()}, ClientCAs: a.pool(),
			ClientAuth: stdtls.RequireAndVerifyClientCert,
		})
	}
	if err != nil {
		a.t.Fatal(err)
	}
	a.t.Cleanup(func() { _ = l.Close() })
	return l
}

// A device registers and is read over connections that are secured with certificates. If another CA
// has issued the certificate of the server, the status says so.
func TestCertificates(t *testing.T) {
	for _, scheme := range []string{"coaps", "coaps+tcp"} {
		t.Run(scheme, func(t *testing.T) {
			own, other := newCA(t), newCA(t)
			good := lwm2mtest.NewServer(t, own.listen(scheme))
			refused := make(chan lwm2m.ServerStatus, 1)
			c, err := lwm2m.New(lwm2m.Config{
				Endpoint: "dev", Objects: []dm.Object{newDevice(t)}, Logger: quiet(),
				Servers: []lwm2m.Server{
					{URI: scheme + "://" + good.Addr().String(), Certificate: own.device("dev", own)},
					{URI: scheme + "://" + other.listen(scheme).Addr().String(), Certificate: own.device("dev", own)},
				},
				Dialers: []socket.Dialer{udp.Dialer{}, tcp.Dialer{}, dtls.Dialer{}, tls.Dialer{}},
				OnStatus: func(s lwm2m.ServerStatus) {
					if s.ShortID == 2 && s.Err != nil && len(refused) == 0 {
						refused <- s
					}
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithCancel(context.Background())
			ended := make(chan error, 1)
			go func() { ended <- c.Run(ctx) }()
			defer func() {
				stop()
				if err := <-ended; err != nil {
					t.Error(err)
				}
			}()
			ans, err := good.WaitRegistered("dev").Read(context.Background(), "/3/0/16", content.Text)
			if err != nil || ans.Code != coap.Content || ans.Text() != "U" {
				t.Errorf("Read: %v, %v", ans, err)
			}
			if s := <-refused; !strings.Contains(s.Err.Error(), "certificate") {
				t.Errorf("the other server: %v", s)
			}
		})
	}
}
