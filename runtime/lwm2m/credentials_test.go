package lwm2m_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/objects/security"
	"github.com/lwm2mgen/toolkit/runtime/objects/server"
)

// lastSecurity is a dialer that keeps the Security of the last socket.
type lastSecurity struct {
	socket.Dialer
	got *socket.Security
}

func (k lastSecurity) Schemes() []string { return []string{"coaps"} }

func (k lastSecurity) NewSocket(c socket.Config) (socket.Socket, error) {
	*k.got = c.Security
	c.Security = socket.Security{}
	return k.Dialer.NewSocket(c)
}

func selfSigned(t *testing.T) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// Every resource of a Security instance about credentials reaches the socket.
func TestCredentials(t *testing.T) {
	roots := x509.NewCertPool()
	certificate := selfSigned(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	rawKey, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	for name, c := range map[string]struct {
		change func(*security.Instance)
		check  func(*socket.Security) bool
		fault  string
	}{
		"PSK": {func(i *security.Instance) {}, func(s *socket.Security) bool {
			return s.Mode == socket.ModePSK && string(s.Identity) == "dev" && s.TrustStore == nil
		}, ""},
		"SNI": {func(i *security.Instance) { i.SNI = dm.Str("example.com") }, func(s *socket.Security) bool {
			return s.ServerName == "example.com"
		}, ""},
		"ciphersuites": {func(i *security.Instance) { i.Ciphersuite = dm.Uints(0xc0a8, 0x10001, 0xae) },
			func(s *socket.Security) bool {
				return slices.Equal(s.CipherSuites, []socket.CipherSuite{0xc0a8, 0xae})
			}, ""},
		"NoSec": {func(i *security.Instance) { i.SecurityMode = dm.Int(3) }, func(s *socket.Security) bool {
			return s.Mode == socket.ModeNoSec && s.Identity == nil
		}, ""},
		"certificate": {func(i *security.Instance) {
			i.SecurityMode, i.PublicKeyOrIdentity, i.SecretKey = dm.Int(2), dm.Key(certificate), dm.Key(nil)
			i.ServerPublicKey, i.CertificateUsage, i.MatchingType = dm.Key([]byte("hash")), dm.Uint(1), dm.Uint(2)
		}, func(s *socket.Security) bool {
			return s.Mode == socket.ModeCertificate && s.Usage == socket.UsageServiceConstraint &&
				s.Matching == socket.MatchingType(2) &&
				string(s.ServerPublicKey) == "hash" && s.TrustStore == roots
		}, ""},
		// A network with another library may have what pion and crypto/tls lack.
		"raw public key": {func(i *security.Instance) {
			i.SecurityMode, i.PublicKeyOrIdentity, i.SecretKey = dm.Int(1), dm.Key(nil), dm.Key(rawKey)
			i.ServerPublicKey, i.MatchingType = dm.Key([]byte("0123456789abcdef0123456789abcdef")), dm.Uint(1)
		}, func(s *socket.Security) bool {
			return s.Mode == socket.ModeRPK && s.PrivateKey != nil && s.Matching == socket.MatchSHA256 && len(s.ServerPublicKey) == 32
		}, ""},
		"usage that does not exist": {func(i *security.Instance) {
			i.SecurityMode, i.PublicKeyOrIdentity, i.CertificateUsage = dm.Int(2), dm.Key(certificate), dm.Uint(256)
		}, nil, "Certificate Usage"},
		"matching type that does not exist": {func(i *security.Instance) {
			i.SecurityMode, i.PublicKeyOrIdentity, i.MatchingType = dm.Int(2), dm.Key(certificate), dm.Uint(256)
		}, nil, "Matching Type"},
		"invalid private key": {func(i *security.Instance) {
			i.SecurityMode, i.PublicKeyOrIdentity, i.SecretKey = dm.Int(2), dm.Key(certificate),
				dm.Key([]byte("hunter2"))
			i.ServerPublicKey = dm.Key(certificate)
		}, nil, "Secret Key"},
		"invalid certificate": {func(i *security.Instance) {
			i.SecurityMode, i.PublicKeyOrIdentity = dm.Int(2), dm.Key([]byte("hunter2"))
			i.ServerPublicKey = dm.Key(certificate)
		}, nil, "Public Key or Identity"},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, 0, func(w *world) {
				sec, err := security.New(security.Config{})
				if err != nil {
					t.Fatal(err)
				}
				srv, err := server.New(server.Config{})
				if err != nil {
					t.Fatal(err)
				}
				addAccount(t, sec, srv, 1, "coaps://s1")
				var got socket.Security
				err = sec.Update(context.Background(), 1, func(i *security.Instance) error {
					i.SecurityMode, i.PublicKeyOrIdentity, i.SecretKey = dm.Int(0), dm.Key([]byte("dev")),
						dm.Key([]byte("key"))
					c.change(i)
					return nil
				})
				if err == nil {
					_, err = lwm2m.New(lwm2m.Config{
						Objects: []dm.Object{sec, srv, newDevice(t)},
						Dialers: []socket.Dialer{lastSecurity{w.host.Dialer(), &got}}, Logger: quiet(),
						TrustStore: roots,
					})
				}
				switch {
				case c.fault != "" && (err == nil || !strings.Contains(err.Error(), c.fault) ||
					!strings.Contains(err.Error(), "/0/1") ||
					strings.Contains(err.Error(), "hunter2")):
					t.Errorf("error %v, want one about %s of /0/1 without the secret", err, c.fault)
				case c.fault == "" && (err != nil || !c.check(&got)):
					t.Errorf("error %v, security %+v", err, got)
				}
			})
		})
	}
}
