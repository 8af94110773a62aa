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

// ErrKey means that the device could not make its key pair, or sign the request with its key. What
// the key says about that is behind it, and stays on the device.
var ErrKey = errors.New("est: the key of the device cannot sign the certification request")

// newRequest returns a certification request of PKCS #10 in DER, with the key pair that it is
// signed with: key, or a new one on the curve P-256, which every device and server supports
// (Transport 1.2.2 §5.2.9, RFC 9148 §3). The common name of the subject is the endpoint name.
func newRequest(key crypto.Signer, name string, subject []byte) (crypto.Signer, []byte, error) {
	if key == nil {
		made, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, nil, fmt.Errorf("%w: %w", ErrKey, err)
		}
		key = made
	}
	if key.Public() == nil {
		return nil, nil, fmt.Errorf("%w: it has no public key", ErrKey)
	}
	template := x509.CertificateRequest{Subject: pkix.Name{CommonName: name}, RawSubject: subject}
	der, err := x509.CreateCertificateRequest(rand.Reader, &template, key)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	return key, der, nil
}
