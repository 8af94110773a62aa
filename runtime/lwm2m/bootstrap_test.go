package lwm2m_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
)

// An account in state failed keeps no connection, and Bootstrap.Reason keeps the first reason.
func TestFailedAccountKeepsNoConnection(t *testing.T) {
	inWorld(t, 2, func(w *world) {
		cfg := w.config()
		cfg.Servers[1] = lwm2m.Server{URI: "coap://s2", Bootstrap: true}
		cfg.Servers[0].Instance = func(i *lwm2m.ServerInstance) {
			i.CommunicationRetryCount, i.CommunicationSequenceRetryCount = dm.Uint(1), dm.Uint(3)
			i.CommunicationSequenceDelayTimer = dm.Uint(1<<32 - 1)
		}
		w.servers[0].answers(refuse)
		c := w.start(cfg)
		w.servers[0].next()
		w.servers[0].quiet(300 * time.Hour) // the infinite delay allows one sequence only
		w.wantState(1, lwm2m.StateFailed)
		if n := len(w.sockets()); n != 0 {
			t.Errorf("%d sockets are left", n)
		}
		why := c.Status().Bootstrap.Reason
		if err := c.RequestBootstrap(); err != nil {
			t.Fatal(err)
		}
		w.status(1)
		if now := c.Status().Bootstrap.Reason; why == nil || !errors.Is(now, why) {
			t.Errorf("a bootstrap is needed because of %v, before because of %v", now, why)
		}
	})
}

// A bootstrap that a server or the application requests is reported, also while the device is
// registered. After a failed registration it is reported only if /1/x/16 allows it.
func TestBootstrapIsRequested(t *testing.T) {
	for _, by := range []string{"application", "server", "failure that may not"} {
		inWorld(t, 2, func(w *world) {
			cfg := w.config()
			cfg.Servers[1] = lwm2m.Server{URI: "coap://s2", Bootstrap: true}
			cfg.Servers[0].Instance = func(i *lwm2m.ServerInstance) {
				i.CommunicationRetryCount = dm.Uint(1)
				i.BootstrapOnRegistrationFailure = dm.Bool(by != "failure that may not")
			}
			c := w.start(cfg)
			srv := w.servers[0]
			switch by {
			case "application":
				srv.next()
				if err := c.RequestBootstrap(); err != nil {
					t.Fatal(err)
				}
			case "server":
				srv.next()
				w.wantState(1, lwm2m.StateRegistered)
				if code := srv.do(coap.POST, "/1/0/9", "", -1); code != coap.Changed {
					t.Errorf("the trigger is %v", code)
				}
			default:
				srv.answers(refuse)
				srv.intervals(2)
				w.wantState(1, lwm2m.StateFailed)
			}
			synctest.Wait()
			why := c.Status().Bootstrap.Reason
			if by == "failure that may not" {
				if why != nil {
					t.Errorf("a bootstrap is needed because of %v", why)
				}
				return
			}
			if why == nil || !strings.Contains(c.Status().String(), "a bootstrap is needed") {
				t.Errorf("%s: a bootstrap is needed because of %v", by, why)
			}
			w.wantState(1, lwm2m.StateRegistered)
		})
	}
}

func TestBootstrapReason(t *testing.T) {
	inWorld(t, 2, func(w *world) {
		cfg := w.config()
		cfg.Servers[1] = lwm2m.Server{URI: "coap://s2", Bootstrap: true}
		cfg.Servers[0].Instance = func(i *lwm2m.ServerInstance) { i.CommunicationRetryCount = dm.Uint(1) }
		w.servers[0].answers(refuse)
		c := w.start(cfg)
		w.servers[0].next()
		w.wantState(1, lwm2m.StateFailed)
		var refused *lwm2m.ResponseError
		if err := c.Status().Bootstrap.Reason; !errors.As(err, &refused) {
			t.Errorf("a bootstrap is needed because of %v", err)
		}
		if len(c.Status().Servers) != 1 {
			t.Errorf("the bootstrap server is taken for a management server: %v", c.Status().Servers)
		}
	})
}

func TestRequestBootstrapWithoutBootstrapServer(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		c := w.start(w.config())
		w.servers[0].next()
		w.wantState(1, lwm2m.StateRegistered)
		if err := c.RequestBootstrap(); !errors.Is(err, lwm2m.ErrNoBootstrap) {
			t.Errorf("without a bootstrap server: %v", err)
		}
		if code := w.servers[0].do(coap.POST, "/1/0/9", "", -1); code != coap.MethodNotAllowed {
			t.Errorf("the server's trigger: %v, want 4.05", code)
		}
	})
}

// The request for a bootstrap ends with the account that made it, and while that is disabled. The
// request of another account that has given up takes its place.
func TestBootstrapRequestEndsWithAccount(t *testing.T) {
	for _, way := range []string{"removed", "disabled", "registered"} {
		inWorld(t, 3, func(w *world) {
			cfg := w.config()
			cfg.Servers[2] = lwm2m.Server{URI: "coap://s3", Bootstrap: true}
			for i := range 2 {
				w.servers[i].answers(refuse)
				cfg.Servers[i].Instance = func(i *lwm2m.ServerInstance) { i.CommunicationRetryCount = dm.Uint(1) }
			}
			w.servers[1].answers(nil)
			c := w.start(cfg)
			end := func(i int) {
				t.Helper()
				id := lwm2m.ShortServerID(i + 1)
				switch way {
				case "removed":
					w.must(c.RemoveServer(t.Context(), id))
				case "disabled":
					w.must(c.Disable(id, 0))
				case "registered":
					w.servers[i].answers(nil)
					w.must(c.Register(id))
				}
			}
			w.servers[0].next()
			w.servers[1].next()
			w.wantState(1, lwm2m.StateFailed)
			w.servers[1].answers(refuse)
			w.must(c.Register(2))
			w.servers[1].next()
			w.wantState(2, lwm2m.StateFailed)
			end(0)
			w.status(2)
			if c.Status().Bootstrap.Reason == nil {
				t.Errorf("%s: server 2 waits for a bootstrap that is not requested: %v", way, c.Status())
			}
			end(1)
			<-time.After(time.Second)
			if err := c.Status().Bootstrap.Reason; err != nil && (way != "removed" || !strings.Contains(err.Error(), "no management server")) {
				t.Errorf("%s: a bootstrap is still wanted: %v", way, c.Status())
			}
		})
	}
}
