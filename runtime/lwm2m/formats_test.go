package lwm2m_test

import (
	"strings"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
)

// Config.Formats chooses what a Register announces. One format has no quotes, and a list has them
// (Core 1.2.2 §6.2.1). Formats that the version does not have are left out.
func TestAnnouncedFormats(t *testing.T) {
	const cbor, json, tlv = content.SenMLCBOR, content.SenMLJSON, content.TLV
	v10, v11, v12 := registry.V(1, 0), registry.V(1, 1), registry.V(1, 2)
	for _, v := range []struct {
		name    string
		version registry.Version
		formats []content.Format
		want    string
	}{
		{"the zero value with 1.2", v12, nil, `;ct="112 11544 110 60 11542 11543"`},
		{"the zero value with 1.1", v11, nil, `;ct="112 110 60 11542 11543"`},
		{"the zero value with 1.0", v10, nil, `;ct=11543`},
		{"none", v12, []content.Format{}, ""},
		{"one", v12, []content.Format{cbor}, ";ct=112"},
		{"in the order of the user", v12, []content.Format{tlv, json}, `;ct="11542 110"`},
		{"plain text, octet stream and a legacy number", v12,
			[]content.Format{content.Text, content.Opaque, content.LegacyTLV}, `;ct="0 42 1542"`},
		{"LwM2M CBOR and SenML-ETCH with 1.2", v12,
			[]content.Format{content.LwM2MCBOR, content.SenMLETCHCBOR}, `;ct="11544 322"`},
		{"LwM2M CBOR and another with 1.1", v11, []content.Format{content.LwM2MCBOR, cbor}, ";ct=112"},
		{"LwM2M CBOR alone with 1.1", v11, []content.Format{content.LwM2MCBOR}, ""},
		{"SenML and TLV with 1.0", v10, []content.Format{cbor, tlv, json, content.CBOR}, ";ct=11542"},
	} {
		t.Run(v.name, func(t *testing.T) {
			inWorld(t, 1, func(w *world) {
				cfg := w.config()
				cfg.MinVersion, cfg.MaxVersion, cfg.Formats = v.version, v.version, v.formats
				w.start(cfg)
				r := w.servers[0].within(time.Second)
				if got, _, _ := strings.Cut(r.body, ","); got != `</>;rt="oma.lwm2m"`+v.want {
					t.Errorf("the root is %s, want %s", got, v.want)
				}
				w.wantState(1, lwm2m.StateRegistered)
			})
		})
	}
}

// A Register that announces no formats is not repeated without them after 4.00.
func TestBadRequestWithoutFormats(t *testing.T) {
	for name, change := range map[string]func(*lwm2m.Config){
		"Config.Formats is empty": func(c *lwm2m.Config) { c.Formats = []content.Format{} },
		"the profile has everything": func(c *lwm2m.Config) {
			c.Profile.ID = "6:27354b9a"
		},
		"the version has none of the formats": func(c *lwm2m.Config) {
			c.Formats, c.MaxVersion = []content.Format{content.LwM2MCBOR}, registry.V(1, 1)
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, 1, func(w *world) {
				srv := w.servers[0]
				srv.answers(func(request) answer { return answer{code: coap.BadRequest} })
				cfg := w.config()
				change(&cfg)
				w.start(cfg)
				if got := srv.intervals(2); !equalDurations(got, time.Minute, 2*time.Minute) {
					t.Errorf("attempts at intervals %v, want one, and the next after one and two minutes", got)
				}
			})
		})
	}
}
