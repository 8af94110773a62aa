package lwm2mserver

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/codec"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// BootstrapPack is an answer to a Bootstrap-Pack-Request (GET /bspack), see [Server.ScriptPack].
// The zero value is an empty pack.
type BootstrapPack struct {
	// Steps are the writes of the pack: steps that BootstrapAccount, BootstrapWriteObject and
	// BootstrapWriteValues return. Other steps cannot be part of a pack.
	Steps []BootstrapStep
	// Payload is sent instead of the values of Steps. The zero value means the values of Steps.
	Payload []byte
	// Format is the format of the pack. The zero value means the format that the device asks for
	// (Accept), or SenML CBOR if it names none.
	Format content.Format
	// Code is sent instead of a pack. The zero value means 2.05 with the pack.
	Code coap.Code
	// Cut is how many bytes are missing at the end of the pack. The zero value means none.
	Cut int
	// Delay is how long the server waits before it responds.
	Delay time.Duration
	// Silent acknowledges the request and sends no response.
	Silent bool
}

// packAnswer is what the server has answered to a Bootstrap-Pack-Request.
type packAnswer struct {
	code   coap.Code
	format content.Format
	size   int
	faulty bool
}

// isWhole reports whether the answer is a pack as its script describes it.
func (a *packAnswer) isWhole() bool { return a != nil && a.code == coap.Content && !a.faulty }

// String returns the answer, such as "answer GET /bspack: 2.05, 118 bytes of SenML CBOR".
func (a *packAnswer) String() string {
	switch a.code {
	case 0:
		return "answer GET /bspack: nothing"
	case coap.Content:
		return fmt.Sprintf("answer GET /bspack: %v, %d bytes of %v", a.code, a.size, a.format)
	}
	return fmt.Sprintf("answer GET /bspack: %v", a.code)
}

// ScriptPack makes the server answer the Bootstrap-Pack-Requests of the devices with an endpoint
// name: the first one with the first of answers, the next one with the next, and all others with
// the last. An empty name means every device that has no answers of its own. Without answers the
// server responds with 4.04, as one without packs does; the device then sends a Bootstrap-Request.
//
//	srv.ScriptPack("heater-7", lwm2mserver.BootstrapPack{Steps: []lwm2mserver.BootstrapStep{
//		lwm2mserver.BootstrapAccount(1, lwm2m.Server{URI: "coap://lwm2m.example.com", ShortID: 1}),
//	}})
//
// WaitBootstrap returns each answer as a sequence of one step.
func (s *Server) ScriptPack(endpoint string, answers ...BootstrapPack) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.packs[endpoint] = slices.Clone(answers)
}

// takePack returns the answer to the next Bootstrap-Pack-Request of a device.
func (s *Server) takePack(endpoint string) (p BootstrapPack, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, own := s.packs[endpoint]; !own {
		endpoint = ""
	}
	list := s.packs[endpoint]
	if len(list) == 0 {
		return BootstrapPack{}, false
	}
	if len(list) > 1 {
		s.packs[endpoint] = list[1:]
	}
	return list[0], true
}

// handlePack answers a Bootstrap-Pack-Request.
func (s *Server) handlePack(c *conn, r Request) Reply {
	name := cmp.Or(r.params()["ep"], c.identity)
	if name == "" {
		return Reply{Code: coap.BadRequest}
	}
	p, ok := s.takePack(name)
	if !ok {
		return Reply{Code: coap.NotFound}
	}
	reply, err := p.reply(r.Accept)
	answer := &packAnswer{
		code: reply.Code, format: reply.Format, size: len(reply.Payload), faulty: p.Payload != nil || p.Cut > 0,
	}
	b := &Bootstrap{
		client:   s.newClient(c),
		endpoint: name, request: r, over: true, err: err,
		results: []BootstrapResult{{Step: BootstrapStep{pack: answer}, Time: time.Now(), Err: err}},
	}
	s.change(func() { s.bootstraps.add(b) })
	return reply
}

// reply returns the response to a device that asks for a format.
func (p *BootstrapPack) reply(accept content.Format) (Reply, error) {
	switch {
	case p.Silent:
		return Reply{}, nil
	case p.Code != 0:
		return Reply{Code: p.Code, delay: p.Delay}, nil
	}
	f := accept
	if f == content.None {
		f = content.SenMLCBOR
	}
	if p.Format != 0 {
		f = p.Format
	} else if content.Check(f, content.BootstrapPack, dm.Path{}) != nil && p.Payload == nil {
		return Reply{Code: coap.NotAcceptable, delay: p.Delay}, nil
	}
	payload := p.Payload
	if payload == nil {
		var err error
		if payload, err = encodePack(f, p.Steps); err != nil {
			return Reply{Code: coap.InternalServerError}, fmt.Errorf("lwm2mserver: encode the Bootstrap-Pack: %w", err)
		}
	}
	payload = payload[:max(len(payload)-p.Cut, 0)]
	return Reply{Code: coap.Content, Format: f, Payload: payload, delay: p.Delay}, nil
}

// encodePack returns the pack of the values that steps write.
func encodePack(f content.Format, steps []BootstrapStep) ([]byte, error) {
	var entries []dm.Entry
	for _, s := range flatten(steps) {
		switch {
		case s.err != nil:
			return nil, s.err
		case s.values == nil:
			return nil, fmt.Errorf("the step %v has no values", s)
		}
		entries = append(entries, s.values...)
	}
	slices.SortStableFunc(entries, func(a, b dm.Entry) int { return a.Path.Compare(b.Path) })
	var e codec.Encoder
	return e.Encode(f, []byte{}, content.Target{}, entries)
}
