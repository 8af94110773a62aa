package lwm2m_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
	aclobject "github.com/lwm2mgen/toolkit/runtime/objects/accesscontrol"
)

// An observation ends when its server may not read any more, and does not return with the right.
func TestObservationEndsWithTheRight(t *testing.T) {
	onGuarded(t, 2, []dm.InstanceID{0, 1}, func(g *guarded) {
		g.grant(gadgetAt(0), 2, acl{1: aclobject.Read})
		g.grant(gadgetAt(1), 2, acl{1: aclobject.Read})
		observe := func(path string) *lwm2mtest.Observation {
			o, a, err := g.devices[0].Observe(g.t.Context(), path, content.SenMLJSON)
			must(t, err)
			if o == nil {
				t.Fatalf("Observe %s: %v", path, a)
			}
			return o
		}
		next := func(o *lwm2mtest.Observation) string {
			ctx, cancel := context.WithTimeout(g.t.Context(), time.Second)
			defer cancel()
			a, err := o.Next(ctx)
			if err != nil {
				return "nothing"
			}
			return a.String()
		}
		resource, instance, object := observe("/33001/0/0"), observe("/33001/0"), observe("/33001")
		composite, _, err := g.devices[0].ObserveComposite(g.t.Context(), content.SenMLJSON, []string{"/33001/0/0", "/33001/1/0"})
		must(t, err)

		g.grant(gadgetAt(0), 2, acl{1: aclobject.Write})
		for name, o := range map[string]*lwm2mtest.Observation{"resource": resource, "instance": instance} {
			if got := next(o); !strings.HasPrefix(got, "4.01") {
				t.Errorf("the observation of the %s received %s, want 4.01", name, got)
			}
		}
		for name, o := range map[string]*lwm2mtest.Observation{"object": object, "composite": composite} {
			for got := next(o); got != "nothing"; got = next(o) {
				if strings.Contains(got, "/33001/0") || strings.HasPrefix(got, "4") {
					t.Errorf("the observation of the %s received %s", name, got)
				}
			}
		}
		set := func(id dm.InstanceID, v int64) {
			must(t, g.gadgets.Update(g.t.Context(), id, func(i *gadget) error { i.setting.Set(v); return nil }))
		}
		set(0, 99)
		for name, o := range map[string]*lwm2mtest.Observation{"resource": resource, "instance": instance, "object": object} {
			if got := next(o); got != "nothing" && strings.Contains(got, "99") {
				t.Errorf("the observation of the %s received %s without the right", name, got)
			}
		}
		set(1, 55)
		for name, o := range map[string]*lwm2mtest.Observation{"object": object, "composite": composite} {
			got := ""
			for more := next(o); more != "nothing"; more = next(o) {
				got = more
			}
			if !strings.Contains(got, "55") || strings.Contains(got, "99") {
				t.Errorf("the observation of the %s received %s", name, got)
			}
		}
		g.grant(gadgetAt(0), 2, acl{1: aclobject.Read})
		set(0, 77)
		for name, o := range map[string]*lwm2mtest.Observation{"resource": resource, "instance": instance} {
			if got := next(o); got != "nothing" {
				t.Errorf("the ended observation of the %s received %s", name, got)
			}
		}
		g.grant(gadgetAt(0), 2, nil)
		g.grant(gadgetAt(1), 2, nil)
		last := ""
		for got := next(object); got != "nothing"; got = next(object) {
			last = got
		}
		if !strings.HasPrefix(last, "4.01") {
			t.Errorf("the observation of an object without a readable instance received %q last, want 4.01", last)
		}
	})
}

// A second account ends what the first may do without object 2 saying so.
func TestObservationEndsWithASecondAccount(t *testing.T) {
	onGuarded(t, 1, []dm.InstanceID{0}, func(g *guarded) {
		g.grant(gadgetPath, 2, nil)
		o, _, err := g.devices[0].Observe(g.t.Context(), "/33001/0/0", content.SenMLJSON)
		must(t, err)
		must(t, g.transaction(dm.Application, func(tx *dm.Transaction) error {
			sec, srv, err := lwm2m.Server{URI: "coap://s1", ShortID: 2}.Instances()
			if err != nil {
				return err
			}
			_ = srv
			list := []dm.Entry{
				{Path: dm.ResourcePath(0, 5, 0), Value: dm.StringValue(sec.ServerURI.Or(""))},
				{Path: dm.ResourcePath(0, 5, 1), Value: dm.BooleanValue(false)},
				{Path: dm.ResourcePath(0, 5, 2), Value: dm.IntegerValue(3)},
				{Path: dm.ResourcePath(0, 5, 10), Value: dm.IntegerValue(2)},
			}
			if err := tx.Create(0, []dm.InstanceID{5}, list); err != nil {
				return err
			}
			return tx.Create(1, []dm.InstanceID{5}, []dm.Entry{
				{Path: dm.ResourcePath(1, 5, 0), Value: dm.IntegerValue(2)},
				{Path: dm.ResourcePath(1, 5, 1), Value: dm.IntegerValue(3600)},
				{Path: dm.ResourcePath(1, 5, 6), Value: dm.BooleanValue(true)},
				{Path: dm.ResourcePath(1, 5, 7), Value: dm.StringValue("U")},
			})
		}))
		ctx, cancel := context.WithTimeout(g.t.Context(), time.Second)
		defer cancel()
		if a, err := o.Next(ctx); err != nil || a.Code != coap.Unauthorized {
			t.Errorf("the observation received %v (%v), want 4.01", a, err)
		}
	})
}

