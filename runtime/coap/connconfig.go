package coap

import (
	"errors"
	"fmt"

	"github.com/lwm2mgen/toolkit/net/socket"
)

// ConnConfig configures a [Conn].
type ConnConfig struct {
	// Socket carries the messages: RFC 7252 over datagrams, RFC 8323 over a stream. It must be
	// connected. The caller owns it: the caller connects and closes it, and sets its receive
	// deadline. Required.
	Socket socket.Socket
	// Handler answers the peer's requests. The zero value means that they are answered 4.04.
	Handler Handler
	// Layer protects requests and responses (object security). The zero value means that they
	// are sent as they are.
	Layer Layer
	// Params are the transmission parameters. The zero value means those of RFC 7252.
	Params Params
	// BlockSize is the largest block to send and to ask for: a power of two from 16 to 1024,
	// in bytes. Smaller blocks are used where the socket's MTU requires it. The zero value
	// means 1024.
	BlockSize int
	// MaxBody bounds, in bytes, a body that is kept in memory for a handler or a caller that
	// set no bound of its own. The zero value means 64 KiB.
	MaxBody int
	// MaxTransfers bounds the peer's concurrent block-wise transfers; a further one ends the
	// one that has been idle longest. The zero value means 16.
	MaxTransfers int
	// MaxHistory bounds, in bytes, the memory for message IDs and answers, which serve to recognize
	// repetitions and answer them. The zero value means 4 MiB, enough for all message IDs.
	MaxHistory int
	// MaxQueue bounds the messages of one [Priority] that wait because NSTART interactions are
	// outstanding, the notifications that wait for their turn, and the peer's requests that wait
	// for their response: a further request is answered 5.03. The zero value means 1024.
	MaxQueue int
	// MaxObservations bounds the peer's observations. A further request to observe is answered
	// without one (RFC 7641 §4.1). The zero value means 1024.
	MaxObservations int
	// MaxToken is the longest token to accept, 8 to 65804 bytes (RFC 8974). A longer one is a
	// format error. The zero value means 8.
	MaxToken int
	// MaxMessage is the largest message to accept from a stream, at least 1152 bytes
	// (RFC 8323 §5.3.1). The zero value means 64 KiB.
	MaxMessage int
	// Critical lists critical options that the handler understands in addition to those of
	// this package. The zero value means none.
	Critical []OptionID
	// OnClose is called once when the connection is closed, by [Conn.Close] or because a stream
	// cannot continue, after everything outstanding has ended. The zero value means that no
	// callback is called.
	OnClose func(reason error)
	// Saved is the result of [Conn.Save] of the last connection to the same peer, which the new
	// connection continues. Set it if the peer takes both for one: the addresses are the same, or
	// the DTLS session is. Use a blob once, because an older one makes message IDs repeat. It may
	// come from an earlier process: then what it holds expires as if no time had passed, because
	// the wall clock may have been set. A blob is ignored if it is damaged or of another
	// version of the format, and over a stream. It is not kept. The memory that it needs counts
	// towards MaxHistory, where the oldest messages are forgotten first, and [Config.MaxMemory].
	// The zero value means that the connection starts with a random message ID and an empty
	// history.
	Saved []byte
	// KeepOnTimeout keeps an observation when a confirmable notification is not acknowledged;
	// the next ones are confirmable until one is acknowledged. It is for peers that notice the loss
	// by other means, such as a registration that is not updated. The zero value means that the
	// observation ends (RFC 7641 §4.5).
	KeepOnTimeout bool
	// OnSlowdown is called when notifications begin to be sent more slowly than they come, because
	// message IDs would run out, and with false when they no longer are. It must not use the
	// connection. The zero value means that no callback is called.
	OnSlowdown func(slow bool)
}

// withDefaults checks c and fills in the defaults.
func (c ConnConfig) withDefaults() (ConnConfig, error) {
	var faults []error
	def := func(name string, v *int, zero, low, high int) {
		if *v == 0 {
			*v = zero
		}
		if *v < low || *v > high {
			faults = append(faults, fmt.Errorf("coap: ConnConfig.%s is %d, it must be from %d to %d", name, *v, low, high))
		}
	}
	const big = 1<<31 - 1
	def("BlockSize", &c.BlockSize, 1024, 16, 1024)
	def("MaxBody", &c.MaxBody, 64<<10, 1, big)
	def("MaxTransfers", &c.MaxTransfers, 16, 1, big)
	def("MaxHistory", &c.MaxHistory, 4<<20, 1024, big)
	def("MaxQueue", &c.MaxQueue, 1024, 1, big)
	def("MaxObservations", &c.MaxObservations, 1024, 1, big)
	def("MaxToken", &c.MaxToken, 8, 8, MaxToken)
	def("MaxMessage", &c.MaxMessage, 64<<10, 1152, big)
	if c.BlockSize&(c.BlockSize-1) != 0 {
		faults = append(faults, fmt.Errorf("coap: ConnConfig.BlockSize is %d, it must be a power of two", c.BlockSize))
	}
	if c.Socket == nil {
		faults = append(faults, errors.New("coap: ConnConfig.Socket is missing"))
	}
	faults = append(faults, c.Params.Validate())
	c.Params = c.Params.withDefaults()
	return c, errors.Join(faults...)
}
