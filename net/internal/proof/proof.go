// Package proof authenticates stored security sessions with the credentials of the device.
package proof

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/lwm2mgen/toolkit/net/socket"
)

// A Prover makes and checks proofs with the credentials of a device: an HMAC-SHA256 with a key
// derived from the pre-shared key, or, if there is a Signer, its signature.
type Prover struct {
	PSK    socket.Secret
	Signer crypto.Signer
}

// ErrForged is the error for a proof that is not valid.
var ErrForged = errors.New("it was damaged, forged, or made with another key")

// context separates signatures and derived keys from all others made with the key: what TLS signs
// never begins with it.
const context = "LwM2M device toolkit, stored DTLS session\x00"

// Append appends the proof for b to b.
func (p *Prover) Append(b []byte) ([]byte, error) {
	if p.Signer == nil {
		mac, err := p.mac(b)
		return append(b, mac...), err
	}
	message, opts := p.message(b)
	sig, err := p.Signer.Sign(rand.Reader, message, opts)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	b = append(b, sig...)
	return binary.BigEndian.AppendUint16(b, uint16(len(sig))), nil
}

func (p *Prover) mac(b []byte) ([]byte, error) {
	key, err := hkdf.Key(sha256.New, p.PSK.Bytes(), nil, context, sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("derive a key: %w", err)
	}
	h := hmac.New(sha256.New, key)
	h.Write(b)
	return h.Sum(nil), nil
}

// message returns what is signed: a hash, except with Ed25519.
func (p *Prover) message(b []byte) ([]byte, crypto.SignerOpts) {
	h := sha256.New()
	h.Write([]byte(context))
	h.Write(b)
	if _, pure := p.Signer.Public().(ed25519.PublicKey); pure {
		return append([]byte(context), h.Sum(nil)...), crypto.Hash(0)
	}
	return h.Sum(nil), crypto.SHA256
}

// Cut returns b without its proof. If the proof is not valid, the error is ErrForged.
func (p *Prover) Cut(b []byte) ([]byte, error) {
	if p.Signer == nil {
		if len(b) < sha256.Size {
			return nil, ErrForged
		}
		body, proof := b[:len(b)-sha256.Size], b[len(b)-sha256.Size:]
		mac, err := p.mac(body)
		if err != nil {
			return nil, err
		}
		if !hmac.Equal(mac, proof) {
			return nil, ErrForged
		}
		return body, nil
	}
	if len(b) < 2 {
		return nil, ErrForged
	}
	size := int(binary.BigEndian.Uint16(b[len(b)-2:]))
	if size > len(b)-2 {
		return nil, ErrForged
	}
	body, sig := b[:len(b)-2-size], b[len(b)-2-size:len(b)-2]
	if !p.verify(body, sig) {
		return nil, ErrForged
	}
	return body, nil
}

func (p *Prover) verify(body, sig []byte) bool {
	message, _ := p.message(body)
	switch k := p.Signer.Public().(type) {
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(k, message, sig)
	case ed25519.PublicKey:
		return ed25519.Verify(k, message, sig)
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(k, crypto.SHA256, message, sig) == nil
	}
	return false
}
