package lwm2m

import (
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/net/tcp"
	"github.com/lwm2mgen/toolkit/net/udp"
)

// defaultDialers returns the networks of a client whose configuration names none.
func defaultDialers() []socket.Dialer { return []socket.Dialer{udp.Dialer{}, tcp.Dialer{}} }
