package lwm2m_test

import (
	"slices"
	"testing"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
)

// The payloads of the fixtures. The first part of the Device in TLV is the example of Core 1.2.2
// §7.4.5; the others begin with the examples of their sections.
const (
	deviceTLV = `C80014 4F70656E204D6F62696C6520416C6C69616E6365
		C80116 4C69676874776569676874204D324D20436C69656E74
		C80209 333435303030313233
		C303 312E30
		8606 410001 410105
		880708 42000ED8 42011388
		8708 41007D 42010384
		C10964 C10A0F
		830B 410000
		C40D 5182428F
		C60E 2B30323A3030
		C80F0D 4575726F70652F4265726C696E
		C11055
		C8110A 746865726D6F73746174
		C212 4133 C313 322E30 C11400 C11540
		8616 4400 00100000`
	deviceJSON = `{"bn":"/3/0/","e":[{"n":"0","sv":"Open Mobile Alliance"},{"n":"1","sv":"Lightweight M2M Client"},` +
		`{"n":"2","sv":"345000123"},{"n":"3","sv":"1.0"},{"n":"6/0","v":1},{"n":"6/1","v":5},{"n":"7/0","v":3800},` +
		`{"n":"7/1","v":5000},{"n":"8/0","v":125},{"n":"8/1","v":900},{"n":"9","v":100},{"n":"10","v":15},{"n":"11/0","v":0},` +
		`{"n":"13","v":1367491215},{"n":"14","sv":"+02:00"},{"n":"15","sv":"Europe/Berlin"},{"n":"16","sv":"U"},` +
		`{"n":"17","sv":"thermostat"},{"n":"18","sv":"A3"},{"n":"19","sv":"2.0"},{"n":"20","v":0},{"n":"21","v":64},` +
		`{"n":"22/0","ov":"16:0"}]}`
	deviceSenML = `[{"bn":"/3/0/","n":"0","vs":"Open Mobile Alliance"},{"n":"1","vs":"Lightweight M2M Client"},` +
		`{"n":"2","vs":"345000123"},{"n":"3","vs":"1.0"},{"n":"6/0","v":1},{"n":"6/1","v":5},{"n":"7/0","v":3800},` +
		`{"n":"7/1","v":5000},{"n":"8/0","v":125},{"n":"8/1","v":900},{"n":"9","v":100},{"n":"10","v":15},{"n":"11/0","v":0},` +
		`{"n":"13","v":1367491215},{"n":"14","vs":"+02:00"},{"n":"15","vs":"Europe/Berlin"},{"n":"16","vs":"U"},` +
		`{"n":"17","vs":"thermostat"},{"n":"18","vs":"A3"},{"n":"19","vs":"2.0"},{"n":"20","v":0},{"n":"21","v":64},` +
		`{"n":"22/0","vlo":"16:0"}]`
	serverTLV   = `C10001 C40100015180 C10201 C1030A C40500015180 C10600 C10755`
	serverSenML = `[{"bn":"/1/0/","n":"0","v":1},{"n":"1","v":86400},{"n":"2","v":1},{"n":"3","v":10},{"n":"5","v":86400},` +
		`{"n":"6","vb":false},{"n":"7","vs":"U"}]`
)

func TestETS_1_1_int_201_ReadText(t *testing.T) {
	onManaged(t, func(m *managed) {
		m.reads("/3/0/0", content.Text, "Open Mobile Alliance")
		m.reads("/3/0/1", content.Text, "Lightweight M2M Client")
		m.reads("/3/0/2", content.Text, "345000123")
		m.silent()
	})
}

func TestETS_1_1_int_203_ReadTLV(t *testing.T) {
	onManaged(t, func(m *managed) {
		m.reads("/3/0", content.TLV, deviceTLV)
		list := m.values(m.get("/3/0", content.TLV))
		for _, want := range []string{
			"/3/0/0=Open Mobile Alliance", "/3/0/1=Lightweight M2M Client", "/3/0/2=345000123", "/3/0/3=1.0",
			"/3/0/11/0=0", "/3/0/16=U",
		} {
			if !slices.Contains(list, want) {
				m.t.Errorf("%v lacks %s", list, want)
			}
		}
	})
}

func TestETS_1_1_int_204_ReadJSON(t *testing.T) {
	onManaged(t, func(m *managed) { m.reads("/3/0", content.LwM2MJSON, deviceJSON) })
}

