package store

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
	"io"
	"log/slog"
)

// KeySize is the size of a Key in bytes.
const KeySize = 32

// Key seals a store. It is shown as "[redacted]" by every fmt verb, slog and JSON. The zero value
// is no key.
type Key struct {
	// fmt always shows a pointer to a pointer as an address, also where it cannot call methods.
	b **[KeySize]byte
}

// NewKey returns a Key of KeySize random bytes, of which it takes a copy. A passphrase is not
// random: derive the bytes from it, for instance with golang.org/x/crypto/argon2.
func NewKey(random []byte) (Key, error) {
	if len(random) != KeySize {
		return Key{}, fmt.Errorf("store: a key has %d bytes, and must have %d random ones", len(random), KeySize)
	}
	b := (*[KeySize]byte)(append([]byte(nil), random...))
	return Key{&b}, nil
}

// IsZero reports whether k is no key.
func (k Key) IsZero() bool { return k.b == nil }

// String returns "[redacted]", or "" for no key.
func (k Key) String() string {
	if k.IsZero() {
		return ""
	}
	return "[redacted]"
}

// Format writes String for every verb.
func (k Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.String()) }

// LogValue returns String for slog.
func (k Key) LogValue() slog.Value { return slog.StringValue(k.String()) }

// MarshalText returns String for encoders, such as that of JSON. It cannot be unmarshalled.
func (k Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// sealOverhead is by how much sealing makes a payload longer: a nonce of 12 bytes and a tag of 16.
const sealOverhead = 28

// derive returns what opens and seals the records of one file, and the proof of the key in its
// header. Each file has a key of its own, from its random identifier, so that a record of another
// file, also of an earlier copy of this one, never opens here. Nonces are random: a store whose
// directory was copied, or a virtual machine that was, does not repeat one.
func (k Key) derive(id fileID) (cipher.AEAD, [proofSize]byte, error) {
	var proof [proofSize]byte
	root := (**k.b)[:]
	record, err := hkdf.Key(sha256.New, root, id[:], "lwm2m store v1 records", 32)
	if err != nil {
		return nil, proof, err
	}
	p, err := hkdf.Key(sha256.New, root, id[:], "lwm2m store v1 proof", proofSize)
	if err != nil {
		return nil, proof, err
	}
	copy(proof[:], p)
	block, err := aes.NewCipher(record)
	if err != nil {
		return nil, proof, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	return aead, proof, err
}
