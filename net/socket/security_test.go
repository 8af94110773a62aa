package socket_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
)

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func newCertificate(t testing.TB, k crypto.Signer) []byte {
	t.Helper()
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "device"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, k.Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func TestSecretsAreRedacted(t *testing.T) {
	key := []byte("correct horse battery staple")
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	psk := socket.Security{Mode: socket.ModePSK, Identity: []byte("probe-7"), Key: socket.NewSecret(key)}
	cert := socket.Security{Mode: socket.ModeCertificate, PrivateKey: ed}
	type hidden struct { // fmt cannot call methods here
		secret socket.Secret
		config *socket.Config
	}
	for _, v := range []any{
		psk.Key, &psk.Key, psk, &psk, cert, &cert, socket.Config{Security: psk}, &socket.Config{Security: cert},
		hidden{psk.Key, &socket.Config{Security: psk}}, []socket.Secret{psk.Key}, map[string]socket.Security{"a": psk, "b": cert},
	} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			expectHidden(t, fmt.Sprintf("%s of %T", verb, v), fmt.Appendf(nil, verb, v), key, ed)
		}
		var text, js bytes.Buffer
		slog.New(slog.NewTextHandler(&text, nil)).Info("x", "v", v)
		slog.New(slog.NewJSONHandler(&js, nil)).Info("x", "v", v)
		expectHidden(t, fmt.Sprintf("slog of %T", v), append(text.Bytes(), js.Bytes()...), key, ed)
	}
	for _, v := range []any{psk.Key, psk, &cert, []socket.Security{psk}} {
		out, err := json.Marshal(v)
		if err != nil {
			t.Errorf("JSON of %T: %v", v, err)
		}
		expectHidden(t, fmt.Sprintf("JSON of %T", v), out, key, ed)
	}
	if s := psk.String(); !strings.Contains(s, "probe-7") || !strings.Contains(s, "[redacted]") {
		t.Errorf("the summary %q tells too little", s)
	}
	if (socket.Secret{}).String() != "" {
		t.Error("an empty secret looks like one that is set")
	}
}

func expectHidden(t *testing.T, what string, out []byte, secrets ...[]byte) {
	t.Helper()
	for _, s := range secrets {
		for _, form := range []string{string(s), fmt.Sprintf("%x", s), fmt.Sprintf("%X", s), strings.Trim(fmt.Sprint(s), "[]")} {
			if bytes.Contains(out, []byte(form)) {
				t.Errorf("%s shows a secret: %s", what, out)
			}
		}
	}
}

func TestSecretIsACopy(t *testing.T) {
	b := []byte("secret")
	s := socket.NewSecret(b)
	clear(b)
	if string(s.Bytes()) != "secret" || s.Len() != 6 {
		t.Errorf("%q", s.Bytes())
	}
}

