package lwm2m_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/generated/accesscontrol"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
	ac "github.com/lwm2mgen/toolkit/runtime/objects/accesscontrol"
)

// onSharedDevice runs a test on a device with two servers. Server 1 owns what the device has, and
// server 2 has the given rights. as chooses whose requests m makes.
func onSharedDevice(t *testing.T, rights map[lwm2m.ShortServerID]ac.Rights, fn func(m *managed, as func(short int))) {
	t.Helper()
	var second *lwm2mtest.Server
	onVersion(t, since12[0], func(m *managed) {
		l, err := m.net.NewHost("second").Listen(5683)
		must(m.t, err)
		second = lwm2mtest.NewServer(m.t, l)
		m.cfg.Servers = append(m.cfg.Servers, lwm2m.Server{URI: "coap://second", Lifetime: time.Hour})
		m.cfg.AccessControl = &lwm2m.AccessControl{Rights: rights}
	}, func(m *managed) {
		devs := []*lwm2mtest.Client{nil, m.dev, second.WaitRegistered("dev")}
		for _, id := range []dm.ObjectID{1, 2, 3, 16} {
			second.Define(m.client.Model().Snapshot().Definition(id))
			m.server.Define(m.client.Model().Snapshot().Definition(id))
		}
		fn(m, func(short int) { m.dev = devs[short] })
	})
}

// entries returns the entries of the Access Control object as "object/instance owner
// server=rights".
func (m *managed) entries() []string {
	m.t.Helper()
	var all []string
	s := m.client.Model().Snapshot()
	for id := range s.Instances(2) {
		var text strings.Builder
		get := func(r dm.ResourceID) string {
			v, err := s.Value(m.t.Context(), dm.Application, dm.ResourcePath(2, id, r))
			must(m.t, err)
			return v.String()
		}
		text.WriteString(get(accesscontrol.ObjectIDID) + "/" + get(accesscontrol.ObjectInstanceIDID) + " owner " + get(accesscontrol.AccessControlOwnerID))
		must(m.t, s.Stored(dm.ResourcePath(2, id, accesscontrol.ACLID), func(p dm.Path, v dm.Value) error {
			if p.Level() == dm.ResourceInstanceLevel {
				text.WriteString(" " + strconv.Itoa(int(p.ResourceInstance())) + "=" + ac.Rights(v.Integer()).String())
			}
			return nil
		}))
		all = append(all, text.String())
	}
	slices.Sort(all)
	return all
}

func (m *managed) wantEntries(want ...string) {
	m.t.Helper()
	slices.Sort(want)
	m.same("entries", m.entries(), want)
}

func plainGet(path string) lwm2mtest.Operation {
	return lwm2mtest.Operation{Method: coap.GET, Path: path, Accept: content.SenMLJSON, Format: content.None}
}

func plainDelete(path string) lwm2mtest.Operation {
	return lwm2mtest.Operation{Method: coap.DELETE, Path: path, Accept: content.None, Format: content.None}
}

// What a server creates is its own, and goes with its entry.
func TestEntryOfCreatedInstance(t *testing.T) {
	onSharedDevice(t, map[lwm2m.ShortServerID]ac.Rights{2: ac.Read | ac.Create}, func(m *managed, as func(int)) {
		m.wantEntries("1/0 owner 1 2=R", "1/1 owner 1 2=R", "3/0 owner 1 2=R", "16/0 owner 1 2=R", "16/65535 owner 65535 2=C")
		as(1)
		create := lwm2mtest.Operation{Method: coap.POST, Path: "/16", Accept: content.None, Format: content.SenMLJSON,
			Payload: []byte(`[{"bn":"/16/7/0/","n":"0","vs":"mine"}]`)}
		m.answers(coap.Unauthorized, create)
		as(2)
		m.answers(coap.Unauthorized, plainDelete("/16/0"))
		m.answers(coap.Created, create)
		m.wantEntries("1/0 owner 1 2=R", "1/1 owner 1 2=R", "3/0 owner 1 2=R", "16/0 owner 1 2=R", "16/7 owner 2", "16/65535 owner 65535 2=C")
		m.answers(coap.Content, plainGet("/16/7/0"))
		as(1)
		m.answers(coap.Unauthorized, plainGet("/16/7/0"))
		if a := m.answers(coap.Content, plainGet("/16")); strings.Contains(string(a.Payload), "mine") || !strings.Contains(string(a.Payload), "maker") {
			m.t.Errorf("a Read of the object by server 1 shows %s", a.Payload)
		}
		m.discovers("/16/7", "", "</16/7>,</16/7/0>;dim=1")
		as(2)
		m.answers(coap.Deleted, plainDelete("/16/7"))
		m.wantEntries("1/0 owner 1 2=R", "1/1 owner 1 2=R", "3/0 owner 1 2=R", "16/0 owner 1 2=R", "16/65535 owner 65535 2=C")
		must(m.t, m.portfolio.Remove(m.t.Context(), 0))
		m.wantEntries("1/0 owner 1 2=R", "1/1 owner 1 2=R", "3/0 owner 1 2=R", "16/65535 owner 65535 2=C")
		must(m.t, m.portfolio.Add(3, etsPortfolioInstance()))
		m.wantEntries("1/0 owner 1 2=R", "1/1 owner 1 2=R", "3/0 owner 1 2=R", "16/3 owner 1 2=R", "16/65535 owner 65535 2=C")
	})
}

