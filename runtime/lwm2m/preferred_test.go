package lwm2m_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/objects/security"
	"github.com/lwm2mgen/toolkit/runtime/objects/server"
)

// addTransport adds a Security instance of the account 1 with another URI.
func addTransport(t *testing.T, sec *security.Object, id dm.InstanceID, uri string) {
	t.Helper()
	s := security.Template()
	s.ServerURI, s.BootstrapServer, s.SecurityMode = dm.Str(uri), dm.Bool(false), dm.Int(3)
	s.ShortServerID = dm.Int(1)
	must(t, sec.Add(id, s))
}

func prefer(t *testing.T, srv *server.Object, transport string) {
	t.Helper()
	must(t, srv.Update(context.Background(), 1, func(i *server.Instance) error {
		i.PreferredTransport = dm.Empty[string]()
		if transport != "" {
			i.PreferredTransport = dm.Str(transport)
		}
		return nil
	}))
}

// Of several Security instances of one account the client uses the one of the preferred transport
// (/1/x/22), if a dialer serves it, and otherwise the lowest one that a dialer serves.
func TestPreferredTransport(t *testing.T) {
	const udp, tcp = "coap://s1", "coap+tcp://s1"
	for name, c := range map[string]struct {
		preferred string
		noStream  bool
		noUDP     bool
		want      string
	}{
		"none":                           {"", false, false, udp},
		"UDP":                            {"U", false, false, udp},
		"TCP":                            {"T", false, false, tcp},
		"TCP, which no dialer serves":    {"T", true, false, udp},
		"SMS, which no dialer serves":    {"S", false, false, udp},
		"none, and no dialer serves UDP": {"", false, true, tcp},
		"UDP, which no dialer serves":    {"U", false, true, tcp},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, 1, func(w *world) {
				cfg, sec, srv := own(w)
				addTransport(t, sec, 5, tcp)
				prefer(t, srv, c.preferred)
				switch {
				case c.noStream:
					cfg.Dialers = []socket.Dialer{w.host.Dialer()}
				case c.noUDP:
					cfg.Dialers = []socket.Dialer{w.host.StreamDialer()}
				}
				w.start(cfg)
				w.servers[0].next()
				if s := w.wantState(1, lwm2m.StateRegistered); s.URI != c.want {
					t.Errorf("registered at %s, want %s", s.URI, c.want)
				}
			})
		})
	}
}

// A server that writes /1/x/22 gets the response, and then a Register over the other transport.
func TestPreferredTransportIsWritten(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		cfg, sec, _ := own(w)
		addTransport(t, sec, 5, "coap+tcp://s1")
		w.start(cfg)
		s := w.servers[0]
		s.next()
		w.wantState(1, lwm2m.StateRegistered)
		for _, step := range []struct{ letter, uri string }{{"T", "coap+tcp://s1"}, {"U", "coap://s1"}} {
			<-time.After(time.Minute)
			if code := s.do(coap.PUT, "/1/1/22", step.letter, 0); code != coap.Changed {
				t.Errorf("Write of %s: %v", step.letter, code)
			}
			if r := s.within(time.Second); r.path != "/rd" {
				t.Errorf("after %s: %v, want a Register", step.letter, r)
			}
			if st := w.wantState(1, lwm2m.StateRegistered); st.URI != step.uri || len(w.sockets()) != 1 {
				t.Errorf("after %s: %v", step.letter, st)
			}
			s.wantServed()
		}
		if len(w.client.Status().Servers) != 1 {
			t.Errorf("status %v", w.client.Status())
		}
	})
}

// A Security instance that comes or goes moves the account to the transport that is preferred then.
func TestTransportComesAndGoes(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		cfg, sec, srv := own(w)
		prefer(t, srv, "T")
		w.start(cfg)
		w.servers[0].next()
		<-time.After(time.Minute)
		addTransport(t, sec, 5, "coap+tcp://s1")
		w.servers[0].within(time.Second)
		if s := w.wantState(1, lwm2m.StateRegistered); s.URI != "coap+tcp://s1" {
			t.Errorf("status %v", s)
		}
		<-time.After(time.Minute)
		must(t, sec.Remove(context.Background(), 5))
		w.servers[0].within(time.Second)
		if s := w.wantState(1, lwm2m.StateRegistered); s.URI != "coap://s1" {
			t.Errorf("status %v", s)
		}
	})
}

// RemoveServer removes all Security instances of the account.
func TestRemoveServerWithTransports(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		cfg, sec, _ := own(w)
		addTransport(t, sec, 5, "coap+tcp://s1")
		c := w.start(cfg)
		w.servers[0].next()
		w.wantState(1, lwm2m.StateRegistered)
		must(t, c.RemoveServer(context.Background(), 1))
		synctest.Wait()
		for id := range c.Model().Snapshot().Instances(0) {
			t.Errorf("/0/%d is left", id)
		}
	})
}

// Two Security instances of one account need different transports: /1/x/22 could not choose between
// "coap" and "coaps".
func TestSameTransportTwice(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		_, sec, _ := own(w)
		s := security.Template()
		s.ServerURI, s.BootstrapServer, s.SecurityMode = dm.Str("coaps://s1"), dm.Bool(false), dm.Int(3)
		s.ShortServerID = dm.Int(1)
		if err := sec.Add(5, s); !errors.Is(err, dm.BadRequest) {
			t.Errorf("the error is %v", err)
		}
	})
}
