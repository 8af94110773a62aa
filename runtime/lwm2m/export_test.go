package lwm2m

import "context"

// ContextOf returns the context that user code gets from the client.
func ContextOf(c *Client) context.Context { return c.ctx }
