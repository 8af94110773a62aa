package lwm2m

import (
	"strconv"
	"time"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/bootstrap"
)

// pack is the payload of a response to Bootstrap-Pack-Request.
type pack struct {
	format content.Format
	body   []byte
}

// asksForPack reports whether the client asks for a Bootstrap-Pack first, which LwM2M 1.2 has.
func (c *Client) asksForPack() bool {
	return c.cfg.BootstrapPack && c.cfg.MaxVersion.Compare(registry.V(1, 2)) >= 0
}

// namesBootstrapFormat reports whether a Bootstrap-Request names the preferred Content-Format
// (pct), which LwM2M has from 1.1 on.
func (c *Client) namesBootstrapFormat() bool { return c.cfg.MaxVersion.Compare(registry.V(1, 1)) >= 0 }

// bootstrapFormat returns the Content-Format that the client prefers for bootstrap, which must be
// one of four (Core 1.2.2 §6.1.7.1), and LwM2M CBOR from 1.2 on.
func (c *Client) bootstrapFormat() content.Format {
	switch f := c.cfg.Format; f {
	case content.TLV, content.SenMLJSON, content.SenMLCBOR:
		return f
	case content.LwM2MCBOR:
		if c.cfg.MaxVersion.Compare(registry.V(1, 2)) >= 0 {
			return f
		}
	}
	return content.SenMLCBOR
}

// packFormat is bootstrapFormat for a Bootstrap-Pack, which cannot be TLV (Transport 1.2.2 §6.4.2).
func (c *Client) packFormat() content.Format {
	if f := c.bootstrapFormat(); f != content.TLV {
		return f
	}
	return content.SenMLCBOR
}

// send sends a request of the bootstrap interface.
func (b *bootstrapper) send(a bootstrap.Action) {
	c := b.client
	call := &coap.Call{Priority: coap.PriorityHigh}
	if a.Request == bootstrap.PackRequest {
		call.Code = coap.GET
		call.Options.AddPath("bspack")
		call.Options.SetAccept(uint16(c.packFormat()))
	} else {
		call.Code = coap.POST
		call.Options.AddPath("bs")
	}
	if c.cfg.Endpoint != "" {
		call.Options.AddQuery("ep=" + c.cfg.Endpoint)
	}
	if a.Request == bootstrap.BootstrapRequest && c.namesBootstrapFormat() && !a.NoFormat {
		call.Options.AddQuery("pct=" + strconv.Itoa(int(c.bootstrapFormat())))
	}
	b.do(b.link.Conn(), call, b.patience(), func(r coap.Result) { b.onResponse(a.Request, r) })
}

// patience returns how long a whole response may take. A Bootstrap-Pack may have many blocks.
func (b *bootstrapper) patience() time.Duration {
	return 4 * b.client.cfg.Transmission.ExchangeLifetime()
}

// onResponse handles the result of a request.
func (b *bootstrapper) onResponse(request bootstrap.Request, r coap.Result) {
	b.answered()
	e := bootstrap.Event{Kind: bootstrap.ResponseReceived, Code: bootstrap.Code(r.Code)}
	switch {
	case r.Err != nil:
		e = bootstrap.Event{Kind: bootstrap.NoResponse}
		b.err = refusal(request.String(), r)
	case request == bootstrap.PackRequest && r.Code == coap.Content:
		f, ok := r.Options.ContentFormat()
		if e.Usable = ok && content.Format(f).Carries(content.BootstrapPack, dm.RootLevel); e.Usable {
			b.pack = pack{content.Format(f), append([]byte(nil), r.Body...)}
		} else {
			b.err = errPackFormat
		}
	case request == bootstrap.BootstrapRequest && r.Code == coap.Changed:
		b.err = nil
	default:
		b.err, e.MaxAge = refusal(request.String(), r), b.client.pauseAskedFor(r)
	}
	if b.err != nil {
		b.log.Info("the request is not granted", "request", request.String(), "reason", b.err.Error())
	}
	b.handle(e)
}

// bootstrapGate is the handler of the requests of the bootstrap server. It ignores those that come
// without the device having asked.
type bootstrapGate struct{ b *bootstrapper }

// Head implements coap.Handler.
func (g bootstrapGate) Head(r *coap.Request) {
	if h := g.b.handler(); h != nil {
		h.Head(r)
		return
	}
	r.Ignore()
}

// Serve implements coap.Handler.
func (g bootstrapGate) Serve(r *coap.Request) {
	if h := g.b.handler(); h != nil {
		h.Serve(r)
		return
	}
	g.b.log.Debug("ignored a request of the bootstrap server outside of a bootstrap", "method", r.Code().String())
	r.Ignore()
}

// handler returns what serves a request of the bootstrap server now, or nil.
func (b *bootstrapper) handler() coap.Handler {
	if !b.state.Serves(b.facts()) {
		return nil
	}
	if s := b.startSequence(); s != nil {
		return s
	}
	return nil
}
