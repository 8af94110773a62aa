package dtls

import (
	"fmt"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
)

// errForgotten is the error of Recv when the server seems to have forgotten the session. The
// connection goes on, as after a refusal by the network, because anyone can forge such a record.
var errForgotten = fmt.Errorf("%w: a plaintext alert or hello: the server may have forgotten the DTLS session", socket.ErrRefused)

// forgottenPause is the shortest time between two errors of this kind.
const forgottenPause = time.Second

// msgHelloRequest asks a client for a handshake (RFC 5246 §7.4.1.1).
const msgHelloRequest = 0

// looksForgotten reports whether a plaintext record is one that a server sends which does not know
// the session any more: a fatal alert in response to a record, or a message that asks for a
// handshake. A device that is no client has no use for it.
func (l *link) looksForgotten(h *header, record []byte) bool {
	body := record[h.body:]
	switch {
	case l.store == nil:
		return false
	case h.typ == typeAlert && len(body) == 2 && socket.AlertLevel(body[0]) == socket.AlertFatal:
	case h.typ == typeHandshake && len(body) >= messageHead && (body[0] == msgHelloRequest || body[0] == msgClientHello):
	default:
		return false
	}
	now := time.Now()
	if now.Sub(l.told) < forgottenPause {
		return false
	}
	l.told = now
	return true
}
