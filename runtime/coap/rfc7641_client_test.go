package coap

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
)

func TestRFC7641Client(t *testing.T) {
	watching := func(b *bench) (*Call, *outcome, *outcome, []byte) {
		b.t.Helper()
		first, later := &outcome{}, &outcome{}
		call := &Call{Code: GET, Done: first.add, Observe: later.add}
		call.Options.AddPath("/a")
		if err := b.c.Do(call); err != nil {
			b.t.Fatal(err)
		}
		m := b.expect(Message{Type: Confirmable, Code: GET, Options: options(OptionObserve, "")})
		b.put(Message{Type: Acknowledgement, Code: Content, MessageID: m.MessageID, Token: m.Token,
			Options: options(OptionObserve, "\x05"), Payload: []byte("5")})
		if r := first.onlyResult(b.t); r.Last || r.Err != nil {
			b.t.Errorf("%+v", r)
		}
		return call, first, later, m.Token
	}
	notify := func(b *bench, kind Type, mid uint16, token []byte, seq uint32, o Options, body string) {
		o.SetUint(OptionObserve, seq)
		b.put(Message{Type: kind, Code: Content, MessageID: mid, Token: token, Options: o, Payload: []byte(body)})
		if kind == Confirmable {
			b.expect(Message{Type: Acknowledgement, MessageID: mid})
		}
	}
	check(t, []rule{
		{"3.2/notifications reach the caller", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			call, _, later, token := watching(b)
			notify(b, Confirmable, 10, token, 6, Options{}, "6")
			notify(b, NonConfirmable, 11, token, 7, Options{}, "7")
			if !slices.Equal(later.bodies, []string{"6", "7"}) || !call.Active() {
				t.Errorf("%q", later.bodies)
			}
			call.Cancel()
			b.put(Message{Type: NonConfirmable, Code: Content, MessageID: 12, Token: token, Options: options(OptionObserve, "\x08")})
			b.expect(Message{Type: Reset, MessageID: 12})
			if len(later.bodies) != 2 {
				t.Error("told after Cancel")
			}
			b.clean()
		}},
		{"3.4/reordered notifications are dropped", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			_, _, later, token := watching(b)
			for i, seq := range []uint32{7, 6, 7, 8, 8 + 1<<23, 1<<23 + 7, 3} {
				notify(b, NonConfirmable, uint16(i+10), token, seq, Options{}, fmt.Sprint(seq))
			}
			// 2^23 away is neither newer nor older: dropped. 3 is older than 8.
			if !slices.Equal(later.bodies, []string{"7", "8", fmt.Sprint(1<<23 + 7), "3"}) {
				t.Errorf("%q", later.bodies)
			}
			b.sleep(128 * time.Second)
			notify(b, NonConfirmable, 30, token, 2, Options{}, "not yet")
			b.sleep(time.Millisecond)
			notify(b, NonConfirmable, 31, token, 2, Options{}, "after 128 s")
			if n := len(later.bodies); n != 5 || later.bodies[4] != "after 128 s" {
				t.Errorf("%q", later.bodies)
			}
		}},
		{"3.2/error is the last notification", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			call, _, later, token := watching(b)
			b.put(Message{Type: Confirmable, Code: NotFound, MessageID: 10, Token: token})
			b.expect(Message{Type: Acknowledgement, MessageID: 10})
			if r := later.onlyResult(t); !r.Last || r.Code != NotFound || call.Active() {
				t.Errorf("%+v", r)
			}
			b.clean()
		}},
		{"3.3/response without Observe begins no observation", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			first := &outcome{}
			call := &Call{Code: GET, Done: first.add, Observe: func(Result) { t.Error("told") }}
			if err := b.c.Do(call); err != nil {
				t.Fatal(err)
			}
			m := b.take()
			b.put(Message{Type: Acknowledgement, Code: Content, MessageID: m.MessageID, Token: m.Token})
			if r := first.onlyResult(t); !r.Last || call.Active() {
				t.Errorf("%+v", r)
			}
			b.clean()
		}},
		{"3.6/deregistration", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			call, _, later, token := watching(b)
			o := &outcome{}
			if err := call.Deregister(o.add); err != nil {
				t.Fatal(err)
			}
			m := b.expect(Message{Type: Confirmable, Code: GET, Token: token, Options: options(OptionObserve, "\x01")})
			notify(b, Confirmable, 10, token, 6, Options{}, "crossed")
			if len(o.results)+len(later.results) != 0 {
				t.Error("a notification on its way was taken for the answer")
			}
			b.put(Message{Type: Acknowledgement, Code: Content, MessageID: m.MessageID, Token: m.Token, Payload: []byte("plain")})
			if o.onlyResult(t); o.bodies[0] != "plain" {
				t.Errorf("%q", o.bodies)
			}
			b.clean()
		}},
		{"RFC7959-3.4/notification in blocks", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			_, _, later, token := watching(b)
			part := func(num uint32, more bool, tag string) Options {
				o := block(OptionBlock2, num, more, 2)
				o.AddString(OptionETag, tag)
				return o
			}
			answer := func(m Message, o Options, body []byte) {
				b.put(Message{Type: Acknowledgement, Code: Content, MessageID: m.MessageID, Token: m.Token, Options: o, Payload: body})
			}
			notify(b, NonConfirmable, 10, token, 6, part(0, true, "a"), string(pattern(64)))
			m := b.expect(Message{Type: Confirmable, Code: GET, Options: block(OptionBlock2, 1, false, 2)})
			if m.Options.Has(OptionObserve) || bytes.Equal(m.Token, token) {
				t.Error("the request for a further block looks like an observation")
			}
			// A newer one arrives before its blocks are complete: the older one is abandoned.
			notify(b, NonConfirmable, 11, token, 7, part(0, true, "b"), string(pattern(64)))
			answer(m, part(1, false, "a"), pattern(10))
			m = b.expect(Message{Type: Confirmable, Code: GET, Options: block(OptionBlock2, 1, false, 2)})
			answer(m, part(1, false, "b"), pattern(100)[64:])
			if r := later.onlyResult(t); later.bodies[0] != string(pattern(100)) || r.Last {
				t.Errorf("%d bytes, %+v", len(later.bodies[0]), r)
			}
			if _, ok := later.options[0].Observe(); !ok {
				t.Error("the options are not those of the notification")
			}
		}},
		{"none/end of the connection is the last result", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			_, _, later, _ := watching(b)
			b.c.Close(nil)
			if r := later.onlyResult(t); !r.Last || !errors.Is(r.Err, ErrClosed) {
				t.Errorf("%+v", r)
			}
			b.clean()
		}},
	})
}

