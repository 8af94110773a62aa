package lwm2mtest

import (
	"slices"

	"github.com/lwm2mgen/toolkit/runtime/coap"
)

// Sent returns what the device has reported by Send so far, in the order of arrival.
func (c *Client) Sent() []Answer {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	return slices.Clone(c.sent)
}

// handleSend answers a Send, which reports values without an observation.
func (s *Server) handleSend(c *conn, r Request) Reply {
	reply := Reply{Code: coap.NotFound}
	s.change(func() {
		for _, cl := range s.clients {
			if cl.conn != c || cl.reg.Location == "" {
				continue
			}
			cl.sent = append(cl.sent, Answer{
				Code: coap.Content, Format: r.Format, Payload: r.Payload, server: s, base: "/", root: cl.reg.Objects.Root,
			})
			reply.Code = coap.Changed
		}
	})
	return reply
}
