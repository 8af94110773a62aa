// Package authority makes the certificates that tests against other implementations need.
package authority

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
)

// Authority makes certificates, in memory and as files.
type Authority struct {
	dir    string
	cert   *x509.Certificate
	key    *ecdsa.PrivateKey
	serial int64
}

// New makes a certificate authority for the duration of the test.
func New(t *testing.T, name string) *Authority {
	t.Helper()
	a := &Authority{dir: t.TempDir(), key: newKey(t), serial: 1}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	a.cert = sign(t, tmpl, tmpl, a.key, a.key)
	return a
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func sign(t *testing.T, tmpl, issuer *x509.Certificate, key, signer *ecdsa.PrivateKey) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, tmpl, issuer, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Issue makes a certificate for server and client that is valid until a time from now, and its key.
func (a *Authority) Issue(t *testing.T, until time.Duration, names ...string) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	a.serial++
	key := newKey(t)
	return sign(t, &x509.Certificate{
		SerialNumber: big.NewInt(a.serial), Subject: pkix.Name{CommonName: "leaf"}, DNSNames: names,
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(until), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, a.cert, key, a.key), key
}

// File writes PEM and returns the file's name.
func (a *Authority) File(t *testing.T, name, kind string, der []byte) string {
	t.Helper()
	path := filepath.Join(a.dir, name)
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Identity returns the arguments that give openssl a certificate.
func (a *Authority) Identity(t *testing.T, c *x509.Certificate, key *ecdsa.PrivateKey) []string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return []string{"-cert", a.File(t, "cert.pem", "CERTIFICATE", c.Raw), "-key", a.File(t, "key.pem", "PRIVATE KEY", der)}
}

// Bundle writes a key with its certificate into one file and returns its name.
func (a *Authority) Bundle(t *testing.T, c *x509.Certificate, key *ecdsa.PrivateKey) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(a.dir, "bundle.pem")
	both := append(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	if err := os.WriteFile(path, both, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// CAFile writes the certificate of the authority and returns the name of the file.
func (a *Authority) CAFile(t *testing.T) string {
	return a.File(t, "ca.pem", "CERTIFICATE", a.cert.Raw)
}

// Pool returns a trust store with the authority alone.
func (a *Authority) Pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.cert)
	return p
}

// Revoke makes the authority's revocation list with c in it.
func (a *Authority) Revoke(t *testing.T, c *x509.Certificate) *x509.RevocationList {
	t.Helper()
	der, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{
		Number: big.NewInt(1), ThisUpdate: time.Now().Add(-time.Minute), NextUpdate: time.Now().Add(time.Hour),
		RevokedCertificateEntries: []x509.RevocationListEntry{{SerialNumber: c.SerialNumber, RevocationTime: time.Now().Add(-time.Minute)}},
	}, a.cert, a.key)
	if err != nil {
		t.Fatal(err)
	}
	l, err := x509.ParseRevocationList(der)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// Device returns the Security of a device with a certificate of a.
func (a *Authority) Device(t *testing.T) socket.Security {
	t.Helper()
	c, key := a.Issue(t, time.Hour)
	return socket.Security{
		Mode: socket.ModeCertificate, Certificates: [][]byte{c.Raw}, PrivateKey: key, TrustStore: a.Pool(), ServerName: "server.example",
	}
}
