package dtls

import (
	"bytes"
	"crypto/hmac"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/lwm2mgen/toolkit/net/internal/proof"
	"github.com/lwm2mgen/toolkit/net/socket"
)

// The blob of a stored session:
//
//	"LWD" version kind time body binding proof
//
// version is 1; kind is 'L' for live state and 'S' for a session; time is the time of creation, 8
// bytes of Unix seconds; binding is a hash of 32 bytes of the peer and the credentials; proof is an
// HMAC-SHA256 with a key derived from the PSK, or a signature with the device's private key, over
// everything before it. Fields of variable length in the body are preceded by their length in 2
// bytes, lists by their count.

const (
	blobMagic   = "LWD"
	blobVersion = 1
	kindLive    = 'L'
	kindSession = 'S'

	maxBlob      = 64 << 10
	maxBlobCerts = 16
)

// Ages after which stored sessions are refused. RFC 5246 §F.1.4 gives that of sessions.
const (
	maxSessionAge = 24 * time.Hour
	maxLiveAge    = 30 * 24 * time.Hour
)

// stored is the content of a blob: live state or a session.
type stored struct {
	live    *liveState
	session *session
}

var errBlob = errors.New("stored DTLS session")

func blobFault(format string, args ...any) error {
	return fmt.Errorf("%w: %w", errBlob, fmt.Errorf(format, args...))
}

// appendBlob makes the blob without proof.
func (s *stored) appendBlob(b []byte, now time.Time, binding [32]byte) []byte {
	b = append(b, blobMagic...)
	kind := byte(kindSession)
	if s.live != nil {
		kind = kindLive
	}
	b = append(b, blobVersion, kind)
	b = binary.BigEndian.AppendUint64(b, uint64(now.Unix()))
	if s.live != nil {
		b = s.live.append(b)
	} else {
		b = s.session.append(b)
	}
	return append(b, binding[:]...)
}

func (st *liveState) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(st.secrets.suite.id))
	b = appendBytes(b, st.secrets.master)
	b = append(b, st.secrets.clientRandom[:]...)
	b = append(b, st.secrets.serverRandom[:]...)
	b = appendBytes(b, st.sendCID)
	b = appendBytes(b, st.recvCID)
	b = binary.BigEndian.AppendUint64(b, st.next)
	b = binary.BigEndian.AppendUint64(b, st.window.next)
	b = binary.BigEndian.AppendUint64(b, st.window.seen)
	return appendCerts(b, st.peer)
}

func (s *session) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(s.suite))
	b = appendBytes(b, s.master)
	b = appendBytes(b, s.id)
	b = append(b, boolByte(s.extendedMaster))
	b = appendBytes(b, s.hint)
	b = append(b, s.pskHash[:]...)
	return appendCerts(b, s.peer)
}

func boolByte(v bool) byte {
	if v {
		return 1
	}
	return 0
}

func appendBytes(b, p []byte) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(p))), p...)
}

func appendCerts(b []byte, certs [][]byte) []byte {
	b = append(b, byte(len(certs)))
	for _, c := range certs {
		b = appendBytes(b, c)
	}
	return b
}

// parseBlob reads a blob whose proof has been checked and cut off. It refuses a blob with another
// binding.
func parseBlob(b []byte, now time.Time, binding [32]byte) (*stored, error) {
	r := reader{b: b}
	r.take(len(blobMagic) + 1)
	kind := r.byte()
	made := time.Unix(int64(r.uint64()), 0)
	var s stored
	longest := maxSessionAge
	switch kind {
	case kindLive:
		s.live, longest = r.live(), maxLiveAge
	case kindSession:
		s.session = r.session()
	default:
		return nil, blobFault("its kind %d is unknown", kind)
	}
	var bound [32]byte
	copy(bound[:], r.take(32))
	switch age := now.Sub(made); {
	case r.bad || len(r.b) != 0:
		return nil, blobFault("its contents are damaged")
	case !hmac.Equal(bound[:], binding[:]):
		return nil, blobFault("it belongs to another server or to other credentials")
	case age < 0:
		return nil, blobFault("it was made at %s, after the present time", made.UTC().Format(time.RFC3339))
	case age > longest:
		return nil, blobFault("it is %s old; at most %s is allowed", age.Round(time.Second), longest)
	}
	return &s, nil
}

// reader reads the values of a blob. After a fault all values are zero and bad is set.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) take(n int) []byte {
	if r.bad || n > len(r.b) {
		r.bad = true
		return nil
	}
	p := r.b[:n]
	r.b = r.b[n:]
	return p
}

func (r *reader) byte() byte {
	if p := r.take(1); p != nil {
		return p[0]
	}
	return 0
}

func (r *reader) uint16() uint16 {
	if p := r.take(2); p != nil {
		return binary.BigEndian.Uint16(p)
	}
	return 0
}

func (r *reader) uint64() uint64 {
	if p := r.take(8); p != nil {
		return binary.BigEndian.Uint64(p)
	}
	return 0
}

func (r *reader) bytes() []byte { return bytes.Clone(r.take(int(r.uint16()))) }

func (r *reader) certs() [][]byte {
	n := int(r.byte())
	if n > maxBlobCerts {
		r.bad = true
	}
	var certs [][]byte
	for i := 0; i < n && !r.bad; i++ {
		certs = append(certs, r.bytes())
	}
	return certs
}

func (r *reader) suite() suite {
	s, ok := suiteByID(socket.CipherSuite(r.uint16()))
	r.bad = r.bad || !ok
	return s
}

// masterLen is the length of a master secret (RFC 5246 §8.1).
const masterLen = 48

func (r *reader) master() []byte {
	m := r.bytes()
	r.bad = r.bad || len(m) != masterLen
	return m
}

func (r *reader) live() *liveState {
	st := &liveState{secrets: secrets{client: true, suite: r.suite(), master: r.master()}}
	copy(st.secrets.clientRandom[:], r.take(32))
	copy(st.secrets.serverRandom[:], r.take(32))
	st.sendCID, st.recvCID = r.bytes(), r.bytes()
	st.next = r.uint64()
	st.window.next, st.window.seen = r.uint64(), r.uint64()
	st.peer = r.certs()
	r.bad = r.bad || len(st.sendCID) > maxCID || len(st.recvCID) > maxCID || st.next > maxSequence+1 ||
		st.window.next > maxSequence+1
	return st
}

func (r *reader) session() *session {
	s := &session{suite: r.suite().id, master: r.master(), id: r.bytes()}
	s.extendedMaster = r.byte() == 1
	s.hint = r.bytes()
	copy(s.pskHash[:], r.take(32))
	s.peer = r.certs()
	r.bad = r.bad || len(s.id) == 0 || len(s.id) > 32
	return s
}

// checkBlob returns a blob without its proof, if the proof is valid.
func checkBlob(p *proof.Prover, b []byte) ([]byte, error) {
	switch {
	case len(b) > maxBlob:
		return nil, blobFault("it has %d bytes, more than any can have", len(b))
	case len(b) < len(blobMagic)+2 || string(b[:len(blobMagic)]) != blobMagic:
		return nil, blobFault("it is not one")
	case b[len(blobMagic)] != blobVersion:
		return nil, blobFault("its version is %d, this program has %d", b[len(blobMagic)], blobVersion)
	}
	body, err := p.Cut(b)
	if err == nil && len(body) < len(blobMagic)+2 {
		err = proof.ErrForged
	}
	if err != nil {
		return nil, blobFault("%w", err)
	}
	return body, nil
}
