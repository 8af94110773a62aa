package lwm2m_test

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	aclobject "github.com/lwm2mgen/toolkit/runtime/objects/accesscontrol"
)

// withRights makes a device with two accounts and n gadgets. Where entries is set, each gadget has
// an instance of object 2, by which server 1, which asks, may read it and server 2 owns it.
func withRights(tb testing.TB, n int, entries bool) (*manual, *aclobject.Object, *dm.TypedObject[gadget]) {
	tb.Helper()
	gadgets := newGadgets(tb)
	rights, err := aclobject.New(aclobject.Config{})
	must(tb, err)
	for i := range n {
		must(tb, gadgets.Add(dm.InstanceID(i), newGadget()))
		if entries {
			must(tb, rights.Add(dm.InstanceID(i), aclobject.Entry(gadgetAt(dm.InstanceID(i)), 2, acl{1: aclobject.Read})))
		}
	}
	network := simnet.New(1)
	pc, err := network.NewHost("s").ListenPacket(5683)
	must(tb, err)
	cfg := benchConfig(tb, "coap://s", network.NewHost("device").Dialer())
	cfg.Servers = append(cfg.Servers, lwm2m.Server{URI: "coap://silent"})
	cfg.Objects = append(cfg.Objects, gadgets, rights)
	return newManual(tb, pc, cfg), rights, gadgets
}

// Reads of a large device by one of two servers, with an instance of object 2 for each of its
// instances and without any.
func BenchmarkAccess(b *testing.B) {
	const count = 2500
	for _, entries := range []bool{false, true} {
		name := map[bool]string{false: "without", true: "with"}[entries]
		b.Run("ReadOne/"+name, func(b *testing.B) {
			m, _, _ := withRights(b, count, entries)
			var reads []*coap.Message
			for i := range count {
				reads = append(reads, read(fmt.Sprintf("/%d/%d/0", gadgetID, i)))
			}
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				m.exchange(reads[n%count], coap.Content)
			}
		})
		b.Run("ReadAll/"+name, func(b *testing.B) {
			m, _, _ := withRights(b, count, entries)
			all := read("/"+strconv.Itoa(int(gadgetID)), uint16(content.SenMLCBOR))
			b.ReportAllocs()
			for b.Loop() {
				m.exchange(all, coap.Content)
			}
		})
		b.Run("AddAndRemove/"+name, func(b *testing.B) {
			_, _, gadgets := withRights(b, count, entries)
			b.ReportAllocs()
			for b.Loop() {
				must(b, gadgets.Add(60000, newGadget()))
				must(b, gadgets.Remove(b.Context(), 60000))
			}
		})
	}
	b.Run("ReadAfterChangeOfRights", func(b *testing.B) {
		m, rights, _ := withRights(b, count, true)
		one := read(fmt.Sprintf("/%d/7/0", gadgetID))
		b.ReportAllocs()
		for n := 0; b.Loop(); n++ {
			must(b, rights.Update(b.Context(), 9, func(i *aclobject.Instance) error { i.ACL.Set(1, int64(1+n%2*2)); return nil }))
			m.exchange(one, coap.Content)
		}
	})
}

// The rights of a server cost no allocation.
func TestReadWithRightsAllocates(t *testing.T) {
	allocs := func(entries bool) float64 {
		m, _, _ := withRights(t, 100, entries)
		q := read(fmt.Sprintf("/%d/50/0", gadgetID))
		for range 3000 { // until every buffer has its final size
			m.exchange(q, coap.Content)
		}
		return testing.AllocsPerRun(500, func() { m.exchange(q, coap.Content) })
	}
	if with, without := allocs(true), allocs(false); with > without {
		t.Errorf("a Read allocates %v times, and %v times without an entry", with, without)
	}
}
