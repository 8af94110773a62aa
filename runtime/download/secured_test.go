package download_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	stdtls "crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"log"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/net/dtls"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/net/tcp"
	"github.com/lwm2mgen/toolkit/net/tls"
	"github.com/lwm2mgen/toolkit/net/udp"
	"github.com/lwm2mgen/toolkit/runtime/download"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mserver"
)

// certificate makes a certificate that signs itself, for 127.0.0.1.
func certificate(t *testing.T) stdtls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "files"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		IsCA:        true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return stdtls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// TestSecured downloads by coaps, coaps+tcp and https over loopback, each over a connection that
// breaks once. TestRedirectToPlaintext refuses a redirect from https to http before a byte is sent
// to its target, although the same server redirects within https.
func TestRedirectToPlaintext(t *testing.T) {
	asked := false
	plain := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	defer plain.Close()
	web := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/fw.bin" {
			http.Redirect(w, r, "/moved.bin", http.StatusFound)
			return
		}
		http.Redirect(w, r, plain.URL+"/fw.bin?token=secret", http.StatusFound)
	}))
	defer web.Close()
	pool := x509.NewCertPool()
	pool.AddCert(web.Certificate())
	client, err := download.New(download.Config{
		Dialers: []socket.Dialer{tcp.Dialer{}}, Logger: slog.New(slog.DiscardHandler),
		Security: func(*url.URL) (socket.Security, error) { return socket.Security{TrustStore: pool}, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	d, err := client.Start(download.Request{URI: web.URL + "/fw.bin", Sink: &disk{}})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Wait(t.Context()); kindOf(t, err) != download.InvalidURI || strings.Contains(err.Error(), "secret") {
		t.Error(err)
	}
	if asked {
		t.Error("the server is asked in plaintext")
	}
}

func TestSecured(t *testing.T) {
	cert, key := certificate(t), socket.NewSecret([]byte("0123456789abcdef"))
	anywhere := netip.MustParseAddrPort("127.0.0.1:0")
	u, err := udp.Listen(anywhere)
	if err != nil {
		t.Fatal(err)
	}
	d, err := dtls.Listen(u, dtls.ServerConfig{Key: func([]byte) (socket.Secret, error) { return key, nil }})
	if err != nil {
		t.Fatal(err)
	}
	s, err := tcp.Listen(anywhere)
	if err != nil {
		t.Fatal(err)
	}
	secured, err := tls.Listen(s, &stdtls.Config{Certificates: []stdtls.Certificate{cert}})
	if err != nil {
		t.Fatal(err)
	}
	srv, err := lwm2mserver.New(lwm2mserver.Config{Listeners: []socket.Listener{d, secured}})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	web := httptest.NewUnstartedServer(srv.FileHandler())
	web.TLS = &stdtls.Config{Certificates: []stdtls.Certificate{cert}, ClientAuth: stdtls.RequestClientCert}
	web.Config.ErrorLog = log.New(io.Discard, "", 0)
	web.StartTLS()
	defer web.Close()
	const size = 200_000
	if err := srv.ServeFile("/fw.bin", lwm2mserver.File{Content: image{}, Size: size}); err != nil {
		t.Fatal(err)
	}
	own := socket.Security{
		Mode: socket.ModeCertificate, Certificates: cert.Certificate, PrivateKey: cert.PrivateKey.(*ecdsa.PrivateKey),
		Usage: socket.UsageDomainIssued, ServerPublicKey: cert.Certificate[0],
	}
	other := own
	other.ServerPublicKey = certificate(t).Certificate[0]
	pool := x509.NewCertPool()
	pool.AddCert(cert.Leaf)
	for _, c := range []struct {
		name, uri string
		sec       socket.Security
		refused   bool
	}{
		{"coaps", "coaps://" + d.Addr().String(), socket.Security{Mode: socket.ModePSK, Identity: []byte("x"), Key: key}, false},
		{"coaps+tcp", "coaps+tcp://" + secured.Addr().String(), own, false},
		{"https with a certificate of the device", web.URL, own, false},
		{"https without one", web.URL, socket.Security{TrustStore: pool}, false},
		{"https to an unknown server", web.URL, socket.Security{}, true},
		{"coaps+tcp to another server", "coaps+tcp://" + secured.Addr().String(), other, true},
		{"coaps+tcp without credentials", "coaps+tcp://" + secured.Addr().String(), socket.Security{}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			asked := ""
			client, err := download.New(download.Config{
				Dialers:  []socket.Dialer{udp.Dialer{}, tcp.Dialer{}, dtls.Dialer{}, tls.Dialer{}},
				Security: func(uri *url.URL) (socket.Security, error) { asked = uri.String(); return c.sec, nil },
				Retry:    download.Retry{Attempts: 3, First: time.Millisecond},
				Logger:   slog.New(slog.DiscardHandler),
			})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = client.Close() }()
			srv.DisturbFiles(1, lwm2mserver.FileFault{Break: true}, func(r lwm2mserver.FileRequest) bool { return r.HTTP || r.Offset > 50_000 })
			sink := &disk{}
			dl, err := client.Start(download.Request{URI: c.uri + "/fw.bin?token=secret", Sink: sink})
			if err == nil {
				err = dl.Wait(t.Context())
			}
			if asked != c.uri {
				t.Errorf("the credentials are those of %q, want %q", asked, c.uri)
			}
			if c.refused {
				if err == nil || kindOf(t, err) != download.Failed {
					t.Errorf("the outcome is %v, want that the server is not trusted", err)
				}
				return
			}
			if err != nil || !bytes.Equal(sink.content(), image{}.bytes(size)) {
				t.Errorf("%v, %d bytes", err, len(sink.content()))
			}
		})
	}
}
