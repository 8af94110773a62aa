package lwm2mserver

import (
	"context"
	"fmt"
	"iter"

	"github.com/lwm2mgen/toolkit/runtime/coap"
)

// Sent returns the reports of the device by Send that are kept (Config.History), in the order of
// arrival.
func (c *Client) Sent() []Answer {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	return c.sent.all()
}

// WaitSent returns the first report at or after a position, and the position behind the report. A
// position counts all Sends of the device since its first registration. WaitSent waits for the
// report until ctx ends.
func (c *Client) WaitSent(ctx context.Context, from int) (Answer, int, error) {
	var a Answer
	err := c.server.wait(ctx, func() (ok bool) { a, from, ok = c.sent.find(from, nil); return ok })
	if err != nil {
		return Answer{}, from, fmt.Errorf("lwm2mserver: wait for a Send: %w", err)
	}
	return a, from, nil
}

// Sends returns the reports of the device by Send in the order of arrival: those that are kept
// (Config.History), then those to come, until ctx ends or the server is closed.
//
//	for report := range dev.Sends(ctx) {
//		entries, err := report.Entries() // with their times
//	}
func (c *Client) Sends(ctx context.Context) iter.Seq[Answer] {
	return func(yield func(Answer) bool) {
		for next := 0; ; {
			a, behind, err := c.WaitSent(ctx, next)
			if err != nil || !yield(a) {
				return
			}
			next = behind
		}
	}
}

// handleSend answers a Send, which reports values without an observation.
func (s *Server) handleSend(c *conn, r Request) Reply {
	reply := Reply{Code: coap.NotFound}
	s.change(func() {
		for _, cl := range s.clients {
			if cl.conn != c || cl.reg.Location == "" {
				continue
			}
			cl.sent.add(Answer{
				Code: coap.Content, Format: r.Format, Payload: r.Payload, server: s, base: "/", root: cl.reg.Objects.Root,
			})
			reply.Code = coap.Changed
		}
	})
	return reply
}
