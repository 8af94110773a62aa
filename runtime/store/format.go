package store

import (
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// A file is a header and records. The first records are the snapshot, which ends with a record of
// its own; then follows one record for each batch. docs/persistence.md describes the format.
const (
	magic         = "LWM2MKV\n"
	formatVersion = 1
	flagSealed    = 1
	headerSize    = 8 + 2 + 2 + 16 + proofSize + 4
	proofSize     = 16

	recordHeader  = 4 + 8 + 4 + 4
	recordTrailer = 4
	maxPayload    = MaxBatch + sealOverhead
	maxRecord     = recordHeader + maxPayload + recordTrailer
)

// kind is what a record holds.
type kind byte

const (
	kindSnapshot kind = 's' // changes of the snapshot, all of them puts
	kindEnd      kind = 'e' // the end of the snapshot: the number of its records
	kindBatch    kind = 'b' // the changes of one batch
	kindClosed   kind = 'c' // the store was closed in order: an empty payload
)

// recordMarker begins every record, before its kind.
const recordMarker = "rec"

type fileID [16]byte

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// header is the head of a file.
type header struct {
	id     fileID
	sealed bool
	proof  [proofSize]byte
}

func newHeader() header {
	var h header
	_, _ = rand.Read(h.id[:]) // never fails (crypto/rand)
	return h
}

func (h header) append(b []byte) []byte {
	start := len(b)
	b = append(b, magic...)
	b = binary.BigEndian.AppendUint16(b, formatVersion)
	var flags uint16
	if h.sealed {
		flags |= flagSealed
	}
	b = binary.BigEndian.AppendUint16(b, flags)
	b = append(b, h.id[:]...)
	b = append(b, h.proof[:]...)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b[start:], castagnoli))
}

// parseHeader reads the head of a file.
func parseHeader(b []byte) (header, error) {
	var h header
	if len(b) < headerSize || string(b[:8]) != magic {
		return h, errors.New("the file does not begin like a store")
	}
	b = b[:headerSize]
	// The version comes first: a newer one may have another header.
	if v := binary.BigEndian.Uint16(b[8:]); v > formatVersion {
		return h, fmt.Errorf("%w: %d, and this program knows version %d", ErrVersion, v, formatVersion)
	}
	if crc32.Checksum(b[:headerSize-4], castagnoli) != binary.BigEndian.Uint32(b[headerSize-4:]) {
		return h, errors.New("the checksum of the file header is wrong")
	}
	flags := binary.BigEndian.Uint16(b[10:])
	if binary.BigEndian.Uint16(b[8:]) != formatVersion || flags&^flagSealed != 0 {
		return h, errors.New("the file header has unknown flags or an unknown version")
	}
	h.sealed = flags&flagSealed != 0
	copy(h.id[:], b[12:])
	copy(h.proof[:], b[28:])
	return h, nil
}

// framer makes records of one file.
type framer struct {
	id   fileID
	aead cipher.AEAD // nil if the file is not sealed
}

// append appends a record to b. Sequence number, kind and length are authenticated with a sealed
// payload, which therefore opens in no other position.
func (f framer) append(b []byte, k kind, seq uint64, payload []byte) []byte {
	start := len(b)
	n := len(payload)
	if f.aead != nil {
		n += sealOverhead
	}
	b = append(b, recordMarker...)
	b = append(b, byte(k))
	b = binary.BigEndian.AppendUint64(b, seq)
	b = binary.BigEndian.AppendUint32(b, uint32(n))
	head := f.headSum(b[start:])
	b = binary.BigEndian.AppendUint32(b, head)
	body := len(b)
	if f.aead != nil {
		bound := [recordHeader - 4]byte(b[start:])
		b = f.aead.Seal(b, nil, payload, bound[:])
	} else {
		b = append(b, payload...)
	}
	return binary.BigEndian.AppendUint32(b, crc32.Update(head, castagnoli, b[body:]))
}

// headSum is the checksum of a record header, without the checksum itself. It depends on the file,
// so that what is left on the disk of another file is no record of this one.
func (f framer) headSum(head []byte) uint32 {
	return crc32.Update(crc32.Checksum(f.id[:], castagnoli), castagnoli, head)
}

// recordHead is a parsed record header.
type recordHead struct {
	kind kind
	seq  uint64
	size int // of the payload
	sum  uint32
}

// parseHead reads a record header of recordHeader bytes. ok is false if it is none.
func (f framer) parseHead(b []byte) (h recordHead, ok bool) {
	if string(b[:3]) != recordMarker {
		return h, false
	}
	h.sum = f.headSum(b[:recordHeader-4])
	size := binary.BigEndian.Uint32(b[12:])
	if h.sum != binary.BigEndian.Uint32(b[recordHeader-4:]) || size > maxPayload {
		return h, false
	}
	h.kind, h.seq, h.size = kind(b[3]), binary.BigEndian.Uint64(b[4:]), int(size)
	return h, true
}
