package lwm2mserver

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/corelink"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// Registration is what a device has registered (Core 1.2.2 §6.2.1).
type Registration struct {
	// Endpoint is the endpoint name, ep. If the device sends none, it is the identity of the DTLS
	// or TLS session: the PSK identity, or the certificate's common name (Core 1.2.2 §6.2.1).
	Endpoint string
	// Location is the registration's path at the server, such as "/rd/1". The zero value means that
	// the registration has ended.
	Location string
	// Lifetime is lt, in whole seconds. The zero value means that the registration does not expire.
	Lifetime time.Duration
	// Version is lwm2m, such as "1.1".
	Version string
	// QueueMode says that the device sleeps and gets requests when it wakes up (Transport 1.2.2
	// §6.5): it has registered with Q, or in LwM2M 1.0 with a binding such as UQ.
	QueueMode bool
	// Params holds all query parameters of the Register and of later Updates by name. The value of
	// a parameter without a value is "".
	Params map[string]string
	// Objects is the list of objects and instances that was sent last. Those of a profile
	// (DefineProfile) come first.
	Objects corelink.Registration
}

// EventKind is a kind of event in the life of a registration.
type EventKind string

// The kinds of events.
const (
	Registered   EventKind = "registered"
	Updated      EventKind = "updated"
	Deregistered EventKind = "deregistered"
	Expired      EventKind = "expired"   // the lifetime passed without an Update
	Awake        EventKind = "awake"     // a device in queue mode has woken up
	Asleep       EventKind = "asleep"    // a device in queue mode has fallen asleep
	Forgotten    EventKind = "forgotten" // the server lost it, see Server.Restart
)

// Event is one step in the life of a registration.
type Event struct {
	// Kind is what happened, and Time is when.
	Kind EventKind
	Time time.Time
	// Registration is the registration after the event.
	Registration Registration
	// Sent holds the query parameters of the event's own request, sorted, such as "lt=60". An
	// object list in the request adds "objects".
	Sent []string
}

// Events returns the events of all registrations that are kept (Config.History), in order.
func (s *Server) Events() []Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.events.all()
}

// WaitEvent returns the first event at or after a position for which match returns true, and the
// position behind the event. A position counts all events since the start of the server. A nil
// match accepts every event. match must not call the server. WaitEvent waits for the event until
// ctx ends.
func (s *Server) WaitEvent(ctx context.Context, from int, match func(Event) bool) (Event, int, error) {
	var e Event
	err := s.wait(ctx, func() (ok bool) { e, from, ok = s.events.find(from, match); return ok })
	if err != nil {
		return Event{}, from, fmt.Errorf("lwm2mserver: wait for an event: %w", err)
	}
	return e, from, nil
}

// DefineProfile defines the objects and instances of a Profile ID (pid), as in the list of a
// registration. A device that names the profile need not list them. The definition applies to every
// later Register and Update.
func (s *Server) DefineProfile(id string, objects ...dm.Path) {
	s.mu.Lock()
	defer s.mu.Unlock()
	nodes := make([]corelink.RegisteredNode, len(objects))
	for i, p := range objects {
		nodes[i].Path = p
	}
	s.profiles[id] = nodes
}

// objectList returns the objects of a Register or an Update: those of its profile, then those of
// its list. A request without a list needs a profile that the server knows.
func (s *Server) objectList(r Request, profile string) (corelink.Registration, coap.Code) {
	s.mu.Lock()
	nodes, known := s.profiles[profile]
	s.mu.Unlock()
	switch {
	case len(r.Payload) == 0 && !known:
		return corelink.Registration{}, coap.BadRequest
	case len(r.Payload) == 0:
		return corelink.Registration{Nodes: slices.Clone(nodes)}, 0
	case r.Format != content.Link:
		return corelink.Registration{}, coap.UnsupportedContentFormat
	}
	objects, err := corelink.ParseRegistration(r.Payload)
	if err != nil {
		return corelink.Registration{}, coap.BadRequest
	}
	objects.Nodes = slices.Concat(nodes, objects.Nodes)
	return objects, 0
}

