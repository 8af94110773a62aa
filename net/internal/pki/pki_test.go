package pki

import (
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/net/internal/pkitest"
	"github.com/lwm2mgen/toolkit/net/socket"
)

func TestServerName(t *testing.T) {
	for _, c := range []struct{ configured, host, want string }{
		{"", "server.example", "server.example"},
		{"", "server.example.", "server.example"},
		{"", "fe80::1%eth0", "fe80::1"},
		{"other.example", "server.example", "other.example"},
		{"", "", ""},
	} {
		if got := ServerName(&socket.Security{ServerName: c.configured}, c.host); got != c.want {
			t.Errorf("%q of %q: %q, want %q", c.configured, c.host, got, c.want)
		}
	}
}

// TestNoName: without a name to compare, only a pinned certificate can be trusted.
func TestNoName(t *testing.T) {
	for usage := range socket.CertificateUsage(4) {
		_, err := NewVerifier(&socket.Security{Usage: usage}, "")
		if (err == nil) != (usage == socket.UsageDomainIssued) {
			t.Errorf("usage %d: %v", usage, err)
		}
	}
}

func verify(t *testing.T, sec socket.Security, certs ...*x509.Certificate) error {
	t.Helper()
	v, err := NewVerifier(&sec, "server.example")
	if err != nil {
		t.Fatal(err)
	}
	raw := make([][]byte, len(certs))
	for i, c := range certs {
		raw[i] = c.Raw
	}
	return v.Verify(raw, time.Now())
}

func wantAlert(t *testing.T, what string, err error, want socket.Alert) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Alert != want {
		t.Errorf("%s: %v, want alert %v", what, err, want)
	}
}

// TestRevocation of certificates at every place of a chain.
func TestRevocation(t *testing.T) {
	root := pkitest.NewCA(t, "Root")
	between := root.NewIntermediate(t, "Intermediate")
	leaf := between.Issue(t, []string{"server.example"})
	sec := socket.Security{Mode: socket.ModeCertificate, TrustStore: root.Pool()}
	chain := []*x509.Certificate{leaf.Cert, between.Cert}
	with := func(lists ...*x509.RevocationList) socket.Security {
		s := sec
		s.CRLs = lists
		return s
	}
	if err := verify(t, with(between.Revoke(t), root.Revoke(t)), chain...); err != nil {
		t.Errorf("empty lists: %v", err)
	}
	wantAlert(t, "leaf", verify(t, with(between.Revoke(t, leaf)), chain...), socket.AlertCertificateRevoked)
	wantAlert(t, "intermediate", verify(t, with(root.Revoke(t, &pkitest.Leaf{Cert: between.Cert})), chain...), socket.AlertCertificateRevoked)
	if err := verify(t, with(pkitest.NewCA(t, "Intermediate").Revoke(t)), chain...); err != nil {
		t.Errorf("a list of another CA of the same name with a key identifier: %v", err)
	}
	forged := between.Revoke(t)
	forged.Signature = append([]byte(nil), forged.Signature...)
	forged.Signature[len(forged.Signature)-1] ^= 1
	wantAlert(t, "a list with a bad signature", verify(t, with(forged), chain...), socket.AlertCertificateUnknown)
	wantAlert(t, "no intermediate", verify(t, sec, leaf.Cert), socket.AlertUnknownCA)
	wantAlert(t, "no certificate", verify(t, sec), socket.AlertNoCertificate)
}

