package tls

import (
	"bytes"
	stdtls "crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/lwm2mgen/toolkit/net/internal/secured"
	"github.com/lwm2mgen/toolkit/net/socket"
)

// sessionCache is crypto/tls's session cache for one connection: it takes the session out of the
// store when a handshake asks, and puts new ones in. A stored session is
//
//	"LWT" version time binding ticket state proof
//
// version is 1; time is when it was made, 8 bytes of Unix seconds; binding is 32 bytes that stand
// for the server and the credentials; the ticket is preceded by its length in 4 bytes; state is
// crypto/tls's; proof is the device's signature.
type sessionCache struct {
	profile *profile
	remote  socket.Endpoint
	log     *slog.Logger

	mu   sync.Mutex
	last []byte // the newest session
}

const (
	blobMagic   = "LWT\x01"
	maxBlob     = 64 << 10
	maxAge      = 7 * 24 * time.Hour // RFC 8446 §4.6.1
	blobFixed   = len(blobMagic) + 8 + 32 + 4
	bindingFrom = len(blobMagic) + 8
)

// Get implements crypto/tls.ClientSessionCache.
func (c *sessionCache) Get(string) (*stdtls.ClientSessionState, bool) {
	blob, err := c.profile.sessions.Take(c.profile.storeKey(c.remote))
	if err == nil && len(blob) > 0 {
		var s *stdtls.ClientSessionState
		if s, err = c.open(blob, time.Now()); err == nil {
			return s, true
		}
	}
	secured.LogDebug(c.log, "tls: stored session not used", err)
	return nil, false
}

// Put implements crypto/tls.ClientSessionCache. It is called where data is received, so it leaves
// slow work to store.
func (c *sessionCache) Put(_ string, s *stdtls.ClientSessionState) {
	var blob []byte
	if s != nil {
		ticket, state, err := s.ResumptionState()
		if err != nil || state == nil {
			return
		}
		b, err := state.Bytes()
		if err != nil {
			secured.LogDebug(c.log, "tls: session not stored", err)
			return
		}
		bound := c.profile.binding(c.remote)
		blob = append(blob, blobMagic...)
		blob = binary.BigEndian.AppendUint64(blob, uint64(time.Now().Unix()))
		blob = append(blob, bound[:]...)
		blob = binary.BigEndian.AppendUint32(blob, uint32(len(ticket)))
		blob = append(append(blob, ticket...), b...)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = blob
}

// store stores the newest session.
func (c *sessionCache) store() {
	c.mu.Lock()
	blob := c.last
	c.last = nil
	c.mu.Unlock()
	if blob == nil {
		return
	}
	blob, err := c.profile.prover.Append(blob)
	if err == nil && len(blob) <= maxBlob {
		err = c.profile.sessions.Put(c.profile.storeKey(c.remote), blob)
	}
	secured.LogDebug(c.log, "tls: session not stored", err)
}

// open checks a stored session.
func (c *sessionCache) open(blob []byte, now time.Time) (*stdtls.ClientSessionState, error) {
	if len(blob) > maxBlob || !bytes.HasPrefix(blob, []byte(blobMagic)) {
		return nil, errors.New("it is not one of this version")
	}
	b, err := c.profile.prover.Cut(blob)
	if err != nil {
		return nil, err
	}
	if len(b) < blobFixed {
		return nil, errors.New("it is damaged")
	}
	bound := c.profile.binding(c.remote)
	age := now.Sub(time.Unix(int64(binary.BigEndian.Uint64(b[len(blobMagic):])), 0))
	size := binary.BigEndian.Uint32(b[blobFixed-4:])
	rest := b[blobFixed:]
	switch {
	case !bytes.Equal(b[bindingFrom:bindingFrom+32], bound[:]):
		return nil, errors.New("it belongs to another server or to other credentials")
	case age < 0 || age > maxAge:
		return nil, fmt.Errorf("its age is %v; at most %v is allowed", age.Round(time.Second), maxAge)
	case uint64(size) > uint64(len(rest)):
		return nil, errors.New("it is damaged")
	}
	state, err := stdtls.ParseSessionState(rest[size:])
	if err != nil {
		return nil, err
	}
	return stdtls.NewResumptionState(rest[:size], state)
}
