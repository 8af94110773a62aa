package manage_test

import (
	"strings"
	"testing"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
)

func TestETS_1_1_int_201_ReadText(t *testing.T) {
	onDevice(t, 1, func(e *ets) {
		e.text("/3/0/0", "Open Mobile Alliance")
		e.text("/3/0/1", "Lightweight M2M Client")
		e.text("/3/0/2", "345000123")
	})
}

func TestETS_1_1_int_203_ReadTLV(t *testing.T) {
	onDevice(t, 1, func(e *ets) { e.reads(content.TLV, "/3/0", device0...) })
}

func TestETS_1_1_int_204_ReadJSON(t *testing.T) {
	onDevice(t, 1, func(e *ets) { e.reads(content.LwM2MJSON, "/3/0", device0...) })
}

func TestETS_1_1_int_205_WriteText(t *testing.T) {
	onDevice(t, 1, func(e *ets) {
		for _, v := range [][3]string{{"101", "1010", "2000"}, {"1", "60", "86400"}} {
			e.writes("/1/0/2", content.Text, v[0])
			e.writes("/1/0/3", content.Text, v[1])
			e.writes("/1/0/5", content.Text, v[2])
			e.text("/1/0/2", v[0])
			e.text("/1/0/3", v[1])
			e.text("/1/0/5", v[2])
		}
	})
}

func TestETS_1_1_int_211_ReadCBOR(t *testing.T) {
	onDevice(t, 1, func(e *ets) {
		e.reads(content.CBOR, "/1/0/0", "/1/0/0=1")
		e.reads(content.CBOR, "/1/0/6", "/1/0/6=false")
		e.reads(content.CBOR, "/1/0/7", "/1/0/7=U")
	})
}

func TestETS_1_1_int_212_WriteCBOR(t *testing.T) {
	onDevice(t, 1, func(e *ets) {
		e.writes("/1/0/2", content.CBOR, "\x18\x65")
		e.writes("/1/0/3", content.CBOR, "\x19\x03\xf2")
		e.writes("/1/0/6", content.CBOR, "\xf5")
		e.text("/1/0/2", "101")
		e.text("/1/0/3", "1010")
		e.text("/1/0/6", "1")
	})
}

// changed is /1/0 after the partial update of 215 and 220.
var changed = strings.Split("/1/0/0=1|/1/0/1=86400|/1/0/2=101|/1/0/3=1010|/1/0/5=2000|/1/0/6=true|/1/0/7=U", "|")

func TestETS_1_1_int_215_WriteTLV(t *testing.T) {
	onDevice(t, 1, func(e *ets) {
		e.ok(coap.Changed, "partial update")(e.dev.WritePartial(e.ctx, "/1/0", content.TLV, []byte("\xc1\x02\x65\xc2\x03\x03\xf2\xc2\x05\x07\xd0\xc1\x06\x01\xc1\x07\x55")))
		e.reads(content.TLV, "/1/0", changed...)
		e.writes("/1/0", content.TLV, "\xc4\x01\x00\x01\x51\x80\xc1\x06\x00\xc1\x07\x55")
		e.reads(content.TLV, "/1/0", server0...)
	})
}

func TestETS_1_1_int_220_WriteJSON(t *testing.T) {
	onDevice(t, 1, func(e *ets) {
		e.ok(coap.Changed, "partial update")(e.dev.WritePartial(e.ctx, "/1/0", content.LwM2MJSON,
			[]byte(`{"bn":"/1/0/","e":[{"n":"2","v":101},{"n":"3","v":1010},{"n":"5","v":2000},{"n":"6","bv":true},{"n":"7","sv":"U"}]}`)))
		e.reads(content.LwM2MJSON, "/1/0", changed...)
		e.writes("/1/0", content.LwM2MJSON, `{"bn":"/1/0/","e":[{"n":"1","v":86400},{"n":"6","bv":false},{"n":"7","sv":"U"}]}`)
		e.reads(content.LwM2MJSON, "/1/0", server0...)
	})
}

func TestETS_1_1_int_221_SecurityObject(t *testing.T) {
	onDevice(t, 1, func(e *ets) {
		e.ok(coap.Unauthorized, "Read")(e.dev.Read(e.ctx, "/0/0", content.TLV))
		e.ok(coap.Unauthorized, "Write")(e.dev.Write(e.ctx, "/0/0/0", content.Text, []byte("coap://other")))
		e.ok(coap.Unauthorized, "Write-Attributes")(e.dev.WriteAttributes(e.ctx, "/0/0/0", "pmin=1"))
	})
}

func TestETS_1_1_int_222_ReadObject(t *testing.T) {
	onDevice(t, 1, func(e *ets) {
		e.reads(content.TLV, "/1", server0...)
		e.reads(content.TLV, "/3", device0...)
	})
}

