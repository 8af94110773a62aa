package lwm2m

import (
	"context"
	"time"
)

// ContextOf returns the context that user code gets from the client.
func ContextOf(c *Client) context.Context { return c.ctx }

// HasSaved reports whether a new client has the registrations of the one before it.
func HasSaved(c *Client) bool { return len(c.saved) > 0 && c.savedFault == nil }

// UntilRenewal returns how long a running client waits before it looks for a certificate that is to
// be renewed; ok is false without one.
func UntilRenewal(c *Client) (d time.Duration, ok bool) {
	done := make(chan struct{})
	c.loop.sched.Post(func() {
		at, pending := c.boot.renewal.Deadline()
		d, ok = at.Sub(c.loop.sched.Now()), pending
		close(done)
	})
	<-done
	return d, ok
}
