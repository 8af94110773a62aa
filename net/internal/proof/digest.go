package proof

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
)

// Digest hashes a sequence of fields, such as the server and the credentials that a stored session
// is for. Each field is hashed with its length, so that no two sequences are alike.
type Digest struct{ h hash.Hash }

// NewDigest returns the digest of no fields.
func NewDigest() *Digest { return &Digest{sha256.New()} }

// Add adds a field.
func (d *Digest) Add(field []byte) {
	d.h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(field))))
	d.h.Write(field)
}

// Sum returns the hash of the fields.
func (d *Digest) Sum() [sha256.Size]byte { return [sha256.Size]byte(d.h.Sum(nil)) }
