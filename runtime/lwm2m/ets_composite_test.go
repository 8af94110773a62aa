package lwm2m_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
)

// compositeFormats are the formats that every version supports for composite operations.
var compositeFormats = [...]content.Format{content.SenMLJSON, content.SenMLCBOR}

// of returns the values of several nodes, each read with a Read of its own. Composites are read in
// ascending order.
func (m *managed) of(paths ...string) []string {
	m.t.Helper()
	var list []string
	for _, p := range paths {
		list = append(list, m.values(m.get(p, content.SenMLJSON))...)
	}
	return list
}

func TestETS_1_1_int_229_ReadComposite(t *testing.T) {
	onManaged(t, func(m *managed) {
		for _, f := range compositeFormats {
			m.same("/3 and /1/0", m.values(m.composite(f, "/3", "/1/0")), m.of("/1/0", "/3"))
			m.same("and what they contain", m.values(m.composite(f, "/3", "/1/0", "/1/0/1", "/3/0/11/0")),
				m.of("/1/0", "/3"))
			m.same("a resource and an instance of one", m.values(m.composite(f, "/1/0/1", "/3/0/11/0")),
				[]string{"/1/0/1=86400", "/3/0/11/0=0"})
		}
	})
}

func TestETS_1_1_int_230_WriteComposite(t *testing.T) {
	onManaged(t, func(m *managed) {
		lifetime := "60"
		for _, f := range compositeFormats {
			seconds := int64(60)
			if f == content.SenMLCBOR {
				lifetime, seconds = "61", 61
			}
			a, err := m.dev.WriteComposite(context.Background(), f,
				lwm2mtest.Value("/1/0/1", dm.IntegerValue(seconds)),
				lwm2mtest.Value("/1/0/6", dm.BooleanValue(true)),
				lwm2mtest.Value("/16/0/0/0", dm.StringValue("aa")),
				lwm2mtest.Value("/16/0/0/3", dm.StringValue("dd")))
			if err != nil || a.Code != coap.Changed {
				m.t.Fatalf("%v: %v (%v)", f, a, err)
			}
			m.want("POST " + m.location() + "?lt=" + lifetime)
			m.reads("/1/0/6", content.Text, "1")
			m.reads("/1/0/1", content.Text, lifetime)
			m.reads("/16/0", content.SenMLJSON,
				`[{"bn":"/16/0/","n":"0/0","vs":"aa"},{"n":"0/1","vs":"maker"},{"n":"0/2","vs":"model"},{"n":"0/3","vs":"dd"}]`)
		}
		// Everything is written, or nothing.
		before := m.of("/1", "/16")
		m.iPATCH(coap.MethodNotAllowed, content.SenMLJSON, `[{"n":"/16/0/0/0","vs":"xx"},{"n":"/1/0/1","v":99},{"n":"/1/0/0","v":7}]`)
		m.iPATCH(coap.NotFound, content.SenMLJSON, `[{"n":"/1/0/1","v":99},{"n":"/16/7/0/0","vs":"xx"}]`)
		m.same("after refused writes", m.of("/1", "/16"), before)
		m.silent()
	})
}

// iPATCH sends a Write-Composite.
func (m *managed) iPATCH(want coap.Code, f content.Format, payload string) {
	m.t.Helper()
	m.answers(want, lwm2mtest.Operation{Method: coap.IPATCH, Accept: content.None, Format: f,
		Payload: m.bytesOf(f, payload)})
}

func TestETS_1_1_int_235_ReadCompositeRoot(t *testing.T) {
	onManaged(t, func(m *managed) {
		for _, f := range compositeFormats {
			got := m.values(m.composite(f, "/"))
			m.same("the root", got, m.of("/1", "/3", "/16"))
			if slices.ContainsFunc(got, func(s string) bool {
				return strings.HasPrefix(s, "/0/") || strings.HasPrefix(s, "/21/") || strings.HasPrefix(s, "/23/")
			}) {
				m.t.Errorf("hidden objects show: %v", got)
			}
		}
	})
}

func TestETS_1_1_int_236_ReadCompositePartialPresence(t *testing.T) {
	onManaged(t, func(m *managed) {
		for _, f := range compositeFormats {
			got := m.values(m.composite(f, "/1/0", "/3/0/11/0", "/3339/0/5522", "/3353/0/6030", "/0/0/0", "/3/7",
				"/3/0/11/9"))
			m.same("what is there", got, m.of("/1/0", "/3/0/11/0"))
		}
	})
}

func TestETS_1_1_int_257_WriteCompositeServerAndDevice(t *testing.T) {
	for f, payload := range map[content.Format]string{
		content.SenMLJSON: `[{"n":"/1/0/2","v":102},{"n":"/1/0/6","vb":true},{"n":"/3/0/13","v":0}]`,
		content.SenMLCBOR: `83 A2 00 66 2F312F302F32 02 18 66  A2 00 66 2F312F302F36 04 F5  A2 00 67 2F332F302F3133 02 00`,
	} {
		t.Run(f.String(), func(t *testing.T) {
			onManaged(t, func(m *managed) {
				m.iPATCH(coap.Changed, f, payload)
				m.same("what was written", m.values(m.composite(f, "/1/0/2", "/1/0/6", "/3/0/13")),
					[]string{"/1/0/2=102", "/1/0/6=true", "/3/0/13=1970-01-01T00:00:00Z"})
			})
		})
	}
}

func TestETS_1_1_int_280_ReadCompositeExact(t *testing.T) {
	onManaged(t, func(m *managed) {
		for _, f := range compositeFormats {
			got := m.values(m.composite(f, "/3/0/16", "/3/0/11/0", "/1/0"))
			m.same("exactly what was asked for", got, m.of("/1/0", "/3/0/11/0", "/3/0/16"))
		}
	})
}

func TestETS_1_1_int_281_ReadCompositeWithExecutable(t *testing.T) {
	onManaged(t, func(m *managed) {
		for _, f := range compositeFormats {
			got := m.values(m.composite(f, "/1/0/1", "/1/0/7", "/1/0/8"))
			m.same("an executable has no value", got, []string{"/1/0/1=86400", "/1/0/7=U"})
		}
	})
}
