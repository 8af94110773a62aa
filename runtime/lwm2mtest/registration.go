package lwm2mtest

import (
	"cmp"
	"fmt"
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

// Registration is what a device has said of itself (Core 1.2.2 §6.2.1).
type Registration struct {
	// Endpoint is the endpoint name, ep; where that is not sent, the identity of the DTLS session: the
	// PSK identity, or the certificate's common name (Core 1.2.2 §6.2.1).
	Endpoint string
	// Location is the registration's path at the server, such as "/rd/1". Empty once it is over.
	Location string
	// Lifetime is lt, in whole seconds. Zero means for ever.
	Lifetime time.Duration
	// Version is lwm2m, such as "1.1".
	Version string
	// Params are all query parameters of the Register and of the Updates since, by name; one without
	// a value is there with "".
	Params map[string]string
	// Objects is the list of objects and instances, as last sent; those of a profile (DefineProfile)
	// come first.
	Objects corelink.Registration
}

// EventKind is what a device did.
type EventKind string

// The kinds of events.
const (
	Registered   EventKind = "registered"
	Updated      EventKind = "updated"
	Deregistered EventKind = "deregistered"
	Expired      EventKind = "expired" // its lifetime passed without an Update
)

// Event is one step in the life of a registration.
type Event struct {
	// Kind is what happened, and Time when.
	Kind EventKind
	Time time.Time
	// Registration is how it stands after that.
	Registration Registration
	// Sent are the query parameters of this one request, sorted by name, such as "lt=60"; an object
	// list in it counts as "objects".
	Sent []string
}

// Events returns what devices have done so far, in order.
func (s *Server) Events() []Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Event(nil), s.events...)
}

// WaitEvent returns the first event of the given kind and endpoint at or after position from in
// Events, and the position behind it. It ends the test when that takes longer than Patience.
func (s *Server) WaitEvent(from int, kind EventKind, endpoint string) (Event, int) {
	s.t.Helper()
	at := -1
	found := func() bool {
		for i := max(from, 0); i < len(s.events); i++ {
			if s.events[i].Kind == kind && s.events[i].Registration.Endpoint == endpoint {
				at = i
				return true
			}
		}
		return false
	}
	if !s.wait(Patience, found) {
		s.t.Fatalf("%q is not %s within %v", endpoint, kind, Patience)
	}
	return s.Events()[at], at + 1
}

// DefineProfile tells the server the objects and instances that a Profile ID (pid) stands for, as in a
// registration's list: a device that names the profile need not list them. The definition is used for
// every later Register and Update.
func (s *Server) DefineProfile(id string, objects ...dm.Path) {
	s.mu.Lock()
	defer s.mu.Unlock()
	nodes := make([]corelink.RegisteredNode, len(objects))
	for i, p := range objects {
		nodes[i].Path = p
	}
	s.profiles[id] = nodes
}

// objectList returns the objects of a Register or an Update: those of its profile, then those that it
// lists. Without a list there has to be a profile that the server knows.
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

// register handles a Register.
func (s *Server) register(c *conn, r Request) Reply {
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
			cl = &Client{s: s}
			s.clients[name] = cl
		}
		cl.conn = c
		cl.reg = Registration{Endpoint: name, Location: location, Lifetime: lifetime, Version: params["lwm2m"], Params: params, Objects: objects}
		s.note(Registered, cl, r)
		s.expect(cl)
	})
	return Reply{Code: coap.Created, Location: location}
}

// update handles an Update or a De-register of the registration at r.Path.
func (s *Server) update(c *conn, r Request) Reply {
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
			if cl.reg.Location != r.Path {
				continue
			}
			cl.conn = c
			if r.Method == coap.DELETE {
				s.over(cl, Deregistered, r)
				reply.Code = coap.Deleted
				return
			}
			for k, v := range params {
				cl.reg.Params[k] = v
			}
			if params["lt"] != "" {
				cl.reg.Lifetime = lifetime
			}
			if len(r.Payload) > 0 {
				cl.reg.Objects = objects
			}
			s.note(Updated, cl, r)
			s.expect(cl)
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

// note records an event. The lock is held.
func (s *Server) note(kind EventKind, cl *Client, r Request) {
	s.events = append(s.events, Event{Kind: kind, Time: time.Now(), Registration: cl.reg.clone(), Sent: r.sent()})
}

// over ends a registration. The lock is held.
func (s *Server) over(cl *Client, kind EventKind, r Request) {
	s.note(kind, cl, r)
	cl.reg.Location = ""
	s.sched.Cancel(&cl.expiry)
}

// expect lets the registration end when its lifetime has passed. It runs on the loop, with the lock.
func (s *Server) expect(cl *Client) {
	s.sched.Cancel(&cl.expiry)
	if cl.reg.Lifetime == 0 {
		return
	}
	cl.expiry = sched.Job{Func: func() {
		s.change(func() { s.over(cl, Expired, Request{}) })
	}}
	s.sched.After(&cl.expiry, cl.reg.Lifetime)
}

func (r Registration) clone() Registration {
	params := make(map[string]string, len(r.Params))
	for k, v := range r.Params {
		params[k] = v
	}
	r.Params = params
	return r
}

// parseLifetime reads lt; its default is a day (Core 1.2.2 §6.2.1).
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
