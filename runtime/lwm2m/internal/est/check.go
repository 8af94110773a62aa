package est

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"time"
)

// Certificates are what an enrolment has brought.
type Certificates struct {
	// Key is the private key.
	Key crypto.Signer
	// Chain is the certificate of the device, and those between it and the authority, in this
	// order, as the device presents it in a handshake. The certificate of the authority itself is
	// left out.
	Chain []*x509.Certificate
	// Authorities are the certificates of the authority (/crts).
	Authorities []*x509.Certificate
}

// splitAuthorities returns the certificates that are trust anchors, which are those that have
// signed themselves, and the others. Without any of the former all are anchors.
func splitAuthorities(certs []*x509.Certificate) (anchors, others []*x509.Certificate) {
	for _, c := range certs {
		if bytes.Equal(c.RawSubject, c.RawIssuer) && c.CheckSignatureFrom(c) == nil {
			anchors = append(anchors, c)
		} else {
			others = append(others, c)
		}
	}
	if len(anchors) == 0 {
		return certs, nil
	}
	return anchors, others
}

// maxSkew is how much later than the device's clock a certificate may begin: authorities issue
// certificates that begin now, and the two clocks are not the same.
const maxSkew = 5 * time.Minute

// check decides whether received certificates are what a request has asked for: one has the public
// key of the request, is valid now, may authenticate a client, and is issued by one of the
// authorities. It returns that certificate with those between it and the authority.
func check(received, authorities []*x509.Certificate, key crypto.PublicKey, now time.Time) ([]*x509.Certificate, error) {
	own := findKey(received, key)
	if own == nil {
		return nil, errors.New("est: the certificate has another public key than the request")
	}
	if early := own.NotBefore.Sub(now); early > 0 && early <= maxSkew {
		now = own.NotBefore
	}
	switch {
	case now.Before(own.NotBefore):
		return nil, fmt.Errorf("est: the certificate is not valid before %s, and the device has %s: set the clock",
			own.NotBefore.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	case !now.Before(own.NotAfter):
		return nil, fmt.Errorf("est: the certificate is not valid after %s, and the device has %s",
			own.NotAfter.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	}
	anchors, others := splitAuthorities(authorities)
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	for _, c := range anchors {
		roots.AddCert(c)
	}
	for _, c := range append(others, received...) {
		between.AddCert(c)
	}
	chains, err := own.Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: between, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		return nil, fmt.Errorf("est: the certificate does not lead to the certificates of /crts: %w", err)
	}
	chain := chains[0]
	return chain[:max(1, len(chain)-1)], nil
}

// findKey returns the certificate with a public key.
func findKey(certs []*x509.Certificate, key crypto.PublicKey) *x509.Certificate {
	want, ok := key.(interface{ Equal(crypto.PublicKey) bool })
	for _, c := range certs {
		if ok && want.Equal(c.PublicKey) {
			return c
		}
	}
	return nil
}
