package lwm2m

import (
	"context"
	"time"
)

// ContextOf returns the context that user code gets from the client.
func ContextOf(c *Client) context.Context { return c.ctx }

// HasSaved reports whether a new client has the registrations of the one before it.
func HasSaved(c *Client) bool { return len(c.saved) > 0 && c.savedFault == nil }

// UntilRenewal returns how long the client waits before it looks for a certificate that is to be
// renewed; ok is false without one.
func UntilRenewal(c *Client) (d time.Duration, ok bool) {
	at, ok := c.boot.renewal.Deadline()
	return at.Sub(c.loop.sched.Now()), ok
}