func TestETS_1_1_int_223_ReadInstance(t *testing.T) {
	onDevice(t, 1, func(e *ets) {
		e.reads(content.TLV, "/1/0", server0...)
		e.reads(content.TLV, "/3/0", device0...)
	})
}

func TestETS_1_1_int_224_ReadResource(t *testing.T) {
	onDevice(t, 1, func(e *ets) {
		e.reads(content.TLV, "/1/0/0", "/1/0/0=1")
		e.reads(content.TLV, "/1/0/1", "/1/0/1=86400")
		e.reads(content.TLV, "/1/0/6", "/1/0/6=false")
		e.reads(content.TLV, "/1/0/7", "/1/0/7=U")
		e.reads(content.TLV, "/3/0/16", "/3/0/16=U")
	})
}

func TestETS_1_1_int_225_ReadResourceInstance(t *testing.T) {
	onDevice(t, 1, func(e *ets) { e.reads(content.TLV, "/3/0/11/0", "/3/0/11/0=0") })
}

func TestETS_1_1_int_226_PartialUpdate(t *testing.T) {
	onDevice(t, 1, func(e *ets) {
		e.ok(coap.Changed, "partial update")(e.dev.WritePartial(e.ctx, "/1/0", content.SenMLJSON, []byte(`[{"bn":"/1/0/","n":"1","v":60},{"n":"6","vb":true}]`)))
		e.updated(1, "lt=60")
		e.reads(content.SenMLJSON, "/1/0", "/1/0/0=1", "/1/0/1=60", "/1/0/6=true", "/1/0/7=U")
	})
}

func TestETS_1_1_int_227_ReplaceResource(t *testing.T) {
	onDevice(t, 1, func(e *ets) {
		e.writes("/1/0/1", content.Text, "60")
		e.updated(1, "lt=60")
		e.text("/1/0/1", "60")
	})
}

func TestETS_1_1_int_228_WriteResourceInstance(t *testing.T) {
	onDevice(t, 1, func(e *ets) {
		e.writes("/16/0/0/1", content.Text, "other")
		e.reads(content.TLV, "/16/0/0", "/16/0/0/0=Host Device ID #1", "/16/0/0/1=other")
	})
}

func TestETS_1_1_int_229_ReadComposite(t *testing.T) {
	onDevice(t, 1, func(e *ets) {
		a := e.ok(coap.Content, "Read-Composite")(e.dev.ReadComposite(e.ctx, content.SenMLCBOR, "/3", "/1/0", "/1/0/1", "/3/0/11/0"))
		if got, want := strings.Join(lines(e, a), "|"), strings.Join(append(append([]string(nil), server0...), device0...), "|"); got != want {
			t.Errorf("got\n%s, want\n%s", got, want)
		}
	})
}

func TestETS_1_1_int_230_WriteComposite(t *testing.T) {
	onDevice(t, 1, func(e *ets) {
		e.ok(coap.Changed, "Write-Composite")(e.dev.WriteComposite(e.ctx, content.SenMLJSON,
			lwm2mtest.Value("/1/0/1", dm.IntegerValue(60)), lwm2mtest.Value("/16/0/0/0", dm.StringValue("new"))))
		e.updated(1, "lt=60")
		e.text("/1/0/1", "60")
		e.text("/16/0/0/0", "new")
	})
}

// everyLevel reads an object, an instance, a resource and a resource instance.
func (e *ets) everyLevel(f content.Format) {
	e.Helper()
	e.reads(f, "/1", server0...)
	e.reads(f, "/3", device0...)
	e.reads(f, "/3/0", device0...)
	e.reads(f, "/1/0/1", "/1/0/1=86400")
	e.reads(f, "/3/0/11", "/3/0/11/0=0")
	e.reads(f, "/3/0/11/0", "/3/0/11/0=0")
}

func TestETS_1_1_int_231_ReadSenMLJSON(t *testing.T) {
	onDevice(t, 1, func(e *ets) { e.everyLevel(content.SenMLJSON) })
}

func TestETS_1_1_int_232_ReadSenMLCBOR(t *testing.T) {
	onDevice(t, 1, func(e *ets) { e.everyLevel(content.SenMLCBOR) })
}

