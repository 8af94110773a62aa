// Package pki verifies the certificates of peers as a Security requires: certificate usages 0-3
// with matching types 0-3 (RFC 6698 §2.1), a trust store, names and revocation lists. DTLS and TLS
// share it.
package pki

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
)

// An Error says why a peer's certificate is refused.
type Error struct {
	Alert  socket.Alert // the alert to send to the peer
	Reason string       // with the remedy
	Err    error        // of crypto/x509; may be nil
}

// Error gives the reason and its cause.
func (e *Error) Error() string {
	if e.Err != nil {
		return e.Reason + ": " + e.Err.Error()
	}
	return e.Reason
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// A Verifier verifies the certificates of one server.
type Verifier struct {
	sec  *socket.Security
	name string
}

// NewVerifier returns a verifier for the server at host. It refuses a Security without a name to
// compare, except for usage 3, which compares the certificate itself.
func NewVerifier(sec *socket.Security, host string) (*Verifier, error) {
	name := ServerName(sec, host)
	if name == "" && sec.Usage != socket.UsageDomainIssued {
		return nil, errors.New("security: there is no name to compare the server's certificate with: set " +
			"ServerName, or name the host in the server's URI")
	}
	return &Verifier{sec, name}, nil
}

// ServerName returns the name that the server's certificate must carry: ServerName of the Security,
// or else the host without its zone.
func ServerName(sec *socket.Security, host string) string {
	if sec.ServerName != "" {
		host = sec.ServerName
	}
	name, _, _ := strings.Cut(host, "%")
	return strings.TrimSuffix(name, ".")
}

// Verify checks a server's certificates, its own first, in DER, as they were at the time now. The
// error is an *Error.
func (v *Verifier) Verify(raw [][]byte, now time.Time) error {
	certs, err := parse(raw)
	if err != nil {
		return err
	}
	switch v.sec.Usage {
	case socket.UsageDomainIssued:
		if !v.matches(certs[0]) {
			return v.mismatch(certs[0], "the server's certificate is not the one in ServerPublicKey (/0/x/4)")
		}
		return nil
	case socket.UsageTrustAnchor:
		return v.verifyAnchor(certs, now)
	}
	chains, err := v.chains(certs, v.sec.TrustStore, now)
	if err != nil {
		return err
	}
	if len(v.sec.ServerPublicKey) == 0 {
		return nil
	}
	if v.sec.Usage == socket.UsageServiceConstraint {
		if !v.matches(certs[0]) {
			return v.mismatch(certs[0], "the server's certificate is valid, but not the one in ServerPublicKey (/0/x/4)")
		}
		return nil
	}
	for _, chain := range chains {
		if slices.ContainsFunc(chain[1:], v.matches) {
			return nil
		}
	}
	return v.mismatch(certs[0], "the server's certificate is valid, but the CA in ServerPublicKey (/0/x/4) is not in its chain")
}

func parse(raw [][]byte) ([]*x509.Certificate, error) {
	if len(raw) == 0 {
		return nil, &Error{Alert: socket.AlertNoCertificate, Reason: "the peer sent no certificate"}
	}
	certs := make([]*x509.Certificate, len(raw))
	for i, der := range raw {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, &Error{Alert: socket.AlertBadCertificate,
				Reason: fmt.Sprintf("certificate %d of the peer cannot be read", i), Err: err}
		}
		certs[i] = c
	}
	return certs, nil
}

// verifyAnchor verifies with usage 2: the configured certificate is the only root.
func (v *Verifier) verifyAnchor(certs []*x509.Certificate, now time.Time) error {
	roots := x509.NewCertPool()
	found := false
	if v.sec.Matching == socket.MatchExact {
		anchor, err := x509.ParseCertificate(v.sec.ServerPublicKey)
		if err != nil {
			return &Error{Alert: socket.AlertInternalError, Reason: "the trust anchor configured cannot be read",
				Err: err}
		}
		roots.AddCert(anchor)
		found = true
	}
	for _, c := range certs {
		if !found && v.matches(c) {
			roots.AddCert(c)
			found = true
		}
	}
	if !found {
		return &Error{
			Alert: socket.AlertUnknownCA,
			Reason: fmt.Sprintf("no certificate in the server's chain of %d has the hash configured for the "+
				"trust anchor (certificate usage 2 with matching type %d): "+
				"the server must send its CA's certificate too, or matching type 0 be used", len(certs),
				v.sec.Matching),
		}
	}
	_, err := v.chains(certs, roots, now)
	return err
}

// matches reports whether c is the certificate that ServerPublicKey describes.
func (v *Verifier) matches(c *x509.Certificate) bool {
	switch v.sec.Matching {
	case socket.MatchExact:
		return bytes.Equal(c.Raw, v.sec.ServerPublicKey)
	case socket.MatchSHA256:
		h := sha256.Sum256(c.Raw)
		return bytes.Equal(h[:], v.sec.ServerPublicKey)
	case socket.MatchSHA384:
		h := sha512.Sum384(c.Raw)
		return bytes.Equal(h[:], v.sec.ServerPublicKey)
	case socket.MatchSHA512:
		h := sha512.Sum512(c.Raw)
		return bytes.Equal(h[:], v.sec.ServerPublicKey)
	}
	return false
}