// TestObservePair runs both sides of an observation over both kinds of transport, with
// representations of one and of many blocks.
func TestObservePair(t *testing.T) {
	for _, kind := range []socket.Kind{socket.Datagram, socket.Stream} {
		for _, size := range []int{5, 3000, 200000} {
			t.Run(fmt.Sprint(kind, size), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					p := newDuo(t, kind, ConnConfig{MaxBody: 1 << 20})
					p.run()
					var o *Observation
					ends := &cancels{}
					version := byte(0)
					body := func() []byte { return bytes.Repeat([]byte{'a' + version}, size) }
					p.b.h.serve = func(r *Request) {
						resp := &Response{Code: Content, Body: body()}
						if v, ok := r.Observe(); !ok || v != ObserveRegister {
							r.Respond(resp)
							return
						}
						o, _ = r.RespondObserve(resp, ends)
					}
					first, later := &outcome{}, &outcome{}
					call := &Call{Code: GET, Done: first.add, Observe: later.add}
					call.Options.AddPath("/1")
					if err := p.a.c.Do(call); err != nil {
						t.Fatal(err)
					}
					p.run()
					if first.onlyResult(t); first.bodies[0] != string(body()) {
						t.Fatalf("%d bytes", len(first.bodies[0]))
					}
					for version = 1; version < 5; version++ {
						delivered := false
						n := note(string(body()), version%2 == 1, func(err error) { delivered = err == nil })
						if err := o.Notify(n); err != nil {
							t.Fatal(err)
						}
						p.run()
						if !delivered || later.bodies[len(later.bodies)-1] != string(body()) {
							t.Fatalf("version %d: delivered %v, %d bytes", version, delivered, len(later.bodies[len(later.bodies)-1]))
						}
					}
					bye := &outcome{}
					if err := call.Deregister(bye.add); err != nil {
						t.Fatal(err)
					}
					p.run()
					bye.onlyResult(t)
					if !slices.Equal(ends.why, []ObserveEnd{ObserveDeregistered}) || len(later.results) != 4 {
						t.Errorf("ends %v, %d notifications", ends.why, len(later.results))
					}
					p.a.clean()
					p.b.clean()
				})
			})
		}
	}
}
