package dtls

import (
	"context"
	"encoding/binary"
	"errors"
	"hash/maphash"
	"time"

	"github.com/lwm2mgen/toolkit/net/internal/secured"
	"github.com/lwm2mgen/toolkit/net/socket"
)

// maxRestarts bounds the handshakes that a Connect begins again because of contradictions. A forger
// that goes on has it its way then, as it could by stopping the packets.
const maxRestarts = 3

var errContradiction = errors.New("the server's messages contradict each other: one of them may be forged")

// contradictions finds out whether plaintext messages of a server contradict each other: the same
// message, or fragment of it, with another content. A server repeats its messages as they are, so
// one of the two is forged, or the server has begun the handshake again.
type contradictions struct {
	seed  maphash.Seed
	seen  map[fragmentID]uint64 // hashes of the first content
	found bool
}

// fragmentID names a fragment of a message.
type fragmentID struct {
	seq            uint16
	offset, length int
}

// maxFragments bounds contradictions.seen.
const maxFragments = 64

// note compares a message with those before it. HelloVerifyRequest may differ from time to time.
func (c *contradictions) note(message []byte) {
	if len(message) < messageHead || message[0] == msgHelloVerify {
		return
	}
	if c.seen == nil {
		c.seed, c.seen = maphash.MakeSeed(), make(map[fragmentID]uint64)
	}
	id := fragmentID{binary.BigEndian.Uint16(message[4:]), uint24(message[6:]), uint24(message[9:])}
	sum := maphash.Bytes(c.seed, message)
	switch first, known := c.seen[id]; {
	case known:
		c.found = c.found || first != sum
	case len(c.seen) < maxFragments:
		c.seen[id] = sum
	}
}

// endContradicted ends a handshake whose flight has no answer if there was a contradiction: the
// server's own message may be the one that came second. The caller holds g.mu.
func (g *guard) endContradicted() {
	if g.restarts && g.contradictions.found && g.failure == nil {
		g.failure = errContradiction
		g.below.SetRecvDeadline(socket.NoWait())
	}
}

// contradicted reports whether a handshake that has failed may succeed if it begins again. If this
// side has ended it because of what a plaintext message said, contradicted waits for the message of
// the server that may still be on its way.
func (g *guard) contradicted(ctx context.Context, patience time.Duration) bool {
	g.mu.Lock()
	found, ended := g.contradictions.found, g.alert != nil
	g.mu.Unlock()
	if found || !ended {
		return found
	}
	wake := context.AfterFunc(ctx, func() { g.below.SetRecvDeadline(socket.NoWait()) })
	defer wake()
	end := time.Now().Add(patience)
	buf := make([]byte, largest)
	for !g.contradictions.found && ctx.Err() == nil {
		g.below.SetRecvDeadline(end)
		if ctx.Err() != nil { // it has ended before the deadline was set
			break
		}
		n, err := g.below.Recv(buf)
		if err != nil && !errors.Is(err, socket.ErrRefused) && !errors.Is(err, socket.ErrMessageTooLong) {
			break
		}
		for rest := buf[:n]; len(rest) > 0; {
			h, record, after, ok := splitRecord(rest, g.cidLen)
			if !ok {
				break
			}
			rest = after
			if h.epoch == 0 && h.typ == typeHandshake {
				g.contradictions.note(record[h.body:])
			}
		}
	}
	return g.contradictions.found
}

// handshake does a handshake, and begins again if messages of the server contradict each other.
func (s *conn) handshake(ctx context.Context, p *parameters) (*established, error) {
	for restarts := 0; ; restarts++ {
		e, g, err := s.handshakeOnce(ctx, p, restarts < maxRestarts)
		if err == nil || restarts == maxRestarts || ctx.Err() != nil || !g.contradicted(ctx, p.interval) {
			return e, err
		}
		secured.LogDebug(s.log, "dtls: the handshake begins again", errors.Join(errContradiction, err))
	}
}
