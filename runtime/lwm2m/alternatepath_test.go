package lwm2m_test

import (
	"context"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
)

// A server manages a device at an alternate path in every format: names in SenML carry the path
// (Transport 1.2.1 §6.4.1), and the others do not.
func TestAlternatePath(t *testing.T) {
	onVersion(t, registry.V(1, 2), func(m *managed) { m.cfg.AlternatePath = "/lwm2m" }, func(m *managed) {
		ctx, stop := context.WithTimeout(context.Background(), time.Minute)
		defer stop()
		ok := func(code coap.Code) func(a lwm2mtest.Answer, err error) lwm2mtest.Answer {
			return func(a lwm2mtest.Answer, err error) lwm2mtest.Answer {
				m.t.Helper()
				if err != nil || a.Code != code {
					m.t.Fatalf("answered %v, %v, want %v", a, err, code)
				}
				return a
			}
		}
		if root := m.dev.Registration().Objects.Root; root != "/lwm2m" {
			m.t.Errorf("registered at %q", root)
		}
		const json = content.SenMLJSON
		if a := ok(coap.Content)(m.dev.Read(ctx, "/3/0/9", json)); a.Text() != `[{"bn":"/lwm2m/3/0/9","v":100}]` {
			m.t.Errorf("SenML JSON: %v", a)
		}
		a := ok(coap.Content)(m.dev.Read(ctx, "/3/0/9", content.LwM2MJSON))
		if a.Text() != `{"bn":"/3/0/","e":[{"n":"9","v":100}]}` {
			m.t.Errorf("LwM2M JSON: %v", a)
		}
		for _, f := range []content.Format{json, content.SenMLCBOR, content.LwM2MCBOR} {
			a := ok(coap.Content)(m.dev.ReadComposite(ctx, f, "/3/0/9", "/1/0/1"))
			if v, err := a.Value("/3/0/9"); err != nil || !v.Equal(dm.IntegerValue(100)) {
				m.t.Errorf("Read-Composite in %v: %v, %v", f, v, err)
			}
		}
		a = ok(coap.Content)(m.dev.Do(ctx, lwm2mtest.Operation{
			Method: coap.FETCH, Accept: json, Format: content.SenMLETCHJSON, Payload: []byte(`[{"n":"/lwm2m/3/0/9"}]`),
		}))
		if a.Text() != `[{"bn":"/lwm2m/3/0/","n":"9","v":100}]` {
			m.t.Errorf("Read-Composite in SenML-ETCH JSON: %v", a)
		}
		for _, f := range []content.Format{
			json, content.SenMLCBOR, content.SenMLETCHJSON, content.SenMLETCHCBOR, content.LwM2MCBOR,
		} {
			ok(coap.Changed)(m.dev.WriteComposite(ctx, f, lwm2mtest.Value("/3/0/14", dm.StringValue("+05:00"))))
		}
		payload, err := lwm2mtest.Encode(json, "/3/0/15", lwm2mtest.Value("/3/0/15", dm.StringValue("Europe/Paris")))
		if err != nil {
			m.t.Fatal(err)
		}
		ok(coap.Changed)(m.dev.Write(ctx, "/3/0/15", json, payload)) // a name without the path
		payload = []byte(`[{"bn":"/lwm2m/3/0/15","vs":"Europe/Rome"}]`)
		ok(coap.Changed)(m.dev.Write(ctx, "/3/0/15", json, payload))
		if a := ok(coap.Content)(m.dev.Read(ctx, "/3/0/15", content.Text)); a.Text() != "Europe/Rome" {
			m.t.Errorf("written %v", a)
		}
		a = ok(coap.Created)(m.dev.Create(ctx, "/16", json, []byte(`[{"n":"/lwm2m/16/4/0/0","vs":"x"}]`)))
		if a.Location != "/16/4" {
			m.t.Errorf("created %q", a.Location)
		}
		ok(coap.Deleted)(m.dev.Delete(ctx, a.Location))
		ok(coap.BadRequest)(m.dev.Write(ctx, "/3/0/15", json, []byte(`[{"n":"/other/3/0/15","vs":"x"}]`)))
	})
}
