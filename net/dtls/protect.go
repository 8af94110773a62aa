package dtls

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/pion/dtls/v3/pkg/crypto/ciphersuite"
	"github.com/pion/dtls/v3/pkg/crypto/prf"
	"github.com/pion/dtls/v3/pkg/protocol"
	"github.com/pion/dtls/v3/pkg/protocol/recordlayer"
	"golang.org/x/crypto/chacha20poly1305"
)

// protection encrypts or decrypts the records of one direction. It is used by one goroutine at a
// time.
type protection interface {
	// seal appends the whole record of content type typ (of the header), in epoch 1.
	seal(b []byte, typ uint8, seq uint64, cid, plaintext []byte) ([]byte, error)
	// open returns the plaintext of a record, which it overwrites. The error does not say why,
	// because the record is dropped in any case.
	open(h *header, record []byte) ([]byte, error)
}

// secrets are the inputs from which the keys of a connection are derived.
type secrets struct {
	suite                      suite
	client                     bool // this end is the client
	master                     []byte
	clientRandom, serverRandom [32]byte
}

// protections derives the keys (RFC 5246 §6.3) for sending and receiving.
func (s *secrets) protections() (send, recv protection, err error) {
	var macLen, ivLen int
	switch s.suite.kind {
	case kindCBC:
		macLen, ivLen = s.suite.mac().Size(), 16
	case kindChaCha:
		ivLen = 12
	default:
		ivLen = 4
	}
	k, err := prf.GenerateEncryptionKeys(s.master, s.clientRandom[:], s.serverRandom[:], macLen, s.suite.keyLen,
		ivLen, s.suite.prf)
	if err != nil {
		return nil, nil, fmt.Errorf("derive keys: %w", err)
	}
	if s.suite.kind == kindCBC {
		return s.cbc(k)
	}
	client, err := newAEAD(&s.suite, k.ClientWriteKey, k.ClientWriteIV)
	if err != nil {
		return nil, nil, err
	}
	server, err := newAEAD(&s.suite, k.ServerWriteKey, k.ServerWriteIV)
	if err != nil {
		return nil, nil, err
	}
	if s.client {
		return client, server, nil
	}
	return server, client, nil
}

// explicitNonce is the part of a nonce that CCM and GCM suites send in each record (RFC 5288 §3,
// RFC 6655 §3).
const explicitNonce = 8

// aead protects with CCM, GCM or ChaCha20-Poly1305. The nonce is made of the sequence number (RFC
// 9325 §7.2.1), so it is as unique as the sequence number.
type aead struct {
	cipher   cipher.AEAD
	iv       [12]byte
	explicit int // bytes of nonce in a record: 8, or 0 with ChaCha20 (RFC 7905 §2)

	nonce [12]byte // for the call in progress
	ad    [additionalLen]byte
}

func newAEAD(s *suite, key, iv []byte) (*aead, error) {
	a := &aead{explicit: explicitNonce}
	copy(a.iv[:], iv)
	var err error
	switch s.kind {
	case kindChaCha:
		a.explicit = 0
		a.cipher, err = chacha20poly1305.New(key)
	case kindGCM:
		var block cipher.Block
		if block, err = aes.NewCipher(key); err == nil {
			a.cipher, err = cipher.NewGCM(block)
		}
	default:
		a.cipher, err = newCCM(key, s.tagLen)
	}
	if err != nil {
		return nil, fmt.Errorf("cipher %s: %w", s.name, err)
	}
	return a, nil
}

// setNonce sets the nonce of the record with n as its explicit part, or its sequence number.
func (a *aead) setNonce(n uint64) {
	if a.explicit == 0 {
		n ^= binary.BigEndian.Uint64(a.iv[4:])
	}
	copy(a.nonce[:4], a.iv[:4])
	binary.BigEndian.PutUint64(a.nonce[4:], n)
}

func (a *aead) seal(b []byte, typ uint8, seq uint64, cid, plaintext []byte) ([]byte, error) {
	h := header{typ: typ, epoch: 1, seq: seq, cid: cid}
	b = appendHeader(b, typ, seq, cid, a.explicit+len(plaintext)+a.cipher.Overhead())
	if a.explicit > 0 {
		b = binary.BigEndian.AppendUint64(b, 1<<48|seq)
	}
	a.setNonce(1<<48 | seq)
	return a.cipher.Seal(b, a.nonce[:], plaintext, appendAdditional(a.ad[:0], &h, len(plaintext))), nil
}

var errNotAuthentic = errors.New("record is not authentic")

func (a *aead) open(h *header, record []byte) ([]byte, error) {
	body := record[h.body:]
	length := len(body) - a.explicit - a.cipher.Overhead()
	if length < 0 {
		return nil, errNotAuthentic
	}
	n := uint64(h.epoch)<<48 | h.seq
	if a.explicit > 0 {
		n = binary.BigEndian.Uint64(body)
		body = body[a.explicit:]
	}
	a.setNonce(n)
	return a.cipher.Open(body[:0], a.nonce[:], body, appendAdditional(a.ad[:0], h, length))
}

// cbc protects with CBC, for both directions. It is never used with a Connection ID, because pion
// computes that MAC differently from RFC 9146 §5.1.
type cbc struct{ cipher *ciphersuite.CBC }

func (s *secrets) cbc(k *prf.EncryptionKeys) (send, recv protection, err error) {
	var c *ciphersuite.CBC
	if s.client {
		c, err = ciphersuite.NewCBC(k.ClientWriteKey, k.ClientWriteIV, k.ClientMACKey, k.ServerWriteKey,
			k.ServerWriteIV, k.ServerMACKey, s.suite.mac)
	} else {
		c, err = ciphersuite.NewCBC(k.ServerWriteKey, k.ServerWriteIV, k.ServerMACKey, k.ClientWriteKey,
			k.ClientWriteIV, k.ClientMACKey, s.suite.mac)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("cipher %s: %w", s.suite.name, err)
	}
	return cbc{c}, cbc{c}, nil
}

func (c cbc) seal(b []byte, typ uint8, seq uint64, _, plaintext []byte) ([]byte, error) {
	pkt := &recordlayer.RecordLayer{Header: recordlayer.Header{
		ContentType: protocol.ContentType(typ), ContentLen: uint16(len(plaintext)), Version: protocol.Version1_2,
		Epoch: 1, SequenceNumber: seq,
	}}
	raw, err := pkt.Header.Marshal()
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	raw, err = c.cipher.Encrypt(pkt, append(raw, plaintext...))
	return append(b, raw...), err
}

func (c cbc) open(h *header, record []byte) ([]byte, error) {
	out, err := c.cipher.Decrypt(recordlayer.Header{}, record)
	if err != nil || len(out) < h.body {
		return nil, errNotAuthentic
	}
	return out[h.body:], nil
}