func TestSecurityValidate(t *testing.T) {
	key, other := newKey(t), newKey(t)
	cert := newCertificate(t, key)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}))
	good := socket.Security{
		Mode: socket.ModeCertificate, Certificates: [][]byte{cert}, PrivateKey: key,
		Usage: socket.UsageDomainIssued, ServerPublicKey: cert,
	}
	change := func(f func(s *socket.Security)) *socket.Security {
		s := good
		f(&s)
		return &s
	}
	for name, s := range map[string]*socket.Security{
		"none":        {},
		"PSK":         {Mode: socket.ModePSK, Identity: []byte("a"), Key: socket.NewSecret([]byte("b"))},
		"RPK":         {Mode: socket.ModeRPK, PrivateKey: key, ServerPublicKey: []byte{1}},
		"certificate": &good,
		"hash":        change(func(s *socket.Security) { s.Matching, s.ServerPublicKey = socket.MatchSHA384, make([]byte, 48) }),
		"PKIX": change(func(s *socket.Security) {
			s.Usage, s.ServerPublicKey, s.TrustStore = socket.UsageCAConstraint, nil, pool
		}),
	} {
		if err := s.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, c := range []struct {
		want string
		s    *socket.Security
	}{
		{"needs an Identity", &socket.Security{Mode: socket.ModePSK, Key: socket.NewSecret([]byte("b"))}},
		{"needs a Key", &socket.Security{Mode: socket.ModePSK, Identity: []byte("a")}},
		{"65535 bytes", &socket.Security{Mode: socket.ModePSK, Identity: make([]byte, 1<<16), Key: socket.NewSecret([]byte("b"))}},
		{"mode is NoSec", &socket.Security{Key: socket.NewSecret([]byte("b"))}},
		{"mode 9", &socket.Security{Mode: 9}},
		{"needs a PrivateKey", &socket.Security{Mode: socket.ModeRPK, ServerPublicKey: []byte{1}}},
		{"needs the ServerPublicKey", &socket.Security{Mode: socket.ModeRPK, PrivateKey: key}},
		{"at least one of Certificates", change(func(s *socket.Security) { s.Certificates = nil })},
		{"needs a PrivateKey", change(func(s *socket.Security) { s.PrivateKey = nil })},
		{"does not belong", change(func(s *socket.Security) { s.PrivateKey = other })},
		{"Certificates[0]", change(func(s *socket.Security) { s.Certificates = [][]byte{{1, 2}} })},
		{"nothing to trust", change(func(s *socket.Security) { s.ServerPublicKey = nil })},
		{"nothing to trust", change(func(s *socket.Security) { s.Usage, s.ServerPublicKey = socket.UsageTrustAnchor, nil })},
		{"needs a TrustStore", change(func(s *socket.Security) { s.Usage = socket.UsageCAConstraint })},
		{"needs a TrustStore", change(func(s *socket.Security) { s.Usage = socket.UsageServiceConstraint })},
		{"TrustStore is empty", change(func(s *socket.Security) { s.Usage, s.TrustStore = socket.UsageServiceConstraint, x509.NewCertPool() })},
		{"usage 4", change(func(s *socket.Security) { s.Usage = 4 })},
		{"matching type 4", change(func(s *socket.Security) { s.Matching = 4 })},
		{"has 32", change(func(s *socket.Security) { s.Matching = socket.MatchSHA256 })},
		{"must be a certificate", change(func(s *socket.Security) { s.ServerPublicKey = []byte("?") })},
		{"CRLs[0]", change(func(s *socket.Security) { s.CRLs = make([]*x509.RevocationList, 1) })},
		{"HandshakeMin", change(func(s *socket.Security) { s.HandshakeMin, s.HandshakeMax = 2, 1 })},
		{"MinVersion", change(func(s *socket.Security) { s.MinVersion, s.MaxVersion = 0x304, 0x303 })},
	} {
		if err := c.s.Validate(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want something about %q", err, c.want)
		}
	}
	err := (&socket.Security{Mode: socket.ModePSK}).Validate()
	if n := strings.Count(fmt.Sprint(err), "mode PSK"); n != 2 {
		t.Errorf("%d of 2 faults reported: %v", n, err)
	}
}

func TestConfigValidate(t *testing.T) {
	for _, c := range []socket.Config{{Family: 9}, {LinkMTU: 100}, {LinkMTU: 1 << 16}, {SendBuffer: -1}, {Security: socket.Security{Mode: socket.ModePSK}}} {
		if err := c.Validate(); err == nil {
			t.Errorf("%+v was accepted", c)
		}
	}
	if err := (&socket.Config{LinkMTU: 1280}).Validate(); err != nil {
		t.Error(err)
	}
}

func TestParsePrivateKey(t *testing.T) {
	key := newKey(t)
	sec1, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	file := func(kind string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}) }
	// As openssl ecparam writes them before the key.
	params := file("EC PARAMETERS", []byte{6, 8, 42, 134, 72, 206, 61, 3, 1, 7})
	for name, b := range map[string][]byte{
		"SEC 1": sec1, "PKCS #8": pkcs8, "SEC 1 PEM": append(params, file("EC PRIVATE KEY", sec1)...), "PKCS #8 PEM": file("PRIVATE KEY", pkcs8),
	} {
		if got, err := socket.ParsePrivateKey(b); err != nil || !key.Equal(got) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
		for i := range b[:len(b)/2] { // a PEM block may end in nothing that matters
			if _, err := socket.ParsePrivateKey(b[:i]); err == nil {
				t.Fatalf("%s: the first %d bytes are accepted", name, i)
			}
		}
	}
}

