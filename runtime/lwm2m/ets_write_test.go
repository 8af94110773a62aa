package lwm2m_test

import (
	"context"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
)

// The payloads of /1/0 after the sets of values of 215 and 220.
const serverSet = `C10001 C40100015180 C10265 C20303F2 C20507D0 C10601 C10755`

func TestETS_1_1_int_205_WriteText(t *testing.T) {
	onManaged(t, func(m *managed) {
		m.put("/1/0/2", content.Text, "101")
		m.put("/1/0/3", content.Text, "1010")
		m.put("/1/0/5", content.Text, "2000")
		m.reads("/1/0", content.TLV, "C10001 C40100015180 C10265 C20303F2 C20507D0 C10600 C10755")
		m.put("/1/0/2", content.Text, "1")
		m.put("/1/0/3", content.Text, "10")
		m.put("/1/0/5", content.Text, "86400")
		m.reads("/1/0", content.TLV, serverTLV)
		m.silent() // no Update is needed
	})
}

func TestETS_1_1_int_212_WriteCBOR(t *testing.T) {
	onManaged(t, func(m *managed) {
		m.put("/1/0/2", content.CBOR, "18 65")
		m.put("/1/0/3", content.CBOR, "19 03F2")
		m.put("/1/0/6", content.CBOR, "F5")
		m.reads("/1/0/2", content.CBOR, "18 65")
		m.reads("/1/0/3", content.CBOR, "19 03F2")
		m.reads("/1/0/6", content.CBOR, "F5")
		m.put("/1/0/2", content.CBOR, "01")
		m.put("/1/0/3", content.CBOR, "0A")
		m.put("/1/0/6", content.CBOR, "F4")
		m.reads("/1/0", content.TLV, serverTLV)
	})
}

func TestETS_1_1_int_215_WriteTLV(t *testing.T) {
	onManaged(t, func(m *managed) {
		m.post("/1/0", content.TLV, "C10265 C20303F2 C20507D0 C10601 C10755")
		m.reads("/1/0", content.TLV, serverSet)
		// The Replace restores the values. The Short Server ID, which no server can write, stays.
		m.put("/1/0", content.TLV, "C40100015180 C10201 C1030A C40500015180 C10600 C10755")
		m.reads("/1/0", content.TLV, serverTLV)
		m.silent()
	})
}

func TestETS_1_1_int_220_WriteJSON(t *testing.T) {
	onManaged(t, func(m *managed) {
		before := m.get("/1/0", content.LwM2MJSON)
		m.post("/1/0", content.LwM2MJSON,
			`{"bn":"/1/0/","e":[{"n":"2","v":101},{"n":"3","v":1010},{"n":"5","v":2000},{"n":"6","bv":true},{"n":"7","sv":"U"}]}`)
		m.reads("/1/0", content.TLV, serverSet)
		m.put("/1/0", content.LwM2MJSON,
			`{"bn":"/1/0/","e":[{"n":"1","v":86400},{"n":"2","v":1},{"n":"3","v":10},{"n":"5","v":86400},{"n":"6","bv":false},{"n":"7","sv":"U"}]}`)
		m.reads("/1/0", content.LwM2MJSON, before.Text())
		// The printed set contains a number that is not valid JSON. It is refused and changes
		// nothing.
		m.write(coap.BadRequest, coap.POST, "/1/0", content.LwM2MJSON,
			`{"bn":"/1/0/","e":[{"n":"3","v":20},{"n":"2","v":0101}]}`)
		m.reads("/1/0", content.LwM2MJSON, before.Text())
	})
}

func TestETS_1_1_int_226_PartialUpdate(t *testing.T) {
	onManaged(t, func(m *managed) {
		m.post("/1/0", content.TLV, "C1013C C10601")
		m.want("POST " + m.location() + "?lt=60")
		m.silent() // one Update is enough
		m.reads("/1/0", content.TLV, "C10001 C1013C C10201 C1030A C40500015180 C10601 C10755")
		// A change during the Update for the previous change is sent with the next Update.
		must(m.t, m.net.SetLink(m.place, m.device, linkDelay(time.Second)))
		written := make(chan error, 1)
		go func() {
			_, err := m.dev.WritePartial(context.Background(), "/1/0", content.TLV, m.bytesOf(content.TLV, "C10164"))
			written <- err
		}()
		<-time.After(500 * time.Millisecond)
		m.post("/1/0", content.TLV, "C10178")
		must(m.t, <-written)
		first := m.want("POST " + m.location() + "?lt=100")
		if next := m.want("POST " + m.location() + "?lt=120"); next.Time.Sub(first.Time) != 2*time.Second {
			m.t.Errorf("the second Update came after %v, want it after the answer to the first",
				next.Time.Sub(first.Time))
		}
	})
}

