package lwm2m_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
)

// pickyServer answers as Wakaama's server does: 4.00 to any list of Content-Formats, 4.12 to a
// version above 1.1.
func pickyServer(r request) answer {
	switch {
	case r.path == "/rd" && strings.Contains(r.body, "ct="):
		return answer{code: coap.BadRequest}
	case r.path == "/rd" && r.has("lwm2m=1.2"):
		return answer{code: coap.PreconditionFailed}
	}
	return registrar(r)
}

// A server that refuses what conforms is registered with once the registration leaves it out, and
// that is remembered.
func TestServerThatRefusesContentFormats(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		srv := w.servers[0]
		srv.answers(pickyServer)
		c := w.start(w.config())
		var sent []string
		for range 3 {
			r := srv.within(time.Second)
			sent = append(sent, r.query[2]+" "+r.body)
		}
		plain := `</>;rt="oma.lwm2m",</1>;ver=1.2,</1/0>,</3>;ver=1.2,</3/0>`
		want := []string{"lwm2m=1.2 " + links12, `lwm2m=1.2 </>;rt="oma.lwm2m",</1/0>,</3/0>`, "lwm2m=1.1 " + plain}
		if !slices.Equal(sent, want) {
			t.Errorf("sent %q, want %q", sent, want)
		}
		s := w.wantState(1, lwm2m.StateRegistered)
		if s.Reduced != "LwM2M 1.1 instead of 1.2, without ct" || !strings.Contains(s.String(), s.Reduced) || s.Err != nil {
			t.Errorf("status %v", s)
		}
		srv.quiet(time.Minute)
		c.RegisterAll()
		if r := srv.within(time.Second); !r.has("lwm2m=1.1") || r.body != plain {
			t.Errorf("the next Register is %v with %q, want what the server accepts", r, r.body)
		}
		w.wantState(1, lwm2m.StateRegistered)
	})
}

// A server that refuses every Register with 4.00 gets two in a row, not more.
func TestBadRequestDoesNotLoop(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		srv := w.servers[0]
		srv.answers(func(request) answer { return answer{code: coap.BadRequest, text: "no"} })
		w.start(w.config())
		got := srv.intervals(3)
		if !equalDurations(got, 0, time.Minute, 0) {
			t.Errorf("attempts at intervals %v, want two at once and two a minute later", got)
		}
		if s := w.wantState(1, lwm2m.StateError); s.Attempts != 2 {
			t.Errorf("status %v", s)
		}
	})
}
