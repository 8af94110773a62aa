package lwm2m

import "context"

// ContextOf returns the context that user code gets from the client.
func ContextOf(c *Client) context.Context { return c.ctx }

// HasSaved reports whether a new client has the registrations of the one before it.
func HasSaved(c *Client) bool { return len(c.saved) > 0 && c.savedFault == nil }
