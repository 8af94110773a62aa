package dtls

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
)

// ccm is AES-CCM (RFC 3610) with nonces of 12 bytes, as TLS uses it (RFC 6655). Unlike other
// implementations it allocates nothing. It is used by one goroutine at a time.
type ccm struct {
	block cipher.Block
	tag   int // 8 or 16

	// For the call in progress: fields, because otherwise they would escape to the heap.
	mac, ctr, key [aes.BlockSize]byte
}

const (
	ccmNonce  = 12
	ccmLength = 15 - ccmNonce // bytes of the length and counter fields: L of RFC 3610
)

func newCCM(key []byte, tag int) (*ccm, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	if tag != 8 && tag != 16 {
		return nil, fmt.Errorf("CCM with a tag of %d bytes", tag)
	}
	return &ccm{block: block, tag: tag}, nil
}

func (c *ccm) NonceSize() int { return ccmNonce }
func (c *ccm) Overhead() int  { return c.tag }

// authenticate leaves the CBC-MAC in c.mac (RFC 3610 §2.2).
func (c *ccm) authenticate(nonce, plaintext, additional []byte) {
	clear(c.mac[:])
	c.mac[0] = byte((c.tag-2)/2)<<3 | (ccmLength - 1)
	if len(additional) > 0 {
		c.mac[0] |= 1 << 6
	}
	copy(c.mac[1:], nonce)
	c.mac[13], c.mac[14], c.mac[15] = byte(len(plaintext)>>16), byte(len(plaintext)>>8), byte(len(plaintext))
	c.block.Encrypt(c.mac[:], c.mac[:])
	if len(additional) > 0 {
		c.mac[0] ^= byte(len(additional) >> 8)
		c.mac[1] ^= byte(len(additional))
		n := subtle.XORBytes(c.mac[2:], c.mac[2:], additional)
		c.block.Encrypt(c.mac[:], c.mac[:])
		c.absorb(additional[n:])
	}
	c.absorb(plaintext)
}

func (c *ccm) absorb(b []byte) {
	for len(b) > 0 {
		n := subtle.XORBytes(c.mac[:], c.mac[:], b)
		c.block.Encrypt(c.mac[:], c.mac[:])
		b = b[n:]
	}
}

// keystream leaves block i of the key stream in c.key (RFC 3610 §2.3).
func (c *ccm) keystream(nonce []byte, i uint32) {
	c.ctr[0] = ccmLength - 1
	copy(c.ctr[1:], nonce)
	binary.BigEndian.PutUint32(c.ctr[12:], i|uint32(nonce[11])<<24)
	c.block.Encrypt(c.key[:], c.ctr[:])
}

// crypt encrypts or decrypts src to dst, which may be the same.
func (c *ccm) crypt(dst, nonce, src []byte) {
	for i := uint32(1); len(src) > 0; i++ {
		c.keystream(nonce, i)
		n := subtle.XORBytes(dst, src, c.key[:])
		dst, src = dst[n:], src[n:]
	}
}

// Seal implements cipher.AEAD. plaintext must not overlap dst's free capacity.
func (c *ccm) Seal(dst, nonce, plaintext, additional []byte) []byte {
	c.authenticate(nonce, plaintext, additional)
	at := len(dst)
	dst = append(dst, plaintext...)
	c.crypt(dst[at:], nonce, dst[at:])
	c.keystream(nonce, 0)
	subtle.XORBytes(c.mac[:], c.mac[:], c.key[:])
	return append(dst, c.mac[:c.tag]...)
}

var errCCM = errors.New("ccm: message authentication failed")

// Open implements cipher.AEAD for dst with the same memory as ciphertext, which is overwritten,
// with zeros if it is not authentic.
func (c *ccm) Open(dst, nonce, ciphertext, additional []byte) ([]byte, error) {
	n := len(ciphertext) - c.tag
	if n < 0 {
		return nil, errCCM
	}
	text, tag := ciphertext[:n], ciphertext[n:]
	c.crypt(text, nonce, text)
	c.authenticate(nonce, text, additional)
	c.keystream(nonce, 0)
	subtle.XORBytes(c.mac[:], c.mac[:], c.key[:])
	if subtle.ConstantTimeCompare(tag, c.mac[:c.tag]) != 1 {
		clear(text)
		return nil, errCCM
	}
	return append(dst, text...), nil
}