// writeEveryLevel writes an instance, a resource instance and a resource.
func (e *ets) writeEveryLevel(f content.Format) {
	e.Helper()
	write := func(path string, entries ...dm.Entry) {
		e.Helper()
		b, err := lwm2mtest.Encode(f, path, entries...)
		if err != nil {
			e.Fatal(err)
		}
		e.writes(path, f, string(b))
	}
	write("/1/0", lwm2mtest.Value("/1/0/1", dm.IntegerValue(60)), lwm2mtest.Value("/1/0/6", dm.BooleanValue(true)),
		lwm2mtest.Value("/1/0/7", dm.StringValue("U")))
	write("/16/0/0/0", lwm2mtest.Value("/16/0/0/0", dm.StringValue("one")))
	write("/1/0/1", lwm2mtest.Value("/1/0/1", dm.IntegerValue(120)))
	e.reads(f, "/1/0", "/1/0/0=1", "/1/0/1=120", "/1/0/6=true", "/1/0/7=U")
	e.reads(f, "/16/0/0", "/16/0/0/0=one", "/16/0/0/1=Host Device Model #1")
}

func TestETS_1_1_int_233_WriteSenMLCBOR(t *testing.T) {
	onDevice(t, 1, func(e *ets) { e.writeEveryLevel(content.SenMLCBOR) })
}

func TestETS_1_1_int_234_WriteSenMLJSON(t *testing.T) {
	onDevice(t, 1, func(e *ets) { e.writeEveryLevel(content.SenMLJSON) })
}

func TestETS_1_1_int_235_ReadCompositeRoot(t *testing.T) {
	onDevice(t, 1, func(e *ets) {
		a := e.ok(coap.Content, "Read-Composite")(e.dev.ReadComposite(e.ctx, content.SenMLCBOR, "/"))
		want := append(append(append([]string(nil), server0...), device0...), "/16/0/0/0=Host Device ID #1",
			"/16/0/0/1=Host Device Model #1")
		if got := strings.Join(lines(e, a), "|"); got != strings.Join(want, "|") {
			t.Errorf("got\n%s, want\n%s", got, strings.Join(want, "|"))
		}
	})
}

func TestETS_1_1_int_236_ReadCompositePartial(t *testing.T) {
	onDevice(t, 1, func(e *ets) {
		a := e.ok(coap.Content, "Read-Composite")(e.dev.ReadComposite(e.ctx, content.SenMLJSON, "/1/0/1", "/1/0/99", "/99/0/0", "/3/0/11/7"))
		if got := strings.Join(lines(e, a), "|"); got != "/1/0/1=86400" {
			t.Errorf("got %s", got)
		}
	})
}

func TestETS_1_1_int_237_ReadWithoutAccept(t *testing.T) {
	onDevice(t, 1, func(e *ets) {
		e.reads(content.None, "/1", server0...)
		e.reads(content.None, "/3", device0...)
	})
}

func TestETS_1_1_int_241_Reboot(t *testing.T) {
	onDevice(t, 1, func(e *ets) {
		e.ok(coap.Changed, "Execute")(e.dev.Execute(e.ctx, "/3/0/4", ""))
		if e.reboots != 1 {
			t.Errorf("rebooted %d times", e.reboots)
		}
		seen := len(e.server.Events())
		e.halt()
		defer e.boot()()
		e.server.WaitEvent(seen, lwm2mtest.Registered, "dev")
	})
}

func TestETS_1_1_int_256_WriteFailure(t *testing.T) {
	onDevice(t, 1, func(e *ets) {
		e.ok(coap.MethodNotAllowed, "Write")(e.dev.Write(e.ctx, "/1/0/0", content.Text, []byte("123")))
		e.text("/1/0/0", "1")
	})
}

func TestETS_1_1_int_257_WriteCompositeServerAndDevice(t *testing.T) {
	for _, f := range []content.Format{content.SenMLJSON, content.SenMLCBOR} {
		onDevice(t, 1, func(e *ets) {
			e.ok(coap.Changed, "Write-Composite")(e.dev.WriteComposite(e.ctx, f,
				lwm2mtest.Value("/1/0/2", dm.IntegerValue(102)),
				lwm2mtest.Value("/1/0/6", dm.BooleanValue(true)), lwm2mtest.Value("/3/0/13", dm.TimeValue(0))))
			e.text("/1/0/2", "102")
			e.text("/1/0/6", "1")
			e.text("/3/0/13", "0")
		})
	}
}

const below30 = "</3/0/0>,</3/0/1>,</3/0/2>,</3/0/3>,</3/0/4>,</3/0/6>;dim=2,</3/0/7>;dim=2%s,</3/0/8>;dim=2,</3/0/9>,</3/0/11>;dim=1,</3/0/13>,</3/0/14>,</3/0/16>"

func links30(more string) string { return strings.Replace(below30, "%s", more, 1) }

