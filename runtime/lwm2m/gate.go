package lwm2m

import (
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/account"
)

// maxEarly is how many requests that arrive before the response to Register are held.
const maxEarly = 8

// gate is the handler of a server's requests. A device ignores the operations of a server until its
// registration there is completed (Core 1.2.2 §6.3, §6.4): a request without a registration is
// ignored. One that overtakes the response to Register is held until that response, because over a
// stream it would not be sent again; of datagrams the response and the request may change places on
// their way.
type gate struct {
	server *server
	early  []*coap.Request
}

// Head implements coap.Handler. The blocks of a request that overtakes the response to Register are
// ignored. Over datagrams the server sends the first one again; over a stream they cannot overtake
// it, unless the server sends them first.
func (g *gate) Head(r *coap.Request) {
	if g.server.state.Registration == account.Unknown {
		r.Ignore()
		return
	}
	g.server.peer.Head(r)
}

// Serve implements coap.Handler.
func (g *gate) Serve(r *coap.Request) {
	switch {
	case g.server.state.Registration != account.Unknown:
		g.server.peer.Serve(r)
	case g.server.state.Request == account.Register && len(g.early) < maxEarly:
		g.early = append(g.early, r)
	default:
		g.server.log.Debug("ignored a request of a server that the device is not registered with", "method", r.Code().String())
		r.Ignore()
	}
}

// settle serves or ignores the requests that were held, once the response to Register is there.
func (g *gate) settle() {
	if g.early == nil || g.server.state.Request == account.Register {
		return
	}
	early := g.early
	g.early = nil
	for _, r := range early {
		g.Serve(r)
	}
}
