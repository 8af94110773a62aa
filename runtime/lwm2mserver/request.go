package lwm2mserver

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
)

// Request is a request of a device to the server.
type Request struct {
	// Time is when the whole request had arrived.
	Time time.Time
	// Method is the request's method: GET, POST, ...
	Method coap.Code
	// Path is the path, such as "/rd". Query holds the parts of the query, such as "lt=60".
	Path  string
	Query []string
	// Format is the payload's format. content.None means that the request names no format.
	Format content.Format
	// Accept is the format that the device asks for. content.None means that it names none.
	Accept content.Format
	// Payload is the payload.
	Payload []byte
}

// String returns the method, the path and the query, such as "POST /rd?ep=x&lt=60".
func (r Request) String() string {
	s := r.Method.String() + " " + r.Path
	if len(r.Query) > 0 {
		s += "?" + strings.Join(r.Query, "&")
	}
	return s
}

// sentParams returns the parameters of a Register or an Update for Event.Sent.
func (r Request) sentParams() []string {
	sent := slices.Clone(r.Query)
	if len(r.Payload) > 0 {
		sent = append(sent, "objects")
	}
	slices.Sort(sent)
	return sent
}

// Reply is a response of the server to a device.
type Reply struct {
	// Code is the response code. The zero value means that no response is sent.
	Code coap.Code
	// Location is the path of a created registration, such as "/rd/1". The zero value means none.
	Location string
	// MaxAge is sent with an error to say when to try again, in seconds. The zero value means that
	// the option is not sent.
	MaxAge uint32
	// Payload and Format are the body. The zero value of Payload means no body.
	Payload []byte
	Format  content.Format

	delay time.Duration // before the response
}

// Intercept calls fn for every request of a device before the server handles the request. If fn
// returns true, its Reply is the response and the server ignores the request. fn runs on the
// server's goroutine and must not call the server. A nil fn removes the interception.
//
//	srv.Intercept(func(r lwm2mserver.Request) (lwm2mserver.Reply, bool) {
//		return lwm2mserver.Reply{Code: coap.NotFound}, r.Path != "/rd" // 4.04 to every Update
//	})
func (s *Server) Intercept(fn func(Request) (Reply, bool)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.intercept = fn
}

// Requests returns the requests of all devices that are kept (Config.History), in the order of
// arrival.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests.all()
}

// WaitRequest returns the first request at or after a position for which match returns true, and
// the position behind the request. A position counts all requests since the start of the server. A
// nil match accepts every request. match must not call the server. WaitRequest waits for the
// request until ctx ends.
func (s *Server) WaitRequest(ctx context.Context, from int, match func(Request) bool) (Request, int, error) {
	var r Request
	err := s.wait(ctx, func() (ok bool) { r, from, ok = s.requests.find(from, match); return ok })
	if err != nil {
		return Request{}, from, fmt.Errorf("lwm2mserver: wait for a request: %w", err)
	}
	return r, from, nil
}

// requestHandler handles the requests of a connection.
type requestHandler conn

// Head accepts every request. The connection bounds the size of its body.
func (h *requestHandler) Head(*coap.Request) {}

// Serve answers one request.
func (h *requestHandler) Serve(r *coap.Request) {
	s, c := h.server, (*conn)(h)
	q := Request{
		Time: time.Now(), Method: r.Code(), Path: string(r.Options().AppendPath(nil)),
		Format: content.None, Accept: content.None, Payload: slices.Clone(r.Body()),
	}
	for v := range r.Options().Values(coap.OptionURIQuery) {
		q.Query = append(q.Query, string(v))
	}
	if f, ok := r.Options().ContentFormat(); ok {
		q.Format = content.Format(f)
	}
	if f, ok := r.Options().Accept(); ok {
		q.Accept = content.Format(f)
	}
	var intercept func(Request) (Reply, bool)
	var fault *Fault
	s.change(func() {
		s.requests.add(q)
		intercept = s.intercept
		fault = s.takeFault(q)
	})
	if fault != nil && !fault.isDelay() {
		fault.fail(c, r)
		return
	}
	if fault != nil {
		if !s.serveFile(c, r, q.Path, fault.Delay) {
			c.respondLater(r, s.handle(c, q), fault.Delay)
		}
		return
	}
	if intercept != nil {
		if reply, ok := intercept(q); ok {
			respond(r, reply)
			return
		}
	}
	if s.serveFile(c, r, q.Path, 0) {
		return
	}
	reply := s.handle(c, q)
	if reply.delay > 0 {
		c.respondLater(r, reply, reply.delay)
		return
	}
	respond(r, reply)
}

// handle answers a request of the bootstrap, the registration or the reporting interface.
func (s *Server) handle(c *conn, r Request) Reply {
	switch {
	case r.Path == "/rd" && r.Method == coap.POST:
		return s.handleRegister(c, r)
	case strings.HasPrefix(r.Path, "/rd/") && (r.Method == coap.POST || r.Method == coap.DELETE):
		return s.handleUpdate(c, r)
	case r.Path == "/dp" && r.Method == coap.POST:
		return s.handleSend(c, r)
	case strings.HasPrefix(r.Path, estPath):
		return s.handleEST(c, r)
	case r.Path == "/bs" && r.Method == coap.POST:
		return s.handleBootstrap(c, r)
	case r.Path == "/bspack" && r.Method == coap.GET:
		return s.handlePack(c, r)
	}
	return Reply{Code: coap.NotFound}
}

// respond sends a reply as the response to a request.
func respond(r *coap.Request, reply Reply) {
	if reply.Code == 0 {
		r.Acknowledge() // and never send the response that it announces
		return
	}
	resp := r.Response()
	resp.Code = reply.Code
	if reply.Location != "" {
		resp.Options.AddLocationPath(reply.Location)
	}
	if reply.MaxAge > 0 {
		resp.Options.SetUint(coap.OptionMaxAge, reply.MaxAge)
	}
	if reply.Payload != nil {
		resp.Options.SetContentFormat(uint16(reply.Format))
		resp.Body = append(resp.Body, reply.Payload...)
	}
	_ = r.Respond(resp) // it fails only if the connection is closed
}
