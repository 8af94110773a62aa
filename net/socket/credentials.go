package socket

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
)

// ParsePrivateKey reads a private key as /0/x/5 holds it, or a file: PKCS #8 (RFC 5208), SEC 1 (RFC
// 5915) or PKCS #1, in DER or PEM. Keys protected by a password are not read. Neither errors nor
// fmt show the key: an Ed25519 key, which is plain bytes in the standard library, is returned as a
// type that fmt cannot print.
func ParsePrivateKey(b []byte) (crypto.Signer, error) {
	if block := findPEM(b, "PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY"); block != nil {
		b = block.Bytes
		defer clear(b)
	}
	if k, err := x509.ParsePKCS8PrivateKey(b); err == nil {
		if ed, ok := k.(ed25519.PrivateKey); ok {
			defer clear(ed)
			return hiddenKey{NewSecret(ed)}, nil
		}
		if s, ok := k.(crypto.Signer); ok {
			return s, nil
		}
		return nil, fmt.Errorf("private key: a %T cannot sign", k)
	}
	if k, err := x509.ParseECPrivateKey(b); err == nil {
		return k, nil
	}
	if k, err := x509.ParsePKCS1PrivateKey(b); err == nil {
		return k, nil
	}
	return nil, errors.New("private key: neither PKCS #8 nor SEC 1 nor PKCS #1, in DER or PEM")
}

// hiddenKey is an Ed25519 key that fmt cannot show.
type hiddenKey struct{ key Secret }

func (k hiddenKey) inner() ed25519.PrivateKey { return k.key.Bytes() }

// Public implements crypto.Signer.
func (k hiddenKey) Public() crypto.PublicKey { return k.inner().Public() }

// Sign implements crypto.Signer.
func (k hiddenKey) Sign(random io.Reader, message []byte, opts crypto.SignerOpts) ([]byte, error) {
	return k.inner().Sign(random, message, opts)
}

// ParseCertificates reads certificates, in DER one after the other or in PEM, and returns each
// one's DER for Security.Certificates. Other PEM blocks and text are skipped.
func ParseCertificates(b []byte) ([][]byte, error) {
	der := b
	if bytes.Contains(b, []byte("-----BEGIN ")) {
		der = nil
		for block := findPEM(b, "CERTIFICATE"); block != nil; block = findPEM(b, "CERTIFICATE") {
			der = append(der, block.Bytes...)
			b = b[block.end:]
		}
	}
	certs, err := x509.ParseCertificates(der)
	if err != nil {
		return nil, fmt.Errorf("certificates: %w", err)
	}
	if len(certs) == 0 {
		return nil, errors.New("certificates: none found")
	}
	out := make([][]byte, len(certs))
	for i, c := range certs {
		out[i] = c.Raw
	}
	return out, nil
}

type pemBlock struct {
	*pem.Block
	end int // offset behind it
}

// findPEM returns the first block of one of these types.
func findPEM(b []byte, types ...string) *pemBlock {
	for rest := b; ; {
		block, after := pem.Decode(rest)
		if block == nil {
			return nil
		}
		rest = after
		for _, t := range types {
			if block.Type == t {
				return &pemBlock{block, len(b) - len(rest)}
			}
		}
	}
}
