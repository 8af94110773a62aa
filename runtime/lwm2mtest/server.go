package lwm2mtest

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"net/netip"
	"time"

	"github.com/lwm2mgen/toolkit/net/dtls"
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
	t       TB
	devices *devices
	// awakeTime is how long a device in queue mode is awake after its last message.
	awakeTime time.Duration
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
	return NewServerWithConfig(t, lwm2mserver.Config{Listeners: listeners})
}

// NewServerWithConfig starts a server that stops when the test ends. The server keeps the whole
// history unless the configuration says otherwise.
func NewServerWithConfig(t TB, cfg lwm2mserver.Config) *Server {
	t.Helper()
	cfg.History = cmp.Or(cfg.History, math.MaxInt)
	srv, err := lwm2mserver.New(cfg)
	if err != nil {
		t.Fatalf("lwm2mtest: start the server: %v", err)
	}
	s := &Server{
		Server: srv, t: t, devices: newDevices(),
		awakeTime: cmp.Or(cfg.AwakeTime, cfg.Transmission.MaxTransmitWait()),
	}
	t.Cleanup(func() {
		s.devices.close()
		srv.Close()
	})
	return s
}

// NewDTLSServer starts a server that accepts DTLS with one pre-shared key, on a free UDP port of
// 127.0.0.1. Its URI has the scheme coaps. For certificates or several keys, pass a listener of
// package dtls to NewServer.
//
//	srv := lwm2mtest.NewDTLSServer(t, "heater-7", key)
//	account := lwm2m.Server{URI: srv.URI(), PSK: lwm2m.PSK{Identity: "heater-7", Key: key}}
func NewDTLSServer(t TB, identity string, key socket.Secret) *Server {
	t.Helper()
	below, err := udp.Listen(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatalf("lwm2mtest: start the server: %v", err)
	}
	l, err := dtls.Listen(below, dtls.ServerConfig{Key: func(id []byte) (socket.Secret, error) {
		if string(id) != identity {
			return socket.Secret{}, fmt.Errorf("the identity is %q, want %q", id, identity)
		}
		return key, nil
	}})
	if err != nil {
		_ = below.Close()
		t.Fatalf("lwm2mtest: start the server: %v", err)
	}
	return NewServer(t, l)
}

// errTimeout is the cause of the end of a wait that took too long.
var errTimeout = fmt.Errorf("waited for %v", waitTimeout)

// WaitRegistered returns the device with an endpoint name as soon as the device is registered. It
// waits up to a minute and then fails the test. Inside a testing/synctest bubble the minute is
// virtual. If no device of Run runs any more, the test fails at once with the device's error.
func (s *Server) WaitRegistered(endpoint string) *Client {
	s.t.Helper()
	alive, _ := s.devices.contexts()
	ctx, cancel := context.WithTimeoutCause(alive, waitTimeout, errTimeout)
	defer cancel()
	c, err := s.Server.WaitRegistered(ctx, endpoint)
	if err != nil {
		s.t.Fatalf("lwm2mtest: %q did not register: %v; registered are %q", endpoint, s.explain(ctx, err), s.Endpoints())
	}
	return c
}

// WaitEvent returns the first event of a kind and an endpoint at or after position from of Events,
// and the position behind the event. It waits up to a minute for the event and then fails the test.
// An error of a device of Run fails the test at once.
func (s *Server) WaitEvent(from int, kind EventKind, endpoint string) (Event, int) {
	s.t.Helper()
	_, failed := s.devices.contexts()
	ctx, cancel := context.WithTimeoutCause(failed, waitTimeout, errTimeout)
	defer cancel()
	e, next, err := s.Server.WaitEvent(ctx, from, func(e Event) bool {
		return e.Kind == kind && e.Registration.Endpoint == endpoint
	})
	if err != nil {
		s.t.Fatalf("lwm2mtest: %q was not %s: %v", endpoint, kind, s.explain(ctx, err))
	}
	return e, next
}

// WaitRequest returns the first request at or after position from of Requests for which match
// returns true, and the position behind the request. A nil match accepts every request. match must
// not call the server. WaitRequest waits up to a minute for the request and then fails the test. An
// error of a device of Run fails the test at once.
func (s *Server) WaitRequest(from int, match func(Request) bool) (Request, int) {
	s.t.Helper()
	_, failed := s.devices.contexts()
	ctx, cancel := context.WithTimeoutCause(failed, waitTimeout, errTimeout)
	defer cancel()
	r, next, err := s.Server.WaitRequest(ctx, from, match)
	if err != nil {
		all := s.Requests()
		since := all[min(max(from, 0), len(all)):]
		s.t.Fatalf("lwm2mtest: no such request: %v; the requests were %v", s.explain(ctx, err), since)
	}
	return r, next
}

// explain returns the reason of a failed wait under ctx.
func (s *Server) explain(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err // the server is closed
	}
	s.devices.markReported()
	return context.Cause(ctx)
}
