package lwm2mtest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/generated/temperature"
	"github.com/lwm2mgen/toolkit/net/dtls"
	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/net/udp"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
)

// recorded is a test whose failures are recorded. Fatalf ends the function that recordFailures
// runs.
type recorded struct {
	cleanups []func()
	failures []string
}

func (*recorded) Helper()             {}
func (r *recorded) Cleanup(fn func()) { r.cleanups = append(r.cleanups, fn) }
func (r *recorded) Fatalf(format string, args ...any) {
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
	panic(r)
}

// recordFailures runs a test and its cleanups, and returns how it failed.
func recordFailures(test func(t *recorded)) []string {
	r := &recorded{}
	call := func(fn func()) {
		defer func() {
			if v := recover(); v != nil && v != any(r) {
				panic(v)
			}
		}()
		fn()
	}
	call(func() { test(r) })
	for i := len(r.cleanups) - 1; i >= 0; i-- {
		call(r.cleanups[i])
	}
	return r.failures
}

// newSimServer starts a server at coap://cloud on a new network.
func newSimServer(t *recorded) (*lwm2mtest.Server, *simnet.Network) {
	n := simnet.New(1)
	l, err := n.NewHost("cloud").Listen(5683)
	if err != nil {
		panic(err)
	}
	return lwm2mtest.NewServer(t, l), n
}

// What a device that ends does to a test: its error fails the test once and at once, in the
// function that waits or at the end.
func TestRunReportsTheError(t *testing.T) {
	missing := errors.New("SetPoint (1) is missing")
	fails := func(context.Context) error { return missing }
	for _, c := range []struct {
		name string
		test func(t *recorded, s *lwm2mtest.Server)
		want string
	}{
		{"WaitRegistered", func(_ *recorded, s *lwm2mtest.Server) {
			s.Run(fails)
			s.WaitRegistered("heater-1")
		}, `lwm2mtest: "heater-1" did not register: the device ended: SetPoint (1) is missing; registered are []`},
		{"WaitEvent", func(_ *recorded, s *lwm2mtest.Server) {
			s.Run(fails)
			s.WaitEvent(0, lwm2mtest.Registered, "heater-1")
		}, `lwm2mtest: "heater-1" was not registered: the device ended: SetPoint (1) is missing`},
		{"WaitRequest", func(_ *recorded, s *lwm2mtest.Server) {
			s.Run(fails)
			s.WaitRequest(0, nil)
		}, `lwm2mtest: no such request: the device ended: SetPoint (1) is missing; the requests were []`},
		{"the end of the test", func(_ *recorded, s *lwm2mtest.Server) { s.Run(fails) },
			`lwm2mtest: the device ended: SetPoint (1) is missing`},
		{"a device that returns nil", func(_ *recorded, s *lwm2mtest.Server) {
			s.Run(func(context.Context) error { return nil })
			s.WaitRegistered("heater-1")
		}, `lwm2mtest: "heater-1" did not register: the device ended without an error; registered are []`},
		{"a device that is canceled", func(_ *recorded, s *lwm2mtest.Server) {
			s.Run(func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
		}, ""},
		{"an error after the cancellation", func(_ *recorded, s *lwm2mtest.Server) {
			s.Run(func(ctx context.Context) error { <-ctx.Done(); return missing })
		}, `lwm2mtest: the device ended: SetPoint (1) is missing`},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				got := recordFailures(func(r *recorded) {
					s, _ := newSimServer(r)
					c.test(r, s)
				})
				if strings.Join(got, "\n") != c.want {
					t.Errorf("the test fails with\n%s\nwant\n%s", strings.Join(got, "\n"), c.want)
				}
				if d := time.Since(start); d != 0 {
					t.Errorf("the test takes %v", d)
				}
			})
		})
	}
}

// A device may end before another one runs, and waiting for an event goes on without devices.
func TestRunOneDeviceAfterTheOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got := recordFailures(func(r *recorded) {
			s, n := newSimServer(r)
			s.Run(func(context.Context) error { return nil })
			synctest.Wait()
			c := newThermometer(t, lwm2m.Server{URI: "coap://cloud", Lifetime: time.Minute}, n.NewHost("device").Dialer())
			s.Run(func(ctx context.Context) error { return c.Run(ctx) })
			s.WaitRegistered("thermometer")
			c.Shutdown()
			s.WaitEvent(0, lwm2mtest.Deregistered, "thermometer")
			s.WaitRequest(2, nil) // never comes: no device runs any more
		})
		if len(got) != 1 || !strings.HasPrefix(got[0], "lwm2mtest: no such request: waited for 1m0s") {
			t.Errorf("the test fails with %q", got)
		}
	})
}

// newThermometer returns a client with object 3303.
func newThermometer(t *testing.T, server lwm2m.Server, dialers ...socket.Dialer) *lwm2m.Client {
	t.Helper()
	temp, err := temperature.New(temperature.Config{})
	if err == nil {
		err = temp.Add(0, temperature.Instance{SensorValue: dm.Float(21.5)})
	}
	if err != nil {
		t.Fatal(err)
	}
	c, err := lwm2m.New(lwm2m.Config{
		Endpoint: "thermometer", Objects: []dm.Object{temp}, Servers: []lwm2m.Server{server}, Dialers: dialers,
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestDTLSServer(t *testing.T) {
	key := socket.NewSecret([]byte("0123456789abcdef"))
	s := lwm2mtest.NewDTLSServer(t, "heater-7", key)
	if !strings.HasPrefix(s.URI(), "coaps://127.0.0.1:") {
		t.Errorf("the URI is %s", s.URI())
	}
	c := newThermometer(t, lwm2m.Server{URI: s.URI(), PSK: lwm2m.PSK{Identity: "heater-7", Key: key}},
		udp.Dialer{}, dtls.Dialer{})
	s.Run(c.Run)
	s.WaitRegistered("thermometer")
}