// handleRegister answers a Register.
func (s *Server) handleRegister(c *conn, r Request) Reply {
	params := r.params()
	objects, refused := s.objectList(r, params["pid"])
	if refused != 0 {
		return Reply{Code: refused}
	}
	name := cmp.Or(params["ep"], c.identity)
	lifetime, ok := parseLifetime(params["lt"])
	if name == "" || params["lwm2m"] == "" || !ok {
		return Reply{Code: coap.BadRequest}
	}
	var location string
	s.change(func() {
		s.locations++
		location = fmt.Sprintf("/rd/%d", s.locations)
		cl := s.clients[name]
		if cl == nil {
			cl = s.newClient(c)
			s.clients[name] = cl
		}
		cl.bind(c)
		cl.reg = Registration{
			Endpoint: name, Location: location, Lifetime: lifetime, Version: params["lwm2m"],
			QueueMode: usesQueueMode(params["lwm2m"], params), Params: params, Objects: objects,
		}
		s.record(Registered, cl, r)
		cl.wake(false)
		s.scheduleExpiry(cl)
	})
	return Reply{Code: coap.Created, Location: location}
}

// handleUpdate answers an Update or a De-register of the registration at r.Path.
func (s *Server) handleUpdate(c *conn, r Request) Reply {
	reply := Reply{Code: coap.NotFound}
	params := r.params()
	lifetime, ok := parseLifetime(params["lt"])
	if r.Method == coap.POST && params["lt"] != "" && !ok {
		return Reply{Code: coap.BadRequest}
	}
	var objects corelink.Registration
	if r.Method == coap.POST && len(r.Payload) > 0 {
		var refused coap.Code
		if objects, refused = s.objectList(r, s.profileOf(r.Path)); refused != 0 {
			return Reply{Code: refused}
		}
	}
	s.change(func() {
		for _, cl := range s.clients {
			if cl.reg.Location != r.Path || !cl.mayMoveTo(c) {
				continue
			}
			cl.bind(c)
			if r.Method == coap.DELETE {
				s.endRegistration(cl, Deregistered, r)
				reply.Code = coap.Deleted
				return
			}
			maps.Copy(cl.reg.Params, params)
			if params["lt"] != "" {
				cl.reg.Lifetime = lifetime
			}
			if len(r.Payload) > 0 {
				cl.reg.Objects = objects
			}
			cl.reg.QueueMode = usesQueueMode(cl.reg.Version, cl.reg.Params)
			s.record(Updated, cl, r)
			cl.wake(!cl.awake)
			s.scheduleExpiry(cl)
			reply.Code = coap.Changed
		}
	})
	return reply
}

// profileOf returns the Profile ID of the registration at a location, "" for none.
func (s *Server) profileOf(location string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, cl := range s.clients {
		if cl.reg.Location == location {
			return cl.reg.Params["pid"]
		}
	}
	return ""
}

// record adds an event. The caller holds the lock.
func (s *Server) record(kind EventKind, cl *Client, r Request) {
	s.events.add(Event{Kind: kind, Time: time.Now(), Registration: cl.reg.clone(), Sent: r.sentParams()})
}

// endRegistration ends a registration. The caller holds the lock.
func (s *Server) endRegistration(cl *Client, kind EventKind, r Request) {
	s.record(kind, cl, r)
	cl.reg.Location = ""
	s.sched.Cancel(&cl.expiry)
	cl.endPresence()
}

// scheduleExpiry ends the registration when its lifetime has passed. It runs on the loop, and the
// caller holds the lock.
func (s *Server) scheduleExpiry(cl *Client) {
	s.sched.Cancel(&cl.expiry)
	if cl.reg.Lifetime == 0 {
		return
	}
	cl.expiry = sched.Job{Func: func() {
		s.change(func() { s.endRegistration(cl, Expired, Request{}) })
	}}
	s.sched.After(&cl.expiry, cl.reg.Lifetime)
}

// clone returns a copy that shares no parameters with r.
func (r Registration) clone() Registration {
	r.Params = maps.Clone(r.Params)
	return r
}

// parseLifetime parses lt. An empty string means the default of one day (Core 1.2.2 §6.2.1).
func parseLifetime(s string) (time.Duration, bool) {
	if s == "" {
		return 24 * time.Hour, true
	}
	n, err := strconv.ParseUint(s, 10, 32)
	return time.Duration(min(n, math.MaxUint32)) * time.Second, err == nil
}

// params returns the query parameters by name.
func (r Request) params() map[string]string {
	m := map[string]string{}
	for _, q := range r.Query {
		k, v, _ := strings.Cut(q, "=")
		m[k] = v
	}
	return m
}