func (v *Verifier) mismatch(leaf *x509.Certificate, reason string) error {
	return &Error{
		Alert: socket.AlertCertificateUnknown,
		Reason: fmt.Sprintf("%s (certificate usage %d, %s, matching type %d); it sent the one of %q issued by "+
			"%q with the SHA-256 hash %x: %s",
			reason, v.sec.Usage, v.sec.Usage, v.sec.Matching, shorten(leaf.Subject.String()),
			shorten(leaf.Issuer.String()), sha256.Sum256(leaf.Raw), v.remedy()),
	}
}

// remedy says what to do about a certificate that is not the one configured.
func (v *Verifier) remedy() string {
	own := v.sec.Usage == socket.UsageServiceConstraint || v.sec.Usage == socket.UsageDomainIssued
	if own && v.sec.Matching == socket.MatchExact {
		if c, err := x509.ParseCertificate(v.sec.ServerPublicKey); err == nil && c.IsCA {
			return "the one in ServerPublicKey is that of a CA, use certificate usage 2 for it"
		}
	}
	if own {
		return "if the server has a new certificate, set ServerPublicKey to it"
	}
	return "if the server has a certificate of another CA now, set ServerPublicKey to that CA"
}

// chains verifies certs up to one of roots, with name and revocation, and returns the valid chains.
func (v *Verifier) chains(
	certs []*x509.Certificate, roots *x509.CertPool, now time.Time,
) ([][]*x509.Certificate, error) {
	chains, err := chainsTo(certs, roots, now, x509.ExtKeyUsageServerAuth)
	if err != nil {
		return nil, err
	}
	if err := v.checkName(certs[0]); err != nil {
		return nil, err
	}
	return revocations{v.sec.CRLs, v.sec.RequireCRLs}.notRevoked(chains, now)
}

// VerifyClient checks a client's certificates, its own first, in DER. The error is an *Error.
func VerifyClient(raw [][]byte, roots *x509.CertPool, now time.Time) error {
	certs, err := parse(raw)
	if err != nil {
		return err
	}
	_, err = chainsTo(certs, roots, now, x509.ExtKeyUsageClientAuth)
	return err
}

func chainsTo(
	certs []*x509.Certificate, roots *x509.CertPool, now time.Time, usage x509.ExtKeyUsage,
) ([][]*x509.Certificate, error) {
	between := x509.NewCertPool()
	for _, c := range certs[1:] {
		between.AddCert(c)
	}
	if roots == nil { // x509 would use the system's CAs
		roots = x509.NewCertPool()
	}
	chains, err := certs[0].Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: between, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{usage},
	})
	if err != nil {
		return nil, chainError(certs, now, err)
	}
	return chains, nil
}

func (v *Verifier) checkName(leaf *x509.Certificate) error {
	err := leaf.VerifyHostname(v.name)
	if err == nil {
		return nil
	}
	return &Error{
		Alert: socket.AlertBadCertificate,
		Reason: fmt.Sprintf("the server's certificate is not for the name %q; set ServerName (/0/x/14) if the "+
			"server has another one", shorten(v.name)),
		Err: err,
	}
}

// chainError returns the alert and the text for an error of x509.
func chainError(certs []*x509.Certificate, now time.Time, err error) error {
	leaf := certs[0]
	e := &Error{Alert: socket.AlertBadCertificate, Err: err,
		Reason: fmt.Sprintf("the certificate of %q is not valid", shorten(leaf.Subject.String()))}
	var invalid x509.CertificateInvalidError
	var unknown x509.UnknownAuthorityError
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		e.Alert = socket.AlertCertificateExpired
		c := invalid.Cert
		if c == nil {
			c = leaf
		}
		remedy := "set this device's clock, or have the certificate renewed"
		if now.Before(c.NotBefore) {
			remedy = "set this device's clock"
		}
		e.Reason = fmt.Sprintf("the certificate of %q is valid from %s to %s only, and by this device's clock it is "+
			"%s; %s", shorten(c.Subject.String()), stamp(c.NotBefore), stamp(c.NotAfter), stamp(now), remedy)
	case errors.As(err, &invalid) && invalid.Reason == x509.IncompatibleUsage:
		e.Reason = fmt.Sprintf("the certificate of %q is for another purpose: its extended key usage, or that of "+
			"its CA, leaves this side of a connection out; it needs another certificate",
			shorten(leaf.Subject.String()))
	case errors.As(err, &unknown):
		e.Alert = socket.AlertUnknownCA
		e.Reason = unknownCA(certs)
	}
	return e
}

// unknownCA says why there is no chain from a certificate to a root.
func unknownCA(certs []*x509.Certificate) string {
	leaf := certs[0]
	subject, issuer := shorten(leaf.Subject.String()), shorten(leaf.Issuer.String())
	if bytes.Equal(leaf.RawSubject, leaf.RawIssuer) {
		return fmt.Sprintf("the certificate of %q is self-signed, and there is no way from there to a trusted CA; to "+
			"trust it alone, use certificate usage 3 with it", subject)
	}
	return fmt.Sprintf("the certificate of %q was issued by %q, and there is no way from there to a trusted CA (the "+
		"peer sent a chain of %d); trust that CA, or have the peer send every intermediate certificate",
		subject, issuer, len(certs))
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// shorten shortens names that a peer chose.
func shorten(s string) string {
	const most = 120
	if len(s) > most {
		return s[:most] + "..."
	}
	return s
}