// An observation ends when its server may not read any more, and the owner changes the rights.
func TestObservationEndsWithRight(t *testing.T) {
	onSharedDevice(t, map[lwm2m.ShortServerID]ac.Rights{ac.Everyone: ac.Read}, func(m *managed, as func(int)) {
		as(2)
		obs, a, err := m.dev.Observe(m.t.Context(), "/3/0/9", content.SenMLJSON)
		must(m.t, err)
		if a.Code != coap.Content {
			m.t.Fatalf("Observe is %v", a)
		}
		entry := ""
		for id := range m.client.Model().Snapshot().Instances(2) {
			p := dm.ResourcePath(2, id, 0)
			if v, _ := m.client.Model().Snapshot().Value(m.t.Context(), dm.Application, p); v.Integer() == 3 {
				entry = dm.InstancePath(2, id).String()
			}
		}
		set := func(want coap.Code) {
			m.t.Helper()
			m.answers(want, lwm2mtest.Operation{Method: coap.PUT, Path: entry + "/2", Accept: content.None, Format: content.SenMLJSON,
				Payload: []byte(`[{"bn":"` + entry + `/2/","n":"2","v":4}]`)})
		}
		set(coap.Unauthorized)
		as(1)
		set(coap.Changed)
		synctest.Wait()
		last, err := obs.Next(m.t.Context())
		must(m.t, err)
		if last.Code != coap.Unauthorized {
			m.t.Errorf("the last notification is %v, want 4.01", last)
		}
		as(2)
		m.answers(coap.Unauthorized, plainGet("/3/0/9"))
		m.answers(coap.Changed, lwm2mtest.Operation{Method: coap.POST, Path: "/3/0/12", Accept: content.None, Format: content.None})
		m.answers(coap.Content, plainGet(entry))
	})
}

// With an account go its settings, what only its server could reach, and its part in the rest.
func TestEntriesOfRemovedServer(t *testing.T) {
	onSharedDevice(t, map[lwm2m.ShortServerID]ac.Rights{2: ac.Read | ac.Create | ac.Delete}, func(m *managed, as func(int)) {
		as(2)
		for _, id := range []string{"7", "8"} {
			m.answers(coap.Created, lwm2mtest.Operation{Method: coap.POST, Path: "/16", Accept: content.None, Format: content.SenMLJSON,
				Payload: []byte(`[{"bn":"/16/` + id + `/0/","n":"0","vs":"mine"}]`)})
		}
		entry := ""
		for id := range m.client.Model().Snapshot().Instances(2) {
			if v, _ := m.client.Model().Snapshot().Value(m.t.Context(), dm.Application, dm.ResourcePath(2, id, 1)); v.Integer() == 8 {
				entry = dm.InstancePath(2, id).String()
			}
		}
		m.answers(coap.Changed, lwm2mtest.Operation{Method: coap.PUT, Path: entry + "/2", Accept: content.None, Format: content.SenMLJSON,
			Payload: []byte(`[{"bn":"` + entry + `/2/","n":"1","v":1},{"n":"2","v":31}]`)})
		must(m.t, m.client.RemoveServer(m.t.Context(), 2))
		synctest.Wait()
		m.wantEntries("1/0 owner 1", "3/0 owner 1", "16/0 owner 1", "16/8 owner 1 1=R", "16/65535 owner 65535")
		if m.portfolio.Len() != 2 {
			m.t.Errorf("the object has %d instances, want 0 and 8", m.portfolio.Len())
		}
		as(1)
		m.answers(coap.Deleted, plainDelete("/16/8")) // a single server has all rights
		m.wantEntries("1/0 owner 1", "3/0 owner 1", "16/0 owner 1", "16/65535 owner 65535")
	})
}
