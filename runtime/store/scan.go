package store

import (
	"bytes"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
)

// content is what a file holds.
type content struct {
	header  header
	framer  framer
	key     int               // the index of the key that opens the file
	opened  bool              // the payloads were read: the file is not sealed, or a key opens it
	values  map[string][]byte // nil if the payloads were not read
	size    int64             // of the file
	snapEnd int64             // where the snapshot ends
	end     int64             // where the next record goes
	seq     uint64            // the sequence number of the last record
	batches int
	closed  bool  // the last record says that the store was closed in order
	torn    int64 // bytes after end: a batch that was never acknowledged
	damage  *DamageError
}

// source is a file to read. Its ReadAt is that of io.ReaderAt.
type source interface {
	io.ReaderAt
	Size() (int64, error)
}

// scan reads a file. Damage is not an error but in content.damage, together with the state before
// it. With lenient set, a sealed file that no key opens is not an error either: only its frame is
// checked.
func scan(path string, f source, keys []Key, lenient bool) (*content, error) {
	c := &content{opened: true}
	var err error
	if c.size, err = f.Size(); err != nil {
		return nil, err
	}
	r := &reader{path: path, f: f, c: c}
	b, damage := r.read(0, int(min(headerSize, c.size)))
	if damage != nil {
		c.damage = damage
		return c, nil
	}
	if c.header, err = parseHeader(b); err != nil {
		if errors.Is(err, ErrVersion) {
			return nil, err
		}
		c.damage = r.fault(0, err.Error(), nil)
		return c, nil
	}
	c.framer.id = c.header.id
	if c.header.sealed {
		if err := c.unseal(keys); err != nil {
			if !lenient {
				return nil, err
			}
			c.opened = false
		}
	}
	c.end = headerSize
	c.damage = r.records()
	return c, nil
}

// unseal finds the key that the file was sealed with.
func (c *content) unseal(keys []Key) error {
	for i, k := range keys {
		aead, proof, err := k.derive(c.header.id)
		if err != nil {
			return err
		}
		if subtle.ConstantTimeCompare(proof[:], c.header.proof[:]) == 1 {
			c.framer.aead, c.key = aead, i
			return nil
		}
	}
	return ErrKey
}

type reader struct {
	path string
	f    source
	c    *content
	buf  []byte
}

// read returns n bytes at off, which are valid until the next read.
func (r *reader) read(off int64, n int) ([]byte, *DamageError) {
	if cap(r.buf) < n {
		r.buf = make([]byte, n)
	}
	b := r.buf[:n]
	if got, err := r.f.ReadAt(b, off); got < n {
		return nil, r.fault(off, "it cannot be read", err)
	}
	return b, nil
}

func (r *reader) fault(off int64, reason string, err error) *DamageError {
	return &DamageError{Path: r.path, Offset: off, Reason: reason, Err: err, Repairable: r.c.snapEnd > 0 && r.c.opened}
}

// records reads all records after the header.
func (r *reader) records() *DamageError {
	c := r.c
	if c.opened {
		c.values = make(map[string][]byte)
	}
	for c.end < c.size {
		head, payload, reason, damage := r.record()
		switch {
		case damage != nil:
			return damage
		case reason != "":
			return r.tornOrDamaged(head, reason)
		}
		if reason := r.take(head, payload); reason != "" {
			return r.fault(c.end, reason, nil)
		}
		c.seq++
		c.end += recordHeader + int64(head.size) + recordTrailer
		if head.kind == kindEnd {
			c.snapEnd = c.end
		}
	}
	if c.snapEnd == 0 {
		return r.fault(c.end, "the file ends within the snapshot", nil)
	}
	return nil
}