func TestETS_1_1_int_227_ReplaceResource(t *testing.T) {
	onManaged(t, func(m *managed) {
		m.put("/1/0/1", content.Text, "63")
		m.want("POST " + m.location() + "?lt=63")
		m.reads("/1/0/1", content.Text, "63")
		m.reads("/1/0", content.TLV, "C10001 C1013F C10201 C1030A C40500015180 C10600 C10755")
	})
}

func TestETS_1_1_int_228_WriteResourceInstance(t *testing.T) {
	onManaged(t, func(m *managed) {
		m.put("/16/0/0/1", content.Text, "test")
		m.reads("/16/0/0/1", content.Text, "test")
		m.reads("/16/0", content.SenMLJSON,
			`[{"bn":"/16/0/","n":"0/0","vs":"host"},{"n":"0/1","vs":"test"},{"n":"0/2","vs":"model"},{"n":"0/3","vs":"soft"}]`)
		m.silent()
	})
}

func TestETS_1_1_int_233_WriteSenMLCBOR(t *testing.T) {
	onManaged(t, func(m *managed) {
		m.post("/1/0", content.SenMLCBOR, "82 A3 21 65 2F312F302F 00 61 31 02 18 3D A2 00 61 36 04 F5")
		m.want("POST " + m.location() + "?lt=61")
		m.reads("/1/0", content.TLV, "C10001 C1013D C10201 C1030A C40500015180 C10601 C10755")
		m.put("/16/0/0/0", content.SenMLCBOR, "81 A2 00 69 2F31362F302F302F30 03 6A 746573745F76616C7565")
		m.reads("/16/0/0/0", content.Text, "test_value")
		m.reads("/16/0/0/1", content.Text, "maker")
		m.put("/1/0/1", content.SenMLCBOR, "81 A2 00 66 2F312F302F31 02 18 3F")
		m.want("POST " + m.location() + "?lt=63")
		m.reads("/1/0/1", content.SenMLCBOR, "81 A2 21 66 2F312F302F31 02 18 3F")
	})
}

func TestETS_1_1_int_234_WriteSenMLJSON(t *testing.T) {
	onManaged(t, func(m *managed) {
		m.post("/1/0", content.SenMLJSON, `[{"bn":"/1/0/","n":"1","v":61},{"n":"6","vb":true}]`)
		m.want("POST " + m.location() + "?lt=61")
		m.reads("/1/0", content.TLV, "C10001 C1013D C10201 C1030A C40500015180 C10601 C10755")
		m.put("/16/0/0/0", content.SenMLJSON, `[{"n":"/16/0/0/0","vs":"test_value"}]`)
		m.reads("/16/0/0/0", content.Text, "test_value")
		m.reads("/16/0/0/1", content.Text, "maker")
		m.put("/1/0/1", content.SenMLJSON, `[{"n":"/1/0/1","v":63}]`)
		m.want("POST " + m.location() + "?lt=63")
		m.reads("/1/0/1", content.SenMLJSON, `[{"bn":"/1/0/1","v":63}]`)
	})
}

func TestETS_1_1_int_256_WriteFailure(t *testing.T) {
	onManaged(t, func(m *managed) {
		m.write(coap.MethodNotAllowed, coap.PUT, "/1/0/0", content.Text, "2")
		m.reads("/1/0/0", content.Text, "1")
		// As a part of a larger Write it makes the whole Write fail.
		m.write(coap.MethodNotAllowed, coap.POST, "/1/0", content.TLV, "C1013C C10002")
		m.reads("/1/0", content.TLV, serverTLV)
		// The device still works.
		m.put("/1/0/2", content.Text, "2")
		m.reads("/1/0/2", content.Text, "2")
		m.silent()
	})
}