// TestParsedKeysAreHidden: parsed keys are hidden also where fmt cannot call methods.
func TestParsedKeysAreHidden(t *testing.T) {
	public, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(ed)
	if err != nil {
		t.Fatal(err)
	}
	key, err := socket.ParsePrivateKey(der)
	if err != nil {
		t.Fatal(err)
	}
	type hidden struct{ config socket.Config }
	for _, v := range []any{key, &key, hidden{socket.Config{Security: socket.Security{Mode: socket.ModeCertificate, PrivateKey: key}}}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			expectHidden(t, fmt.Sprintf("%s of %T", verb, v), fmt.Appendf(nil, verb, v), ed[:ed25519.SeedSize])
		}
	}
	if !public.Equal(key.Public()) {
		t.Error("another public key")
	}
	sig, err := key.Sign(rand.Reader, []byte("message"), crypto.Hash(0))
	if err != nil || !ed25519.Verify(public, []byte("message"), sig) {
		t.Errorf("the signature is not right: %v", err)
	}
}

func TestParseCertificates(t *testing.T) {
	a, b := newCertificate(t, newKey(t)), newCertificate(t, newKey(t))
	file := func(der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	}
	for name, in := range map[string]string{
		"DER": string(a) + string(b),
		"PEM": "subject: a\n" + file(a) + "\n# and its CA\n" + file(b),
	} {
		got, err := socket.ParseCertificates([]byte(in))
		if err != nil || len(got) != 2 || !bytes.Equal(got[0], a) || !bytes.Equal(got[1], b) {
			t.Errorf("%s: %d certificates, %v", name, len(got), err)
		}
	}
	for _, in := range []string{"", "nonsense", "-----BEGIN CERTIFICATE-----", file([]byte("x")), string(a[:len(a)-1])} {
		if got, err := socket.ParseCertificates([]byte(in)); err == nil {
			t.Errorf("%.40q: %d certificates", in, len(got))
		}
	}
}

func FuzzCredentials(f *testing.F) {
	key := newKey(f)
	if der, err := x509.MarshalECPrivateKey(key); err == nil {
		f.Add(der)
	}
	cert := newCertificate(f, key)
	f.Add(cert)
	f.Add(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if k, err := socket.ParsePrivateKey(b); (k == nil) != (err != nil) {
			t.Errorf("key %v, error %v", k, err)
		}
		certs, err := socket.ParseCertificates(b)
		if (len(certs) == 0) != (err != nil) {
			t.Errorf("%d certificates, error %v", len(certs), err)
		}
		s := socket.Security{Mode: socket.ModeCertificate, Certificates: certs, PrivateKey: key, ServerPublicKey: b, Usage: socket.UsageDomainIssued}
		_ = s.Validate()
	})
}

func TestMemorySessions(t *testing.T) {
	var m socket.MemorySessions
	var store socket.SessionStore = &m
	blob := []byte("master secret")
	if err := store.Put("a", blob); err != nil {
		t.Fatal(err)
	}
	clear(blob)
	if s := fmt.Sprintf("%+v", &m); strings.Contains(s, "master") || strings.Contains(s, "109 97") {
		t.Errorf("printing the store shows a session: %s", s)
	}
	if b, err := store.Take("a"); err != nil || string(b) != "master secret" {
		t.Errorf("Take: %q, %v", b, err)
	}
	if b, err := store.Take("a"); err != nil || b != nil {
		t.Errorf("second Take: %q, %v", b, err)
	}
	for i := range 5000 {
		if err := store.Put(fmt.Sprint(i), []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	left := 0
	for i := range 5000 {
		if b, _ := store.Take(fmt.Sprint(i)); b != nil {
			left++
		}
	}
	if left != 1024 {
		t.Errorf("it held %d sessions", left)
	}
}
