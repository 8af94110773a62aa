package est

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
)

// newRequest returns a certification request of PKCS #10 in DER, with the key pair that it is
// signed with: key, or a new one on the curve P-256, which every device and server supports
// (Transport 1.2.2 §5.2.9, RFC 9148 §3). The common name of the subject is the endpoint name.
func newRequest(key crypto.Signer, name string, subject []byte) (crypto.Signer, []byte, error) {
	if key == nil {
		made, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, nil, fmt.Errorf("est: key pair: %w", err)
		}
		key = made
	}
	if key.Public() == nil {
		return nil, nil, errors.New("est: the private key has no public key")
	}
	template := x509.CertificateRequest{Subject: pkix.Name{CommonName: name}, RawSubject: subject}
	der, err := x509.CreateCertificateRequest(rand.Reader, &template, key)
	if err != nil {
		return nil, nil, fmt.Errorf("est: certification request: %w", err)
	}
	return key, der, nil
}
