package dtls

import (
	"context"
	"io"
	"log/slog"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
)

// An engine does handshakes. When a handshake is complete it returns the secrets and stops: it
// leaves no goroutine, and nothing reads from the guard's socket.
type engine interface {
	handshake(ctx context.Context, g *guard, p *parameters) (*established, error)
}

// parameters configure one handshake.
type parameters struct {
	client bool
	suites []suite

	identity []byte // PSK
	key      socket.Secret
	// lookup returns the key of a client's identity; a server uses it instead of identity and key.
	lookup func(identity []byte) (socket.Secret, error)

	credential *credential // certificates; nil with PSK, or a client without any
	serverName string      // for Server Name Indication; never an IP address
	// verify checks the peer's certificates in DER. On a client it is never nil with certificates.
	// On a server nil means that the client is not asked for one.
	verify func(certs [][]byte) error

	offerCID bool // client: offer to send a Connection ID; server: accept the offer
	cid      []byte
	session  *session // to resume, or nil
	sessions sessionCache

	interval time.Duration // of the first repetition
	mtu      int           // of the socket below
	keyLog   io.Writer
	log      *slog.Logger
}

// established is a connection whose handshake is complete.
type established struct {
	secrets
	sendCID, recvCID []byte
	next             uint64 // sequence number of the next record to be sent in epoch 1
	session          *session
	resumed          bool
	peer             [][]byte // certificates of the peer
	identity         []byte   // PSK identity of the client, on a server
	// Datagrams to repeat when the peer repeats its own; none if the peer cannot need them.
	flight   [][]byte
	held     [][]byte // records that came early
	messages int      // of the handshake, for tests
}

// session holds what an abbreviated handshake needs (RFC 5246 §7.3).
type session struct {
	id             []byte
	master         []byte
	suite          socket.CipherSuite
	extendedMaster bool
	peer           [][]byte
	hint           []byte
	pskHash        [32]byte
}

// sessionCache keeps the sessions of a server.
type sessionCache interface {
	get(id []byte) *session
	put(*session)
	drop(id []byte)
}
