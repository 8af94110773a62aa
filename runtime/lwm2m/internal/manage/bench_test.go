package manage

import (
	"fmt"
	"testing"

	"github.com/lwm2mgen/toolkit/generated/temperature"
	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// exchange returns a function that makes one request and checks its answer, both ends' CoAP and the
// in-memory network included.
func exchange(tb testing.TB, o setup, a ask, want coap.Code) func() {
	tb.Helper()
	// Message IDs are soon free again, so that histories stay as they are in steady state.
	fast := coap.Params{AckTimeout: 1e6, MaxLatency: 1e3, MaxRetransmit: 1, NStart: 64}
	o.conn = func(c *coap.ConnConfig) { c.Params = fast }
	r := newRig(tb, o)
	p := r.peers[0]
	if err := p.conn.SetParams(fast); err != nil {
		tb.Fatal(err)
	}
	r.turn()
	call, answered := a.call(), false
	call.Done = func(res coap.Result) { answered = res.Err == nil && res.Code == want }
	return func() {
		answered = false
		if err := p.conn.Do(call); err != nil {
			tb.Fatal(err)
		}
		for _, c := range []*coap.Conn{p.end, p.conn} {
			if _, err := c.Receive(1); err != nil {
				tb.Fatal(err)
			}
		}
		if !answered {
			tb.Fatal("not answered as expected")
		}
		r.s.Run()
	}
}

var requests = []struct {
	name string
	ask  ask
	code coap.Code
	// free says that it must not allocate.
	free bool
}{
	{"ReadText", to("GET /3303/0/5700").accepting(content.Text), coap.Content, true},
	{"ReadStored", to("GET /3303/1/5700"), coap.Content, true},
	{"ReadString", to("GET /3/0/0").accepting(content.TLV), coap.Content, true},
	{"ReadMultiple", to("GET /3/0/6").accepting(content.SenMLCBOR), coap.Content, true},
	{"ReadInstanceTLV", to("GET /3/0").accepting(content.TLV), coap.Content, true},
	{"ReadInstanceSenMLCBOR", to("GET /3/0").accepting(content.SenMLCBOR), coap.Content, true},
	{"ReadInstanceLwM2MCBOR", to("GET /3/0").accepting(content.LwM2MCBOR), coap.Content, true},
	{"ReadComposite", to("FETCH /").as(content.SenMLJSON, `[{"n":"/3/0/0"},{"n":"/3303/1"}]`), coap.Content, false},
	{"WriteText", to("PUT /3303/1/5750").as(content.Text, "cellar"), coap.Changed, false},
	{"WriteTLV", to("PUT /3303/1/5750").as(content.TLV, "\xe6\x16\x76cellar"), coap.Changed, false},
	{"Execute", to("POST /1/0/8"), coap.Changed, false},
	{"Discover", to("GET /3303").accepting(content.Link), coap.Content, false},
}

func TestReadAllocations(t *testing.T) {
	for _, q := range requests {
		if !q.free {
			continue
		}
		t.Run(q.name, func(t *testing.T) {
			once := exchange(t, setup{servers: 1, version: registry.V(1, 2)}, q.ask, q.code)
			for range 500 {
				once() // buffers grow to their size
			}
			if n := testing.AllocsPerRun(500, once); n != 0 {
				t.Errorf("%v allocations", n)
			}
		})
	}
}

func BenchmarkRequest(b *testing.B) {
	for _, q := range requests {
		b.Run(q.name, func(b *testing.B) {
			once := exchange(b, setup{servers: 1, version: registry.V(1, 2)}, q.ask, q.code)
			b.ReportAllocs()
			for b.Loop() {
				once()
			}
		})
	}
}

// BenchmarkCreate is a Create, and the Delete that follows, of an object that has few instances or
// many.
func BenchmarkCreate(b *testing.B) {
	for _, n := range []int{100, 20000} {
		b.Run(fmt.Sprint(n, "Instances"), func(b *testing.B) {
			r := newRig(b, device12)
			for i := range n {
				r.must(r.dev.things.Add(dm.InstanceID(i+2), temperature.Instance{SensorValue: dm.Float(1)}))
			}
			path := dm.InstancePath(3303, dm.InstanceID(n+2))
			b.ReportAllocs()
			for b.Loop() {
				for _, op := range []func(*dm.Transaction) error{
					func(t *dm.Transaction) error {
						id, err := t.NewInstanceID(3303, 0)
						if err != nil {
							return err
						}
						return t.Create(3303, []dm.InstanceID{id}, []dm.Entry{{Path: dm.ResourcePath(3303, id, 5750), Value: dm.StringValue("x")}})
					},
					func(t *dm.Transaction) error { return t.Delete(path) },
				} {
					t, err := r.model.Begin(b.Context(), dm.Server(1))
					if err == nil {
						err = op(t)
					}
					if err == nil {
						err = t.Commit()
					}
					if err != nil {
						b.Fatal(err)
					}
				}
				r.s.Run()
			}
		})
	}
}
