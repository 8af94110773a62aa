package pki

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
)

// Credential returns the certificates and the key of a Security for handshakes. It refuses a key
// that cannot sign a handshake.
func Credential(sec *socket.Security) (tls.Certificate, error) {
	switch k := sec.PrivateKey.Public().(type) {
	case *ecdsa.PublicKey, *rsa.PublicKey, ed25519.PublicKey:
	default:
		return tls.Certificate{}, fmt.Errorf("security: %w: a PrivateKey whose public half is a %T; it must be "+
			"ECDSA, RSA or Ed25519",
			socket.ErrNotSupported, k)
	}
	leaf, err := x509.ParseCertificate(sec.Certificates[0])
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("security: Certificates[0]: %w", err)
	}
	c := tls.Certificate{PrivateKey: sec.PrivateKey, Leaf: leaf}
	for _, der := range sec.Certificates {
		c.Certificate = append(c.Certificate, bytes.Clone(der))
	}
	if sec.RebuildChain {
		c.Certificate = append(c.Certificate, missingIssuers(sec)...)
	}
	return c, nil
}

// missingIssuers returns the issuers from the trust store that complete the chain, without a root,
// which the peer must have.
func missingIssuers(sec *socket.Security) [][]byte {
	certs := make([]*x509.Certificate, 0, len(sec.Certificates))
	for _, der := range sec.Certificates {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil
		}
		certs = append(certs, c)
	}
	last := certs[len(certs)-1]
	if sec.TrustStore == nil || bytes.Equal(last.RawIssuer, last.RawSubject) {
		return nil
	}
	chains, err := last.Verify(x509.VerifyOptions{
		Roots: sec.TrustStore, CurrentTime: last.NotBefore.Add(time.Second),
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	if err != nil {
		return nil // the peer may still be able to complete the chain
	}
	var out [][]byte
	for _, c := range chains[0][1:] {
		if !bytes.Equal(c.RawIssuer, c.RawSubject) {
			out = append(out, c.Raw)
		}
	}
	return out
}
