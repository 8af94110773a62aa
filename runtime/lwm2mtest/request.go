package lwm2mtest

import (
	"slices"
	"strings"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
)

// Request is a request that a device sent.
type Request struct {
	// Time is when it arrived as a whole.
	Time time.Time
	// Method is GET, POST, ...
	Method coap.Code
	// Path is the path, such as "/rd", and Query the parts of the query, such as "lt=60".
	Path  string
	Query []string
	// Format is the payload's format, content.None where it is not said.
	Format content.Format
	// Payload is the payload.
	Payload []byte
}

// String returns the request in a line, such as "POST /rd?ep=x&lt=60".
func (r Request) String() string {
	s := r.Method.String() + " " + r.Path
	if len(r.Query) > 0 {
		s += "?" + strings.Join(r.Query, "&")
	}
	return s
}

// sent returns what an Update or Register says, sorted.
func (r Request) sent() []string {
	sent := slices.Clone(r.Query)
	if len(r.Payload) > 0 {
		sent = append(sent, "objects")
	}
	slices.Sort(sent)
	return sent
}

// Reply is what a device is answered.
type Reply struct {
	// Code is the response code. Zero means no answer at all.
	Code coap.Code
	// Location is the path of what was created, such as "/rd/1". Empty means none.
	Location string
	// MaxAge is sent with an error to say when to try again, in seconds. Zero means that it is not.
	MaxAge uint32
	// Payload and Format are the answer's body. Nil means none.
	Payload []byte
	Format  content.Format
}

// Intercept has fn see every request of devices first. It answers instead of the server when it
// returns true; the server does not notice the request then. It runs on the server's goroutine and
// must not call the server. Nil ends that.
//
//	srv.Intercept(func(r lwm2mtest.Request) (lwm2mtest.Reply, bool) {
//		return lwm2mtest.Reply{Code: coap.NotFound}, r.Path != "/rd" // every Update is answered 4.04
//	})
func (s *Server) Intercept(fn func(Request) (Reply, bool)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.intercept = fn
}

// Requests returns the requests that devices have sent so far, in order of their arrival.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// WaitRequest returns the first request at or after position from in Requests for which match
// returns true, and the position behind it. It ends the test when that takes longer than Patience.
// match must not call the server; nil matches every request.
func (s *Server) WaitRequest(from int, match func(Request) bool) (Request, int) {
	s.t.Helper()
	at := -1
	found := func() bool {
		for i := max(from, 0); i < len(s.requests); i++ {
			if match == nil || match(s.requests[i]) {
				at = i
				return true
			}
		}
		return false
	}
	if !s.wait(Patience, found) {
		all := s.Requests()
		s.t.Fatalf("the request did not come within %v; there were %v", Patience, all[min(max(from, 0), len(all)):])
	}
	return s.Requests()[at], at + 1
}

// requestHandler is a connection as the handler of the device's requests.
type requestHandler conn

// Head lets the body come whole; its size is bounded by the connection.
func (h *requestHandler) Head(*coap.Request) {}

// Serve answers one request.
func (h *requestHandler) Serve(r *coap.Request) {
	s := h.s
	q := Request{Time: time.Now(), Method: r.Code(), Path: string(r.Options().AppendPath(nil)), Format: content.None, Payload: slices.Clone(r.Body())}
	for v := range r.Options().Values(coap.OptionURIQuery) {
		q.Query = append(q.Query, string(v))
	}
	if f, ok := r.Options().ContentFormat(); ok {
		q.Format = content.Format(f)
	}
	var intercept func(Request) (Reply, bool)
	s.change(func() {
		s.requests = append(s.requests, q)
		intercept = s.intercept
	})
	if intercept != nil {
		if reply, ok := intercept(q); ok {
			respond(r, reply)
			return
		}
	}
	respond(r, s.answer((*conn)(h), q))
}

func (s *Server) answer(c *conn, r Request) Reply {
	switch {
	case r.Path == "/rd" && r.Method == coap.POST:
		return s.register(c, r)
	case strings.HasPrefix(r.Path, "/rd/") && (r.Method == coap.POST || r.Method == coap.DELETE):
		return s.update(c, r)
	case r.Path == "/dp" && r.Method == coap.POST:
		return s.send(c, r)
	}
	return Reply{Code: coap.NotFound}
}

func respond(r *coap.Request, reply Reply) {
	if reply.Code == 0 {
		r.Acknowledge() // the device waits in vain
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
	_ = r.Respond(resp) // a connection that is gone needs no answer
}
