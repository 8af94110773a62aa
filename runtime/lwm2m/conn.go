package lwm2m

import (
	"strings"

	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/coap"
)

// Conn returns the connection to the server with the scheme, host and port of a URI, for requests
// of the device to a service that the server offers by CoAP, such as firmware images:
// download.Request.Conn. ok is false if there is no such server, or if the device sleeps between
// messages to it (queue mode): make a connection of your own then. conn is nil while the server is
// not connected.
//
// A connection ends with every reconnect, so ask for it before each use. Neither receive from it
// nor close it. Call Conn on the goroutine of the loop: in a callback, or through Sched().Post.
func (c *Client) Conn(uri string) (conn *coap.Conn, ok bool) {
	scheme, remote, err := socket.ParseURI(uri)
	if err != nil {
		return nil, false
	}
	for _, s := range c.servers {
		its, at, err := socket.ParseURI(s.settings.uri)
		if err != nil || its != scheme || !strings.EqualFold(at.Host, remote.Host) || at.Port != remote.Port ||
			s.registration.offer.queue || c.usesQueueMode(&s.settings) {
			continue
		}
		if ok = true; conn == nil {
			conn = s.link.Conn()
		}
	}
	return conn, ok
}
