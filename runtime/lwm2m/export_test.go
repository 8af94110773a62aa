package lwm2m

import "context"

// ContextOf is what user code gets from the client.
func ContextOf(c *Client) context.Context { return c.ctx }
