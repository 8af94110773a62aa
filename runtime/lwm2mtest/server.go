package lwm2mtest

import (
	"context"
	"math"
	"net/netip"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/net/udp"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mserver"
)

// TB is the part of testing.TB that a Server needs. Every *testing.T and *testing.B implements it.
// A program that is no test, such as an example, brings its own.
type TB interface {
	Helper()
	// Cleanup registers fn to be called when the test ends.
	Cleanup(fn func())
	// Fatalf ends the test, or the program; it does not return.
	Fatalf(format string, args ...any)
}

// Server is a management server of a test. NewServer starts one. It has the methods of
// lwm2mserver.Server; those that wait take no context and fail the test after a minute.
type Server struct {
	*lwm2mserver.Server
	t TB
}

// waitTimeout is how long the Wait functions wait: inside a testing/synctest bubble, in virtual
// time.
const waitTimeout = time.Minute

// NewServer starts a server that stops when the test ends. Without listeners it listens for CoAP on
// a free UDP port of 127.0.0.1. With listeners, the server owns and closes them.
func NewServer(t TB, listeners ...socket.Listener) *Server {
	t.Helper()
	if len(listeners) == 0 {
		l, err := udp.Listen(netip.MustParseAddrPort("127.0.0.1:0"))
		if err != nil {
			t.Fatalf("lwm2mtest: start the server: %v", err)
		}
		listeners = append(listeners, l)
	}
	srv, err := lwm2mserver.New(lwm2mserver.Config{Listeners: listeners, History: math.MaxInt})
	if err != nil {
		t.Fatalf("lwm2mtest: start the server: %v", err)
	}
	t.Cleanup(srv.Close)
	return &Server{Server: srv, t: t}
}

// WaitRegistered returns the device with an endpoint name as soon as the device is registered. It
// waits up to a minute and then fails the test. Inside a testing/synctest bubble the minute is
// virtual.
func (s *Server) WaitRegistered(endpoint string) *Client {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), waitTimeout)
	defer cancel()
	c, err := s.Server.WaitRegistered(ctx, endpoint)
	if err != nil {
		s.t.Fatalf("lwm2mtest: %q did not register within %v; registered are %q", endpoint, waitTimeout, s.Endpoints())
	}
	return c
}

// WaitEvent returns the first event of a kind and an endpoint at or after position from of Events,
// and the position behind the event. It waits up to a minute for the event and then fails the test.
func (s *Server) WaitEvent(from int, kind EventKind, endpoint string) (Event, int) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), waitTimeout)
	defer cancel()
	e, next, err := s.Server.WaitEvent(ctx, from, func(e Event) bool {
		return e.Kind == kind && e.Registration.Endpoint == endpoint
	})
	if err != nil {
		s.t.Fatalf("lwm2mtest: %q was not %s within %v", endpoint, kind, waitTimeout)
	}
	return e, next
}

// WaitRequest returns the first request at or after position from of Requests for which match
// returns true, and the position behind the request. A nil match accepts every request. match must
// not call the server. WaitRequest waits up to a minute for the request and then fails the test.
func (s *Server) WaitRequest(from int, match func(Request) bool) (Request, int) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), waitTimeout)
	defer cancel()
	r, next, err := s.Server.WaitRequest(ctx, from, match)
	if err != nil {
		all := s.Requests()
		since := all[min(max(from, 0), len(all)):]
		s.t.Fatalf("lwm2mtest: no such request within %v; the requests were %v", waitTimeout, since)
	}
	return r, next
}