// A Send reads with the rights of the server that receives it.
func TestSendLeavesOutWhatMayNotBeRead(t *testing.T) {
	onGuarded(t, 2, []dm.InstanceID{0, 1}, func(g *guarded) {
		g.grant(gadgetAt(0), 1, acl{2: aclobject.Write})
		g.grant(gadgetAt(1), 1, acl{2: aclobject.Read})
		var b lwm2m.Batch
		b.Add(dm.ObjectPath(gadgetID))
		for server, want := range map[lwm2m.ShortServerID]bool{1: true, 2: false} {
			if _, err := g.client.Send(g.t.Context(), server, &b); err != nil {
				t.Errorf("Send to server %d: %v", server, err)
				continue
			}
			a, _, err := g.devices[server-1].WaitSent(g.t.Context(), 0)
			must(t, err)
			entries, err := a.Entries()
			must(t, err)
			has := map[dm.Path]bool{}
			for _, e := range entries {
				has[e.Path.Up(dm.InstanceLevel)] = true
			}
			if has[gadgetAt(0)] != want || !has[gadgetAt(1)] {
				t.Errorf("server %d received %v", server, entries)
			}
		}
	})
}

// Composite writes are done whole or not at all.
func TestWriteCompositeNeedsAllRights(t *testing.T) {
	onGuarded(t, 2, []dm.InstanceID{0, 1}, func(g *guarded) {
		g.grant(gadgetAt(0), 1, acl{2: aclobject.Write})
		g.grant(gadgetAt(1), 1, acl{2: aclobject.Read})
		write := func(ids ...dm.InstanceID) coap.Code {
			var list []dm.Entry
			for _, id := range ids {
				list = append(list, dm.Entry{Path: dm.ResourcePath(gadgetID, id, 0), Value: dm.IntegerValue(50)})
			}
			a, err := g.devices[1].WriteComposite(g.t.Context(), content.SenMLJSON, list...)
			must(t, err)
			return a.Code
		}
		if got := write(0, 1); got != coap.Unauthorized {
			t.Errorf("both: %v", got)
		}
		if i, _ := g.gadgets.Get(0); i.setting.Or(0) != 7 {
			t.Error("one part was written")
		}
		if got := write(0); got != coap.Changed {
			t.Errorf("the one with the right: %v", got)
		}
	})
}

// What was stored while the server could not be reached is sent only if the server may still read
// it when it is back.
func TestStoredValuesNeedTheRight(t *testing.T) {
	onGuarded(t, 2, []dm.InstanceID{0, 1}, func(g *guarded) {
		g.grant(gadgetAt(0), 2, acl{1: aclobject.Read})
		g.grant(gadgetAt(1), 2, acl{1: aclobject.Read})
		observe := func(path string) *lwm2mtest.Observation {
			o, _, err := g.devices[0].Observe(g.t.Context(), path, content.SenMLJSON)
			must(t, err)
			return o
		}
		all := func(o *lwm2mtest.Observation) string {
			ctx, cancel := context.WithTimeout(g.t.Context(), 10*time.Second)
			defer cancel()
			var text []string
			for a := range o.All(ctx) {
				text = append(text, a.String())
			}
			return strings.Join(text, "\n")
		}
		set := func(id dm.InstanceID, v int64) {
			must(t, g.gadgets.Update(g.t.Context(), id, func(i *gadget) error { i.setting.Set(v); return nil }))
			time.Sleep(2 * time.Second)
		}
		resource, object := observe("/33001/0/0"), observe("/33001")
		must(t, g.client.SuspendServer(1))
		time.Sleep(time.Second)
		set(0, 111)
		set(1, 222)
		g.grant(gadgetAt(0), 2, acl{1: aclobject.Write})
		set(0, 333)
		synctest.Wait()
		if s, _ := g.client.Status().Server(1); s.Stored == 0 || s.Dropped == 0 {
			t.Errorf("%d values are stored and %d dropped, want some of both", s.Stored, s.Dropped)
		}
		must(t, g.client.ResumeServer(1))
		if got := all(resource); strings.Contains(got, "111") || strings.Contains(got, "333") || !strings.Contains(got, "4.01") {
			t.Errorf("the observation of the resource received\n%s\nwant 4.01 alone", got)
		}
		if got := all(object); strings.Contains(got, "111") || strings.Contains(got, "333") || !strings.Contains(got, "222") {
			t.Errorf("the observation of the object received\n%s\nwant the value of the other gadget", got)
		}
	})
}

// A Send that waits for its server leaves out what the server may not read any more when it goes
// out.
func TestDeferredSendNeedsTheRight(t *testing.T) {
	onGuarded(t, 2, []dm.InstanceID{0, 1}, func(g *guarded) {
		g.grant(gadgetAt(0), 2, acl{1: aclobject.Read})
		g.grant(gadgetAt(1), 2, acl{1: aclobject.Read})
		must(t, g.client.SuspendServer(1))
		time.Sleep(time.Second)
		b := lwm2m.Batch{Defer: true}
		b.Add(dm.ResourcePath(gadgetID, 0, 0), dm.ResourcePath(gadgetID, 1, 0))
		done := make(chan lwm2m.SendResult, 1)
		must(t, g.client.StartSend(1, &b, func(r lwm2m.SendResult, _ error) { done <- r }))
		time.Sleep(time.Second)
		g.grant(gadgetAt(0), 2, nil)
		must(t, g.client.ResumeServer(1))
		r := <-done
		if r.Outcome != lwm2m.SendAcknowledged || r.Values != 1 || len(r.LeftOut) != 1 ||
			r.LeftOut[0].Path != gadgetAt(0) || !errors.Is(r.LeftOut[0].Err, dm.Unauthorized) {
			t.Errorf("the outcome is %+v, want one value, and %v left out", r, gadgetAt(0))
		}
	})
}