// TestRequireCRLs: with RequireCRLs every issuer in a chain needs a list that is up to date.
func TestRequireCRLs(t *testing.T) {
	root := pkitest.NewCA(t, "Root")
	between := root.NewIntermediate(t, "Intermediate")
	leaf := between.Issue(t, []string{"server.example"})
	outdated := between.Revoke(t)
	outdated.NextUpdate = time.Now().Add(-time.Minute) // the signature covers the DER only
	revoked := between.Revoke(t, leaf)
	revoked.NextUpdate = outdated.NextUpdate
	for name, c := range map[string]struct {
		lists []*x509.RevocationList
		want  string // in the error; empty means accepted
	}{
		"all":              {[]*x509.RevocationList{root.Revoke(t), between.Revoke(t)}, ""},
		"old and new":      {[]*x509.RevocationList{root.Revoke(t), outdated, between.Revoke(t)}, ""},
		"outdated":         {[]*x509.RevocationList{root.Revoke(t), outdated}, "give the device a newer list"},
		"none of an inner": {[]*x509.RevocationList{root.Revoke(t)}, `CRLs has no list of "CN=Intermediate"`},
		"revoked on an outdated one": {[]*x509.RevocationList{root.Revoke(t), revoked, between.Revoke(t)},
			"was revoked by its issuer"},
	} {
		t.Run(name, func(t *testing.T) {
			sec := socket.Security{Mode: socket.ModeCertificate, TrustStore: root.Pool(), CRLs: c.lists, RequireCRLs: true}
			err := verify(t, sec, leaf.Cert, between.Cert)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("error %v, want %q", err, c.want)
			}
			sec.RequireCRLs = false
			if err := verify(t, sec, leaf.Cert, between.Cert); (err != nil) != (name == "revoked on an outdated one") {
				t.Errorf("without RequireCRLs: %v", err)
			}
		})
	}
}

// TestUsagesAndMatchings: every certificate usage accepts, with every matching type, the configured
// certificate and no other.
func TestUsagesAndMatchings(t *testing.T) {
	root := pkitest.NewCA(t, "Root")
	leaf := root.Issue(t, []string{"server.example"})
	other := pkitest.NewCA(t, "Root").Issue(t, []string{"server.example"})
	hash := map[socket.MatchingType]func([]byte) []byte{
		socket.MatchExact:  func(b []byte) []byte { return b },
		socket.MatchSHA256: func(b []byte) []byte { h := sha256.Sum256(b); return h[:] },
		socket.MatchSHA384: func(b []byte) []byte { h := sha512.Sum384(b); return h[:] },
		socket.MatchSHA512: func(b []byte) []byte { h := sha512.Sum512(b); return h[:] },
	}
	for usage := range socket.CertificateUsage(4) {
		right := leaf.Cert
		if usage == socket.UsageCAConstraint || usage == socket.UsageTrustAnchor {
			right = root.Cert
		}
		for matching, of := range hash {
			sec := socket.Security{
				Mode: socket.ModeCertificate, Usage: usage, Matching: matching, ServerPublicKey: of(right.Raw), TrustStore: root.Pool(),
				Certificates: [][]byte{leaf.Cert.Raw}, PrivateKey: leaf.Key,
			}
			if err := sec.Validate(); err != nil {
				t.Errorf("usage %d, matching %d: %v", usage, matching, err)
			}
			if err := verify(t, sec, leaf.Cert, root.Cert); err != nil {
				t.Errorf("usage %d, matching %d: %v", usage, matching, err)
			}
			sec.ServerPublicKey = of(other.Cert.Raw)
			var refused *Error
			if err := verify(t, sec, leaf.Cert, root.Cert); !errors.As(err, &refused) {
				t.Errorf("usage %d, matching %d, another certificate: %v", usage, matching, err)
			}
		}
	}
}

// TestLongNamesAreCut: names that a peer chose must not fill a log.
func TestLongNamesAreCut(t *testing.T) {
	ca := pkitest.NewCA(t, strings.Repeat("x", 5000))
	err := verify(t, socket.Security{Mode: socket.ModeCertificate, TrustStore: pkitest.NewCA(t, "Other").Pool()}, ca.Issue(t, nil).Cert)
	if err == nil || len(err.Error()) > 1000 {
		t.Errorf("an error of %d bytes", len(err.Error()))
	}
}

func TestCredentialRefusesOtherKeys(t *testing.T) {
	ca := pkitest.NewCA(t, "CA")
	leaf := ca.Issue(t, nil)
	if _, err := Credential(&socket.Security{Certificates: [][]byte{leaf.Cert.Raw}, PrivateKey: leaf.Key}); err != nil {
		t.Error(err)
	}
	if _, err := Credential(&socket.Security{Certificates: [][]byte{{1, 2, 3}}, PrivateKey: leaf.Key}); err == nil {
		t.Error("a certificate that is none is accepted")
	}
}
