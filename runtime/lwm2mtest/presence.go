package lwm2mtest

import (
	"context"
	"fmt"
	"time"
)

// WaitAsleep returns a device in queue mode as soon as it is asleep. It waits a minute longer than
// a device is awake after its last message (Config.AwakeTime) and then fails the test, in virtual
// time inside a testing/synctest bubble. A device that is not registered fails the test at once.
func (s *Server) WaitAsleep(endpoint string) *Client {
	s.t.Helper()
	return s.waitPresence(endpoint, "fall asleep", s.awakeTime+waitTimeout, (*Client).WaitAsleep)
}

// WaitAwake returns a device as soon as it can be reached: in queue mode, when it has woken up. It
// waits until a minute after the lifetime of the registration and then fails the test, in virtual
// time inside a testing/synctest bubble. A device that is not registered fails the test at once.
func (s *Server) WaitAwake(endpoint string) *Client {
	s.t.Helper()
	within := 24 * time.Hour
	if c, ok := s.Client(endpoint); ok && c.Registration().Lifetime > 0 {
		within = c.Registration().Lifetime
	}
	return s.waitPresence(endpoint, "wake up", within+waitTimeout, (*Client).WaitAwake)
}

func (s *Server) waitPresence(
	endpoint, what string, within time.Duration, wait func(*Client, context.Context) error,
) *Client {
	s.t.Helper()
	c, ok := s.Client(endpoint)
	if !ok {
		s.t.Fatalf("lwm2mtest: %q is not registered; registered are %q", endpoint, s.Endpoints())
	}
	_, failed := s.devices.contexts()
	ctx, cancel := context.WithTimeoutCause(failed, within, fmt.Errorf("waited for %v", within))
	defer cancel()
	if err := wait(c, ctx); err != nil {
		s.t.Fatalf("lwm2mtest: %q did not %s: %v; its registration is %+v", endpoint, what, s.explain(ctx, err), c.Registration())
	}
	return c
}
