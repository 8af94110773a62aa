package coap

import (
	"encoding/binary"
	"hash/crc32"
	"hash/maphash"
	"math"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// The first byte of a blob says what it holds, and in which version of the format.
const (
	savedConn        = 0xc3
	savedObservation = 0xc2
)

// longest is the longest duration in a blob: several of them can be added to an instant, or
// subtracted from one, without an overflow.
const longest = sched.Time(25 * 365 * 24 * time.Hour)

// A saveTime says when a blob was made. Within the endpoint that made it, the scheduler's clock
// tells its age, whatever happens to the wall clock.
type saveTime struct {
	endpoint uint64
	at       sched.Time
	wall     int64 // nanoseconds since 1970
}

func (e *Endpoint) saveTime() saveTime {
	return saveTime{e.identity(), e.sched.Now(), time.Now().UnixNano()}
}

// identity is a number that no other endpoint is likely to have.
func (e *Endpoint) identity() uint64 { return maphash.String(e.hashSeed, "endpoint") }

// certainAge is the least age of the blob: that of another process is 0, because the wall clock may
// have been set in the meantime, and a message ID that is forgotten too early has a request
// performed twice.
func (s *saveTime) certainAge(e *Endpoint) sched.Time {
	if s.endpoint != e.identity() {
		return 0
	}
	age, _ := s.age(e)
	return age
}

// age is how old the blob is. backwards reports that this is not known, because the wall clock was
// set back.
func (s *saveTime) age(e *Endpoint) (age sched.Time, backwards bool) {
	if s.endpoint == e.identity() {
		return max(e.sched.Now()-s.at, 0), false
	}
	wall := time.Now().UnixNano()
	if wall < s.wall {
		return 0, true
	}
	return min(sched.Time(wall-s.wall), longest), false
}

func (s *saveTime) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, s.endpoint)
	b = appendCount(b, int64(s.at))
	return appendCount(b, s.wall)
}

// appendCount appends a number that is not negative.
func appendCount[T ~int | ~int64](b []byte, n T) []byte {
	return binary.AppendUvarint(b, uint64(max(n, 0)))
}

// appendRest appends a duration, rounded up to milliseconds.
func appendRest(b []byte, d sched.Time) []byte {
	const unit = sched.Time(time.Millisecond)
	return appendCount(b, int64((min(d, longest-unit)+unit-1)/unit))
}

// appendBytes appends the length of p and p.
func appendBytes(b, p []byte) []byte { return append(appendCount(b, len(p)), p...) }

const checksumBytes = 4

// appendChecksum ends a blob.
func appendChecksum(b []byte) []byte { return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b)) }

// A savedReader reads a blob. After the first fault it returns zeros.
type savedReader struct {
	b    []byte
	fail bool
}

func (r *savedReader) byte() byte {
	if len(r.b) == 0 {
		r.fail = true
		return 0
	}
	v := r.b[0]
	r.b = r.b[1:]
	return v
}

func (r *savedReader) uint16() uint16 { return uint16(r.byte())<<8 | uint16(r.byte()) }

func (r *savedReader) uint32() uint32 { return uint32(r.uint16())<<16 | uint32(r.uint16()) }

// count reads a number up to limit.
func (r *savedReader) count(limit int64) int64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 || v > uint64(limit) {
		r.fail, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return int64(v)
}

// rest reads a duration.
func (r *savedReader) rest() sched.Time {
	return sched.Time(r.count(int64(longest/sched.Time(time.Millisecond)))) * sched.Time(time.Millisecond)
}

func (r *savedReader) bytes() []byte {
	n := r.count(int64(len(r.b)))
	if n > int64(len(r.b)) {
		r.fail, r.b = true, nil
		return nil
	}
	p := r.b[:n]
	r.b = r.b[n:]
	return p
}

// begin checks a blob of a kind and reads its start.
func (r *savedReader) begin(kind byte) (s saveTime) {
	end := len(r.b) - checksumBytes
	if end < 1+8 || r.b[0] != kind || binary.BigEndian.Uint32(r.b[end:]) != crc32.ChecksumIEEE(r.b[:end]) {
		r.fail, r.b = true, nil
		return s
	}
	r.b = r.b[1:end]
	s.endpoint = binary.BigEndian.Uint64(r.b)
	r.b = r.b[8:]
	s.at = sched.Time(r.count(math.MaxInt64))
	s.wall = r.count(math.MaxInt64)
	return s
}

// ok reports whether the blob was read to its end without a fault.
func (r *savedReader) ok() bool { return !r.fail && len(r.b) == 0 }