func TestETS_1_1_int_260_Discover(t *testing.T) {
	onDevice(t, 1, func(e *ets) {
		e.discovers("/3", "</3>,</3/0>,"+links30(""))
		e.attaches("/3", "pmin=10", "pmax=200")
		e.attaches("/3/0", "pmax=320")
		e.discovers("/3/0", "</3/0>;pmin=10;pmax=320,"+links30(""))
		e.attaches("/3/0/7", "lt=1", "gt=6", "st=1")
		e.discovers("/3", "</3>;pmin=10;pmax=200,</3/0>;pmax=320,"+links30(";gt=6;lt=1;st=1"))
		e.discovers("/3/0/7", "</3/0/7>;dim=2;pmin=10;pmax=320;gt=6;lt=1;st=1,</3/0/7/0>,</3/0/7/1>")
	})
}

func TestETS_1_1_int_261_WriteAttributesLevels(t *testing.T) {
	onDevice(t, 1, func(e *ets) {
		e.discovers("/3/0/11", "</3/0/11>;dim=1,</3/0/11/0>")
		e.attaches("/3", "pmin=10", "pmax=200")
		e.attaches("/3/0", "pmax=320")
		e.attaches("/3/0/11/0", "pmax=100", "epmin=1", "epmax=20")
		e.discovers("/3/0/11", "</3/0/11>;dim=1;pmin=10;pmax=320,</3/0/11/0>;pmax=100;epmin=1;epmax=20")
	})
}

func TestETS_1_2_int_264_DiscoverDepth1(t *testing.T) {
	onDevice(t, 1, func(e *ets) {
		e.writes("/1/0/2", content.Text, "10")
		e.writes("/1/0/3", content.Text, "60")
		e.discovers("/3", "</3>;pmin=10;pmax=60,</3/0>", "depth=1")
	})
}

func TestETS_1_2_int_266_DiscoverDepth(t *testing.T) {
	onDevice(t, 1, func(e *ets) {
		e.attaches("/3/0/7/1", "pmin=20")
		e.discovers("/3/0", "</3/0>,"+links30(""), "depth=1")
		a := e.ok(coap.Content, "Discover")(e.dev.Discover(e.ctx, "/3", "depth=3"))
		if want := "</3/0/7>;dim=2,</3/0/7/0>,</3/0/7/1>;pmin=20,"; !strings.Contains(a.Text(), want) {
			t.Errorf("depth 3 lacks %s:\n%s", want, a.Text())
		}
		a = e.ok(coap.Content, "Discover")(e.dev.Discover(e.ctx, "/3", "depth=2"))
		if strings.Contains(a.Text(), "</3/0/7/0>") {
			t.Errorf("depth 2 goes too far:\n%s", a.Text())
		}
	})
}

func TestETS_1_1_int_270_1630_Create(t *testing.T) {
	onDevice(t, 1, func(e *ets) {
		a := e.ok(coap.Created, "Create")(e.dev.Create(e.ctx, "/16", content.TLV, []byte("\x86\x00\x41\x00\x61\x41\x01\x62")))
		if a.Location != "/16/1" {
			t.Errorf("made at %q", a.Location)
		}
		e.reads(content.TLV, "/16/1", "/16/1/0/0=a", "/16/1/0/1=b")
		e.discovers("/16", "</16>,</16/0>,</16/0/0>;dim=2,</16/1>,</16/1/0>;dim=2")
		e.updated(1, "objects")
	})
}

func TestETS_1_1_int_280_ReadCompositeExact(t *testing.T) {
	onDevice(t, 1, func(e *ets) {
		a := e.ok(coap.Content, "Read-Composite")(e.dev.ReadComposite(e.ctx, content.SenMLCBOR, "/3/0/16", "/3/0/11/0", "/1/0"))
		if got, want := strings.Join(lines(e, a), "|"), strings.Join(server0, "|")+"|/3/0/11/0=0|/3/0/16=U"; got != want {
			t.Errorf("got\n%s, want\n%s", got, want)
		}
	})
}

func TestETS_1_1_int_281_ReadCompositeWithExecutable(t *testing.T) {
	onDevice(t, 1, func(e *ets) {
		a := e.ok(coap.Content, "Read-Composite")(e.dev.ReadComposite(e.ctx, content.SenMLJSON, "/1/0/1", "/1/0/7", "/1/0/8"))
		if got := strings.Join(lines(e, a), "|"); got != "/1/0/1=86400|/1/0/7=U" {
			t.Errorf("got %s", got)
		}
	})
}

func TestETS_1_1_int_290_1635_Delete(t *testing.T) {
	onDevice(t, 1, func(e *ets) {
		e.ok(coap.Created, "Create")(e.dev.Create(e.ctx, "/16", content.None, nil))
		for _, path := range []string{"/16/0", "/16/1"} {
			e.ok(coap.Deleted, "Delete "+path)(e.dev.Delete(e.ctx, path))
		}
		e.discovers("/16", "</16>")
		e.ok(coap.NotFound, "Delete again")(e.dev.Delete(e.ctx, "/16/0"))
		e.updated(1, "objects")
	})
}
