package manage

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
)

func TestSlowFunctionsDelayNoOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := device12
		o.servers = 2
		r := newRig(t, o)
		slow, doneSlow := r.peers[0].begin(to("GET /3303/0/5601").accepting(content.Text))
		exec, doneExec := r.peers[0].begin(to("POST /3303/0/5605"))
		object, doneObject := r.peers[0].begin(to("GET /3303").accepting(content.SenMLJSON))
		r.pass(10 * time.Second)
		start := r.s.Now()
		for _, p := range r.peers {
			if got := p.text("/3/0/0"); got != "Acme" {
				t.Errorf("while the others wait, %q is read", got)
			}
			if got := p.do(to("PUT /3303/1/5750").as(content.Text, "x")); got.code != coap.Changed {
				t.Errorf("a write is answered %v", got.code)
			}
		}
		if r.s.Now() != start {
			t.Error("other requests waited")
		}
		if *doneSlow || *doneExec || *doneObject {
			t.Fatal("answered before the functions returned")
		}
		if r.m.Idle() {
			t.Error("idle, while functions run")
		}
		if n := r.peers[0].conn.Stats().Retransmissions; n != 0 {
			t.Errorf("the requests were not acknowledged: %d retransmissions", n)
		}
		close(r.dev.release)
		r.until(func() bool { return *doneSlow && *doneExec && *doneObject })
		if slow.body != "-3.5" || exec.code != coap.Changed || !strings.Contains(object.body,
			`"n":"5750","vs":"fridge"`) {
			t.Errorf("answered %q, %v and %q; the object must be as it was when it was asked for", slow.body,
				exec.code, object.body)
		}
		if !r.m.Idle() {
			t.Error("a change is left")
		}
	})
}

// A request of a slow function is acknowledged before the function returns.
func TestSlowRequestsAreAcknowledgedAtOnce(t *testing.T) {
	for _, line := range []string{"GET /3303/0/5601", "POST /3303/0/5605"} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, device12)
			_, done := r.peers[0].begin(to(line))
			r.pass(0)
			if n := r.peers[0].end.Stats().MessagesSent; n != 1 || *done {
				t.Errorf("%s: %d messages at once, answered %v", line, n, *done)
			}
			close(r.dev.release)
			r.until(func() bool { return *done })
		})
	}
}

func TestSlowRequestsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := device12
		o.config = func(c *Config) { c.Limits.Pending = 1 }
		r := newRig(t, o)
		_, done := r.peers[0].begin(to("GET /3303/0/5601"))
		r.pass(time.Second)
		if got := r.peers[0].do(to("GET /3303/0/5601")); got.code != coap.ServiceUnavailable {
			t.Errorf("a further Read is %v", got.code)
		}
		if got := r.peers[0].do(to("POST /3303/0/5605")); got.code != coap.ServiceUnavailable {
			t.Errorf("a further Execute is %v", got.code)
		}
		close(r.dev.release)
		r.until(func() bool { return *done })
	})
}

// A read that covers a slow function calls the other functions on the worker, too.
func TestFunctionsBesideSlowOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, device12)
		_, done := r.peers[0].begin(to("GET /3303/0").accepting(content.SenMLJSON))
		r.pass(time.Second)
		if r.dev.samples != 0 {
			t.Errorf("the function was called %d times on the loop", r.dev.samples)
		}
		close(r.dev.release)
		synctest.Wait() // the worker has ended, and the loop does not run
		if r.dev.samples != 1 {
			t.Errorf("the function was called %d times on the worker", r.dev.samples)
		}
		r.until(func() bool { return *done })
	})
}
