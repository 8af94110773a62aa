package provision

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/lwm2mgen/toolkit/generated/temperature"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
)

// randomAsk returns a request that may be anything, and is sensible more often than not.
func randomAsk(rnd *rand.Rand) ask {
	pick := func(list ...string) string { return list[rnd.IntN(len(list))] }
	id := rnd.IntN(4)
	switch rnd.IntN(14) {
	case 0:
		return links(pick("/", "/0", "/1", "/21", "/3303", "/7", "/1/0"))
	case 1:
		return to("GET " + pick("/1", "/2", "/1/0", "/2/0", "/0", "/3/0", "/x"))
	case 2:
		return to("DELETE " + pick("/", "/0", "/1", "/2", "/3", "/16", "/21", "/3303", "/0/0", "/0/1", "/0/2", "/1/0", "/1/2", "/21/1", "/5", "/x"))
	case 3, 4, 5:
		return put(fmt.Sprintf("/0/%d", id), fmt.Sprintf(
			`[{"bn":"/0/%d/","n":"0","vs":%q},{"n":"1","vb":%v},{"n":"2","v":%d},{"n":"10","v":%d}]`,
			id, pick("coap://a", "coaps://b", "garbage", ""), rnd.IntN(4) == 0, rnd.IntN(5), rnd.IntN(4)))
	case 6, 7, 8:
		return put(fmt.Sprintf("/1/%d", id), fmt.Sprintf(
			`[{"bn":"/1/%d/","n":"0","v":%d},{"n":"1","v":%d},{"n":"6","vb":true},{"n":"7","vs":%q}]`,
			id, rnd.IntN(4), rnd.IntN(1000)-10, pick("U", "T", "garbage")))
	case 9:
		return put("/2/0", `[{"bn":"/2/0/","n":"0","v":3303},{"n":"1","v":0},{"n":"2/1","v":31},{"n":"3","v":1}]`)
	case 10:
		return to("PUT "+pick("/0/1/0", "/0/1/10", "/1/0/0", "/1/0/1", "/3303/0/5750", "/16/0/0", "/5/0/0")).
			as(content.Format(rnd.IntN(2)*42), pick("1", "2", "coap://c", "x", ""))
	case 11:
		garbage := make([]byte, rnd.IntN(60))
		for i := range garbage {
			garbage[i] = byte(rnd.Uint32())
		}
		f := []content.Format{content.TLV, content.SenMLCBOR, content.LwM2MCBOR, content.SenMLJSON, content.None, 9999}[rnd.IntN(6)]
		return to("PUT "+pick("/0", "/1", "/2", "/0/1", "/1/0", "/3303")).as(f, string(garbage))
	case 12:
		return to(pick("POST /1/0/8", "FETCH /", "IPATCH /", "POST /", "POST /rd"))
	}
	return to("POST /bs")
}

// Any requests, with Updates of the application between them, end in the state before them after
// Abort, or after a Finish in one with a usable account. Nothing is visible in between.
func TestRandomRequests(t *testing.T) {
	finished := 0
	defer func() {
		if finished < 30 {
			t.Errorf("only %d sequences were finished", finished)
		}
	}()
	for seed := range uint64(300) {
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 16))
			r := newRig(t, setup{})
			before := r.dump()
			fail := func(format string, args ...any) {
				t.Helper()
				t.Fatalf("seed %d: "+format, append([]any{seed}, args...)...)
			}
			for range 5 + rnd.IntN(20) {
				if rnd.IntN(8) == 0 {
					label := fmt.Sprint(rnd.IntN(100))
					if err := r.things.Update(t.Context(), 0, func(i *temperature.Instance) error { i.ApplicationType.Set(label); return nil }); err != nil {
						fail("an Update: %v", err)
					}
					before = r.dump()
				}
				a := randomAsk(rnd)
				got := r.do(a)
				if got.code.Class() == 5 {
					fail("%s %q: %v", a.line, a.body, got)
				}
				if strings.Contains(got.body, "hunter2") {
					fail("%s shows a secret: %v", a.line, got)
				}
				if r.finished > 0 {
					break
				}
				if r.dump() != before {
					fail("after %s %q this is visible:\n%s", a.line, a.body, r.dump())
				}
				if a.line == "POST /bs" && got.code != coap.NotAcceptable {
					fail("a Finish that did not end the sequence: %v", got)
				}
			}
			if r.finished == 0 {
				r.seq.Abort()
				if r.dump() != before {
					fail("Abort leaves\n%s, want\n%s", r.dump(), before)
				}
			} else if n, err := CheckAccounts(r.model.Snapshot(), nil); n == 0 || err != nil {
				fail("after the end there are %d accounts, %v", n, err)
			}
			finished += r.finished
			r.free()
			if strings.Contains(r.log.String(), "hunter2") {
				fail("the log shows a secret:\n%s", r.log.String())
			}
		})
	}
}

// No secret that the server writes or the device has is in an answer or the log.
func TestSecretsStay(t *testing.T) {
	inRig(t, setup{}, func(t *testing.T, r *rig) {
		var said strings.Builder
		for _, a := range []ask{
			put("/0/2", strings.Replace(security2, `]`, `,{"n":"5","vd":"bmV3IGh1bnRlcjI"}]`, 1)),
			to("PUT /0/1/5").as(content.Text, "hunter2 as text"),
			to("PUT /0/1/5").as(content.SenMLJSON, `[{"bn":"/0/1/5","vs":"hunter2"}]`),
			to("PUT /0/1/10").as(content.Text, "hunter2"),
			put("/0/3", `[{"bn":"/0/3/","n":"5","vs":"hunter2"}]`),
			to("POST /bs"), links("/"), links("/0"), to("GET /0/2"), to("GET /0/2/5"), to("GET /1"),
			put("/1/2", server2), to("DELETE /0/3"), to("POST /bs"),
		} {
			said.WriteString(r.do(a).body)
		}
		for name, text := range map[string]string{"an answer": said.String(), "the log": r.log.String(),
			"the sequence": fmt.Sprintf("%v %+v", r.seq, r.seq.t)} {
			if strings.Contains(text, "hunter2") || strings.Contains(text, "aHVudGVyMg") {
				t.Errorf("%s shows a secret: %s", name, text)
			}
		}
		if r.finished != 1 || !strings.Contains(r.dump(), "new hunter2") {
			t.Errorf("finished %d", r.finished)
		}
	})
}
