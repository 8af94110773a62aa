package lwm2mtest_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
)

// A device that asks for a pack gets it in the format that it accepts.
func TestBootstrapPack(t *testing.T) {
	for _, f := range []content.Format{content.SenMLJSON, content.SenMLCBOR, content.LwM2MCBOR} {
		t.Run(f.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newSimBed(t, false)
				b.ScriptPack("", lwm2mtest.BootstrapPack{
					Steps: []lwm2mtest.BootstrapStep{lwm2mtest.BootstrapAccount(1, b.account)}, Delay: time.Second,
				})
				b.run(t, func(cfg *lwm2m.Config) { cfg.Format, cfg.BootstrapPack = f, true })
				s := b.RequireBootstrapped("dev")
				if want := "of " + f.String(); s.Request().Accept != f || !strings.HasSuffix(s.Results()[0].String(), want) {
					t.Errorf("%v accepts %v: %v", s.Request(), s.Request().Accept, s)
				}
				b.WaitRegistered("dev")
			})
		})
	}
}

// After a pack that is refused, faulty or missing, the device sends a Bootstrap-Request.
func TestBootstrapPackFails(t *testing.T) {
	account := []lwm2mtest.BootstrapStep{lwm2mtest.BootstrapAccount(1, lwm2m.Server{URI: "coap://cloud", ShortID: 1})}
	for name, c := range map[string]struct {
		pack lwm2mtest.BootstrapPack
		want string
	}{
		"refused":            {lwm2mtest.BootstrapPack{Code: coap.InternalServerError}, "5.00"},
		"garbage":            {lwm2mtest.BootstrapPack{Payload: []byte("garbage")}, "2.05, 7 bytes of SenML CBOR"},
		"truncated":          {lwm2mtest.BootstrapPack{Steps: account, Cut: 3}, "2.05, "},
		"in another format":  {lwm2mtest.BootstrapPack{Steps: account, Format: content.TLV}, "5.00"},
		"without an account": {lwm2mtest.BootstrapPack{Steps: []lwm2mtest.BootstrapStep{lwm2mtest.BootstrapWriteValues("/1/5", lwm2mtest.Value("/1/5/0", dm.IntegerValue(5)))}}, "2.05, "},
		"silent":             {lwm2mtest.BootstrapPack{Silent: true}, "nothing"},
		"of other steps":     {lwm2mtest.BootstrapPack{Steps: []lwm2mtest.BootstrapStep{lwm2mtest.BootstrapFinish()}}, "5.00"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newSimBed(t, false)
				b.ScriptPack("dev", c.pack)
				b.ScriptBootstrap("dev", b.steps()...)
				b.run(t, func(cfg *lwm2m.Config) { cfg.BootstrapPack = true })
				b.waitRegistered(t, 30*time.Minute)
				first, next := b.WaitBootstrap(0, "dev")
				second, _ := b.WaitBootstrap(next, "dev")
				if !strings.Contains(first.Results()[0].Step.String(), c.want) {
					t.Errorf("the first answer is %v, want %s", first, c.want)
				}
				if !second.Finished() || second.Request().Path != "/bs" {
					t.Errorf("the second sequence is %v of %v", second, second.Request())
				}
			})
		})
	}
}

// The answers to Bootstrap-Pack-Requests are given one after the other. Without one, or in a format
// that no pack has, the server refuses.
func TestBootstrapPackAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, d := newBootstrapBed(t)
		ask := func(accept content.Format, query ...string) coap.Message {
			t.Helper()
			d.next++
			m := coap.Message{Type: coap.Confirmable, Code: coap.GET, MessageID: d.next, Token: []byte{byte(d.next)}}
			m.Options.AddPath("/bspack")
			m.Options.SetAccept(uint16(accept))
			for _, q := range query {
				m.Options.AddString(coap.OptionURIQuery, q)
			}
			d.send(m)
			return d.receive()
		}
		if m := ask(content.SenMLCBOR, "ep=bare"); m.Code != coap.NotFound {
			t.Errorf("a server without packs answers %v", m.Code)
		}
		s.ScriptPack("bare", lwm2mtest.BootstrapPack{Code: coap.ServiceUnavailable}, lwm2mtest.BootstrapPack{
			Steps: []lwm2mtest.BootstrapStep{lwm2mtest.BootstrapWriteValues("/1/1", lwm2mtest.Value("/1/1/0", dm.IntegerValue(7)))},
		})
		for i, want := range []string{"5.03 ", `2.05 [{"bn":"/1/1/","n":"0","v":7}]`, `2.05 [{"bn":"/1/1/","n":"0","v":7}]`} {
			m := ask(content.SenMLJSON, "ep=bare")
			if got := m.Code.String() + " " + string(m.Payload); got != want {
				t.Errorf("answer %d: %s, want %s", i, got, want)
			}
		}
		if m := ask(content.TLV, "ep=bare"); m.Code != coap.NotAcceptable {
			t.Errorf("a pack in TLV: %v, want 4.06", m.Code)
		}
		if m := ask(content.SenMLJSON); m.Code != coap.BadRequest {
			t.Errorf("a device without a name gets %v, want 4.00", m.Code)
		}
	})
}
