package manage

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
)

// Names in SenML carry the alternate path in answers and in notifications, and may carry it in
// requests, for the device itself and for one behind it (Transport 1.2.1 §6.4.1).
func TestAlternatePathInNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := device12
		o.peer = func(c *PeerConfig) { c.Root = "/lwm2m" }
		r := newRig(t, o)
		close(r.dev.release)
		r.mount("dev0")
		const json, cbor, etch = content.SenMLJSON, content.SenMLCBOR, content.SenMLETCHJSON
		p := r.peers[0]
		p.run([]step{
			{to("GET /lwm2m/3303/1/5750").accepting(json), coap.Content, `[{"bn":"/lwm2m/3303/1/5750","vs":"fridge"}]`},
			{to("GET /lwm2m/3303/1/5750").accepting(cbor), coap.Content, "\x81\xa2\x21\x72/lwm2m/3303/1/5750\x03\x66fridge"},
			{to("GET /lwm2m/3303/1/5750").accepting(content.LwM2MCBOR), coap.Content, "\xa1\x19\x0c\xe7\xa1\x01\xa1\x19\x16\x76\x66fridge"},
			{to("GET /lwm2m/3303/1/5750").accepting(content.LwM2MJSON), coap.Content, `{"bn":"/3303/1/","e":[{"n":"5750","sv":"fridge"}]}`},
			{to("GET /lwm2m/dev0/3303/0/5750").accepting(json), coap.Content, `[{"bn":"/lwm2m/dev0/3303/0/5750","vs":"dev0"}]`},
			{to("FETCH /lwm2m").as(json, `[{"n":"/lwm2m/3303/1/5750"},{"n":"/lwm2m/dev0/3303/0/5750"}]`).accepting(json), coap.Content,
				`[{"bn":"/lwm2m/3303/1/","n":"5750","vs":"fridge"},{"bn":"/lwm2m/dev0/3303/0/","n":"5750","vs":"dev0"}]`},
			{to("FETCH /").as(etch, `[{"n":"/3303/1/5750"},{"n":"/dev0/3303/0/5750"}]`).accepting(json), coap.Content,
				`[{"bn":"/lwm2m/3303/1/","n":"5750","vs":"fridge"},{"bn":"/lwm2m/dev0/3303/0/","n":"5750","vs":"dev0"}]`},
			{to("FETCH /lwm2m").as(json, `[{"n":"/other/3303/1/5750"}]`), coap.BadRequest, ""},
			{to("PUT /lwm2m/3303/1/5750").as(json, `[{"n":"/lwm2m/3303/1/5750","vs":"a"}]`), coap.Changed, ""},
			{to("GET /lwm2m/3303/1/5750").accepting(content.Text), coap.Content, "a"},
			{to("PUT /lwm2m/3303/1/5750").as(json, `[{"n":"/3303/1/5750","vs":"b"}]`), coap.Changed, ""},
			{to("PUT /lwm2m/dev0/3303/0/5750").as(json, `[{"n":"/lwm2m/dev0/3303/0/5750","vs":"c"}]`), coap.Changed, ""},
			{to("PUT /lwm2m/dev0/3303/0/5750").as(json, `[{"n":"/lwm2m/3303/0/5750","vs":"wrong"}]`), coap.BadRequest, ""},
			{to("IPATCH /lwm2m").as(etch, `[{"n":"/lwm2m/dev0/3303/0/5750","vs":"d"}]`), coap.Changed, ""},
			{to("IPATCH /lwm2m").as(etch, `[{"n":"/lwm2m/3303/1/5750","vs":"e"},{"n":"/lwm2m/dev0/3303/0/5750","vs":"e"}]`), coap.BadRequest, ""},
			{to("IPATCH /lwm2m").as(etch, `[{"n":"/lwm2m/3303/1/5750","vs":"f"},{"n":"/3303/0/5750","vs":"f"}]`), coap.Changed, ""},
			{to("GET /lwm2m/3303/1/5750").accepting(content.Text), coap.Content, "f"},
			{to("POST /lwm2m/16").as(json, `[{"n":"/lwm2m/16/3/0/0","vs":"x"}]`), coap.Created, ""},
			{to("GET /lwm2m/16/3/0/0").accepting(content.Text), coap.Content, "x"},
		})
		_, notes, _ := p.watch(to("GET /lwm2m/3303/1/5750").accepting(json))
		r.addServer(2, o).do(to("PUT /lwm2m/3303/1/5750").as(content.Text, "g"))
		p.r.until(func() bool { return len(*notes) > 0 })
		if got := (*notes)[0].body; !strings.HasPrefix(got, `[{"bn":"/lwm2m/3303/1/5750",`) {
			t.Errorf("notified of %s", got)
		}
	})
}
