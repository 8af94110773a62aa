package lwm2mtest_test

import (
	"testing"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
)

// What two servers refuse although LwM2M allows it; zero means that the Server answers.
func TestStrictServers(t *testing.T) {
	for _, v := range []struct {
		method                 coap.Code
		path, version, payload string
		wakaama, leshan        coap.Code
	}{
		{coap.POST, "/rd", "1.1", `</>;rt="oma.lwm2m";ct=112,</3/0>`, 0, 0},
		{coap.POST, "/rd", "1.1", `</>;rt="oma.lwm2m",</3/0>`, 0, 0},
		{coap.POST, "/rd", "1.1", `</>;rt="oma.lwm2m";ct="112",</3/0>`, coap.BadRequest, 0},
		{coap.POST, "/rd", "1.1", `</>;rt="oma.lwm2m";ct="112 110",</3/0>`, coap.BadRequest, 0},
		{coap.POST, "/rd", "1.2", `</>;rt="oma.lwm2m";ct="112 110",</3/0>`, coap.BadRequest, coap.PreconditionFailed},
		{coap.POST, "/rd", "1.2", `</3/0>`, coap.PreconditionFailed, coap.PreconditionFailed},
		{coap.POST, "/rd", "1.0", `</3>;ver="1.1",</3/0>`, 0, coap.BadRequest},
		{coap.POST, "/rd", "1.0", `</3>;ver=1.1,</3/0>`, 0, 0},
		{coap.POST, "/rd/7", "", `</3>;ver="1.1",</3/0>`, 0, coap.BadRequest},
		{coap.POST, "/rd/7", "", `</>;rt="oma.lwm2m";ct="112 110",</3/0>`, coap.BadRequest, 0},
		{coap.POST, "/rd/7", "", "", 0, 0},
		{coap.DELETE, "/rd/7", "", "", 0, 0},
		{coap.POST, "/dp", "", `[{"n":"/3/0/0","vs":";ct=\"112 110\";ver=\"1.1\""}]`, 0, 0},
	} {
		r := lwm2mtest.Request{Method: v.method, Path: v.path, Payload: []byte(v.payload)}
		if v.version != "" {
			r.Query = []string{"ep=dev", "lwm2m=" + v.version}
		}
		if reply, ok := lwm2mtest.Wakaama(r); reply.Code != v.wakaama || ok != (v.wakaama != 0) {
			t.Errorf("Wakaama answers %v with %s: %v, %v", r, v.payload, reply.Code, ok)
		}
		if reply, ok := lwm2mtest.Leshan(r); reply.Code != v.leshan || ok != (v.leshan != 0) {
			t.Errorf("Leshan answers %v with %s: %v, %v", r, v.payload, reply.Code, ok)
		}
	}
}