func TestETS_1_1_int_211_ReadCBOR(t *testing.T) {
	onManaged(t, func(m *managed) {
		m.reads("/1/0/0", content.CBOR, "01")
		m.reads("/1/0/6", content.CBOR, "F4")
		m.reads("/1/0/7", content.CBOR, "61 55")
	})
}

func TestETS_1_1_int_222_ReadObject(t *testing.T) {
	onManaged(t, func(m *managed) {
		m.reads("/1", content.TLV, "08001B"+serverTLV)
		m.reads("/1", content.SenMLJSON, serverSenML)
		m.reads("/3", content.SenMLJSON, deviceSenML)
		instance := m.values(m.get("/3/0", content.TLV))
		m.same("the object and its only instance", m.values(m.get("/3", content.TLV)), instance)
	})
}

func TestETS_1_1_int_223_ReadObjectInstance(t *testing.T) {
	onManaged(t, func(m *managed) {
		m.reads("/1/0", content.TLV, serverTLV)
		m.reads("/1/0", content.SenMLJSON, serverSenML)
		m.reads("/3/0", content.SenMLJSON, deviceSenML)
		m.answers(coap.NotFound, lwm2mtest.Operation{Method: coap.GET, Path: "/1/1", Accept: content.TLV,
			Format: content.None})
	})
}

func TestETS_1_1_int_224_ReadResource(t *testing.T) {
	onManaged(t, func(m *managed) {
		for path, want := range map[string]string{"/1/0/0": "1", "/1/0/1": "86400", "/1/0/6": "0", "/1/0/7": "U",
			"/3/0/16": "U"} {
			m.reads(path, content.Text, want)
		}
		m.reads("/1/0/1", content.TLV, "C40100015180")
		m.reads("/3/0/16", content.SenMLJSON, `[{"bn":"/3/0/16","vs":"U"}]`)
	})
}

func TestETS_1_1_int_225_ReadResourceInstance(t *testing.T) {
	onManaged(t, func(m *managed) {
		m.reads("/3/0/11/0", content.Text, "0")
		m.reads("/3/0/7/1", content.Text, "5000")
		m.reads("/3/0/7/1", content.SenMLJSON, `[{"bn":"/3/0/7/1","v":5000}]`)
		m.reads("/3/0/7/1", content.TLV, "42011388")
		m.answers(coap.NotFound, lwm2mtest.Operation{Method: coap.GET, Path: "/3/0/7/2", Accept: content.Text,
			Format: content.None})
	})
}

func TestETS_1_1_int_231_ReadSenMLJSON(t *testing.T) {
	onManaged(t, func(m *managed) {
		m.reads("/1", content.SenMLJSON, serverSenML)
		m.reads("/3/0", content.SenMLJSON, deviceSenML)
		m.reads("/3/0/16", content.SenMLJSON, `[{"bn":"/3/0/16","vs":"U"}]`)
		m.reads("/3/0/11/0", content.SenMLJSON, `[{"bn":"/3/0/11/0","v":0}]`)
	})
}

func TestETS_1_1_int_232_ReadSenMLCBOR(t *testing.T) {
	onManaged(t, func(m *managed) {
		m.reads("/1", content.SenMLCBOR, `87 A3 21 65 2F312F302F 00 61 30 02 01  A2 00 61 31 02 1A 00015180  A2 00 61 32 02 01
			A2 00 61 33 02 0A  A2 00 61 35 02 1A 00015180  A2 00 61 36 04 F4  A2 00 61 37 03 61 55`)
		m.reads("/3/0/16", content.SenMLCBOR, "81 A2 21 67 2F332F302F3136 03 61 55")
		m.reads("/3/0/11/0", content.SenMLCBOR, "81 A2 21 69 2F332F302F31312F30 02 00")
		m.same("the Device in SenML CBOR", m.values(m.get("/3/0", content.SenMLCBOR)),
			m.values(m.get("/3/0", content.SenMLJSON)))
	})
}

func TestETS_1_1_int_237_ReadWithoutAccept(t *testing.T) {
	onManaged(t, func(m *managed) {
		for _, path := range []string{"/1", "/3"} {
			a := m.answers(coap.Content, lwm2mtest.Operation{Method: coap.GET, Path: path, Accept: content.None,
				Format: content.None})
			if a.Format == content.None {
				m.t.Errorf("Read %s: the answer does not say its format", path)
			}
			m.same("what the device chose", m.values(a), m.values(m.get(path, content.SenMLJSON)))
		}
	})
}