// record reads the record at c.end. reason says why it is not intact. head.size is -1 if the header
// itself is not intact.
func (r *reader) record() (head recordHead, payload []byte, reason string, damage *DamageError) {
	c := r.c
	left := c.size - c.end
	none := recordHead{size: -1}
	if left < recordHeader {
		return none, nil, "the file ends within a record header", nil
	}
	b, damage := r.read(c.end, recordHeader)
	if damage != nil {
		return none, nil, "", damage
	}
	bound := [recordHeader - 4]byte(b)
	head, ok := c.framer.parseHead(b)
	if !ok {
		return none, nil, "the record header is not intact", nil
	}
	if left < recordHeader+int64(head.size)+recordTrailer {
		return head, nil, "the file ends within a record", nil
	}
	if b, damage = r.read(c.end+recordHeader, head.size+recordTrailer); damage != nil {
		return head, nil, "", damage
	}
	payload = b[:head.size]
	if crc32.Update(head.sum, castagnoli, payload) != binary.BigEndian.Uint32(b[head.size:]) {
		return head, nil, "the checksum of a record is wrong", nil
	}
	if c.framer.aead != nil {
		if payload, ok = c.open(payload, bound[:]); !ok {
			return head, nil, "", r.fault(c.end, "a sealed record was changed", nil)
		}
	}
	return head, payload, "", nil
}

func (c *content) open(payload, bound []byte) ([]byte, bool) {
	if len(payload) < sealOverhead {
		return nil, false
	}
	plain, err := c.framer.aead.Open(nil, nil, payload, bound)
	return plain, err == nil
}

// take applies an intact record. It returns what is wrong with it.
func (r *reader) take(head recordHead, payload []byte) (reason string) {
	c := r.c
	inSnapshot := head.kind == kindSnapshot || head.kind == kindEnd
	if head.seq != c.seq+1 || inSnapshot != (c.snapEnd == 0) {
		return "a record is not where it belongs"
	}
	c.closed = head.kind == kindClosed
	if head.kind == kindBatch {
		c.batches++
	}
	if !c.opened {
		return ""
	}
	switch head.kind {
	case kindSnapshot, kindBatch:
		// The payload as a whole comes first: half a batch is never applied.
		if err := parseChanges(payload, func(Change) {}); err != nil {
			return err.Error()
		}
		_ = parseChanges(payload, func(ch Change) { applyTo(c.values, ch) })
	case kindEnd:
		if len(payload) != 8 || binary.BigEndian.Uint64(payload) != uint64(len(c.values)) {
			return "the snapshot does not have as many records as it says"
		}
	case kindClosed:
		if len(payload) != 0 {
			return errPayload.Error()
		}
	default:
		return "a record is of an unknown kind"
	}
	return ""
}

// applyTo makes a change in values, with a copy of its value.
func applyTo(values map[string][]byte, c Change) {
	if c.Delete {
		delete(values, c.Name)
		return
	}
	values[c.Name] = append([]byte{}, c.Value...)
}

// tornOrDamaged decides what a record that is not intact means. Each batch is durable before the
// next is written, so a loss of power can only tear the last one: if anything follows it, it had
// been acknowledged, and the file is damaged.
func (r *reader) tornOrDamaged(head recordHead, reason string) *DamageError {
	c := r.c
	left := c.size - c.end
	whole := recordHeader + int64(head.size) + recordTrailer
	switch {
	case c.snapEnd == 0:
		return r.fault(c.end, reason, nil)
	case left > maxRecord, head.size >= 0 && left > whole:
		return r.fault(c.end, reason+", and more follows it", nil)
	case head.size >= 0 && head.seq != c.seq+1:
		return r.fault(c.end, reason+", and it is not where it belongs", nil)
	}
	b, damage := r.read(c.end, int(left))
	if damage != nil {
		return damage
	}
	for at := 1; at+recordHeader <= len(b); at++ {
		next := bytes.Index(b[at:], []byte(recordMarker))
		if next < 0 {
			break
		}
		at += next
		if at+recordHeader > len(b) {
			break
		}
		if h, ok := c.framer.parseHead(b[at:]); ok && h.seq > c.seq+1 {
			return r.fault(c.end, reason+", and intact records follow it", nil)
		}
	}
	c.torn = left
	c.closed = false
	return nil
}
