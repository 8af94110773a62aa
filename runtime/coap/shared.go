package coap

import (
	"errors"

	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// shared is what all parts of one connection use: configuration, counters, whether the connection
// is closed, and how messages reach the peer. It stands once per connection so that each part costs
// one pointer.
type shared struct {
	e        *Endpoint
	conn     *Conn         // only for Request.Conn and Observation.Conn
	cfg      ConnConfig    // with defaults; Params change by Conn.SetParams
	lifetime [2]sched.Time // EXCHANGE_LIFETIME and NON_LIFETIME of cfg.Params, by message type
	carrier  carrier
	notices  list[*delivery] // that wait for their turn, each observation once if it replaces
	order    uint64          // of what was queued last
	pace     pace            // of notifications, over datagrams
	sizes    blockSizes
	stats    Stats
	closed   error // why the connection was closed
	lastErr  error // last error of the socket
}

// Stats are counters since the connection was made.
type Stats struct {
	BytesSent, BytesReceived       uint64 // CoAP messages, without lower layers
	MessagesSent, MessagesReceived uint64
	Retransmissions                uint64 // retransmitted confirmable messages
	Repeated                       uint64 // messages received more than once
	Malformed                      uint64 // messages with a format error or of another version
	Ignored                        uint64 // messages that match nothing, or that the Layer refused
	SendErrors                     uint64 // messages that the socket did not accept
	// MessageIDWaits is how often a message had to wait because no message ID was free, or a
	// notification because few were.
	MessageIDWaits uint64
}

func (s *shared) setParams(p Params) {
	s.cfg.Params = p
	s.lifetime[Confirmable] = sched.Time(p.span() + 2*p.MaxLatency + p.AckTimeout)
	s.lifetime[NonConfirmable] = sched.Time(p.span() + p.MaxLatency)
}

// nextOrder is the place in the queue of what is queued now.
func (s *shared) nextOrder() uint64 {
	s.order++
	return s.order
}

// failNotices fails the notifications that wait for their turn.
func (s *shared) failNotices(reason error) {
	for d, ok := s.notices.first(); ok; d, ok = s.notices.first() {
		d.fail(reason)
	}
}

// write hands one encoded datagram to the socket.
func (s *shared) write(b []byte) error {
	err := s.cfg.Socket.Send(b)
	if err != nil {
		s.stats.SendErrors++
		s.lastErr = err
		return err
	}
	s.stats.MessagesSent++
	s.stats.BytesSent += uint64(len(b))
	return nil
}

// isLoss reports whether a datagram that the socket refused with err counts as lost on its way,
// so that retransmission repairs it.
func isLoss(err error) bool {
	return errors.Is(err, socket.ErrBusy) || errors.Is(err, socket.ErrRefused) || errors.Is(err, socket.ErrUnreachable)
}
