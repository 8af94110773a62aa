package coap

import (
	"testing"
	"time"
)

// busy fails unless Busy reports this.
func (b *bench) busy(when string, exchange, transfer bool) {
	b.t.Helper()
	if e, x := b.c.Busy(); e != exchange || x != transfer {
		b.t.Errorf("%s: exchange %v, transfer %v, want %v, %v", when, e, x, exchange, transfer)
	}
}

func TestBusy(t *testing.T) {
	check(t, []rule{
		{"own request, until its response", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			b.busy("at first", false, false)
			_, o := b.get("/a")
			b.busy("sent", true, false)
			m := b.take()
			b.put(Message{Type: Acknowledgement, MessageID: m.MessageID})
			b.busy("acknowledged", true, false)
			b.put(Message{Type: NonConfirmable, Code: Content, MessageID: 9, Token: m.Token})
			o.onlyResult(t)
			b.busy("answered", false, false)
		}},
		{"own request, until it times out", func(t *testing.T) {
			b := newBench(t, ConnConfig{KeepOnTimeout: true})
			b.get("/a")
			b.sleep(time.Minute)
			b.busy("not answered", true, false)
			b.sleep(4 * time.Minute)
			b.busy("given up", false, false)
		}},
		{"request of the peer, until it is answered", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			var r *Request
			b.h.serve = func(q *Request) { r = q }
			b.put(request(Confirmable, GET, 1, "/a"))
			b.busy("waits", true, false)
			b.sleep(5 * time.Second)
			b.take() // the empty acknowledgement
			resp := r.Response()
			resp.Code = Content
			if err := r.Respond(resp); err != nil {
				t.Fatal(err)
			}
			b.busy("answered by a message of its own", true, false)
			m := b.take()
			b.put(Message{Type: Acknowledgement, MessageID: m.MessageID})
			b.busy("acknowledged", false, false)
		}},
		{"request of the peer that is answered at once", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			b.h.serve = content("x")
			b.put(request(Confirmable, GET, 1, "/a"))
			b.take()
			b.busy("answered", false, false)
		}},
		{"observation, while a notification waits", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			o := b.observe(1, "tk", &cancels{})
			b.busy("begun", false, false)
			if err := o.Notify(note("a", true, nil)); err != nil {
				t.Fatal(err)
			}
			b.busy("notified", true, false)
			if err := o.Notify(note("b", true, nil)); err != nil {
				t.Fatal(err)
			}
			m := b.take()
			b.put(Message{Type: Acknowledgement, MessageID: m.MessageID})
			b.busy("the next one follows", true, false)
			b.sleep(unlimited)
			m = b.take()
			b.put(Message{Type: Acknowledgement, MessageID: m.MessageID})
			b.busy("both acknowledged", false, false)
		}},
		{"request in blocks, between two of them", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			b.put(put1(1, 0, true, 2, pattern(64)))
			b.take()
			b.busy("after the first block", false, true)
			b.sleep(10 * time.Minute)
			b.busy("given up", false, false)
		}},
		{"answer in blocks, between two of them", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			b.h.serve = content(string(pattern(150)))
			b.put(get2(1, 0, 2))
			b.take()
			b.busy("after the first block", false, true)
			b.put(get2(2, 1, 2))
			b.take()
			b.put(get2(3, 2, 2))
			b.take()
			b.sleep(10 * time.Minute)
			b.busy("after the last one", false, false)
		}},
		{"a closed connection is not", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			b.observe(1, "tk", &cancels{})
			b.get("/a")
			b.put(put1(2, 0, true, 2, pattern(64)))
			b.c.Close(nil)
			b.busy("closed", false, false)
		}},
	})
}
