package coap

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

func TestRFC7252Reliability(t *testing.T) {
	check(t, []rule{
		{"4.2/retransmission doubles the time-out and ends", func(t *testing.T) {
			for seed := range byte(20) {
				b := &bench{t: t, w: &wire{mtu: 1232}, e: newEndpoint(t, seed), h: &script{}}
				b.s = b.e.sched
				b.start(ConnConfig{})
				start := b.s.Now()
				_, o := b.get("/a")
				first := b.expect(Message{Type: Confirmable, Code: GET})
				var at []time.Duration
				for len(o.results) == 0 {
					next, ok := b.s.Next()
					if !ok {
						t.Fatal("nothing is scheduled")
					}
					b.sleep(next.Sub(b.s.Now()))
					if len(b.w.sent) > 0 {
						again := b.expect(Message{Type: Confirmable, Code: GET, MessageID: first.MessageID, Token: first.Token})
						if again.Options.Len() != first.Options.Len() {
							t.Fatal("the retransmission differs")
						}
					}
					at = append(at, b.s.Now().Sub(start))
				}
				wantErr(t, o.onlyResult(t).Err, ErrTimeout)
				// Sent at 0, T, 3T, 7T, 15T, ended at 31T, with 2 s <= T <= 3 s.
				T := at[0]
				if T < 2*time.Second || T > 3*time.Second || len(at) != 5 {
					t.Fatalf("first time-out %v, %d deadlines", T, len(at))
				}
				for i, d := range at {
					if want := T * time.Duration(int(2)<<i-1); (d - want).Abs() >= time.Millisecond {
						t.Errorf("deadline %d at %v, want %v", i, d, want)
					}
				}
				if n := b.c.Stats().Retransmissions; n != 4 {
					t.Errorf("%d retransmissions counted", n)
				}
				b.clean()
			}
		}},
		{"4.2/ACK ends the retransmission", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			_, o := b.get("/a")
			m := b.expect(Message{Type: Confirmable, Code: GET})
			b.put(Message{Type: Acknowledgement, MessageID: m.MessageID})
			b.sleep(100 * time.Second)
			b.silent()
			if len(o.results) != 0 {
				t.Fatal("an outcome before the response")
			}
			b.put(Message{Type: Confirmable, Code: Content, MessageID: 9, Token: m.Token, Payload: []byte("late")})
			b.expect(Message{Type: Acknowledgement, MessageID: 9})
			if r := o.onlyResult(t); r.Code != Content || o.bodies[0] != "late" {
				t.Errorf("%+v", r)
			}
			b.clean()
		}},
		{"4.2/RST ends the retransmission", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			_, o := b.get("/a")
			m := b.take()
			b.put(Message{Type: Reset, MessageID: m.MessageID})
			wantErr(t, o.onlyResult(t).Err, ErrReset)
			b.sleep(time.Hour)
			b.silent()
			b.clean()
		}},
		{"4.2/response ends the retransmission", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			_, o := b.get("/a")
			m := b.take()
			b.put(Message{Type: NonConfirmable, Code: NotFound, MessageID: 3, Token: m.Token})
			if r := o.onlyResult(t); r.Code != NotFound || r.Err != nil {
				t.Errorf("%+v", r)
			}
			b.sleep(time.Hour)
			b.silent()
			b.clean()
		}},
		{"4.2/parameters change at run time", func(t *testing.T) {
			b := newBench(t, ConnConfig{Params: Params{AckTimeout: time.Second, AckRandomFactor: 1, MaxRetransmit: 1, NStart: 2}})
			_, o := b.get("/a")
			if err := b.c.SetParams(Params{AckTimeout: 10 * time.Second, AckRandomFactor: 1, MaxRetransmit: -1, NStart: 2}); err != nil {
				t.Fatal(err)
			}
			_, p := b.get("/b")
			b.take()
			b.take()
			b.sleep(time.Second)
			// A message keeps the parameters that it was sent with.
			b.expect(Message{Type: Confirmable, Code: GET})
			b.sleep(2 * time.Second)
			wantErr(t, o.onlyResult(t).Err, ErrTimeout)
			b.sleep(6999 * time.Millisecond)
			b.silent()
			if len(p.results) != 0 {
				t.Error("the second ended early")
			}
			b.sleep(time.Millisecond)
			wantErr(t, p.onlyResult(t).Err, ErrTimeout)
			if err := b.c.SetParams(Params{AckRandomFactor: 0.5}); err == nil {
				t.Error("a factor below 1 was taken")
			}
		}},
		{"4.4/message IDs are not used again within the lifetime", func(t *testing.T) {
			b := newBench(t, ConnConfig{Params: Params{NStart: 1}})
			used := map[uint16]time.Duration{}
			start := b.s.Now()
			lifetime := b.c.Params().ExchangeLifetime()
			rounds := 150000
			if testing.Short() {
				rounds = 70000
			}
			for range rounds {
				_, o := b.get("/a")
				for len(b.w.sent) == 0 {
					next, _ := b.s.Next()
					b.sleep(next.Sub(b.s.Now()))
				}
				m := b.take()
				now := b.s.Now().Sub(start)
				if last, ok := used[m.MessageID]; ok && now-last < lifetime {
					t.Fatalf("%#x was used at %v and %v", m.MessageID, last, now)
				}
				used[m.MessageID] = now
				b.put(Message{Type: Acknowledgement, Code: Content, MessageID: m.MessageID, Token: m.Token})
				o.onlyResult(t)
			}
			if len(used) != 1<<16 {
				t.Errorf("%d of 65536 message IDs were used", len(used))
			}
			b.clean()
		}},
		{"4.5/repeated CON gets the same answer and is served once", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			n := 0
			b.h.serve = func(r *Request) { n++; content(fmt.Sprint("answer ", n))(r) }
			for range 3 {
				b.put(request(Confirmable, POST, 77, "/a"))
				b.expect(Message{Type: Acknowledgement, Code: Content, MessageID: 77, Payload: []byte("answer 1")})
				b.sleep(80 * time.Second)
			}
			b.sleep(8 * time.Second) // 248 s since the first
			b.put(request(Confirmable, POST, 77, "/a"))
			b.expect(Message{Type: Acknowledgement, Code: Content, MessageID: 77, Payload: []byte("answer 2")})
			if got := b.c.Stats().Repeated; got != 2 {
				t.Errorf("%d repetitions counted, want 2", got)
			}
		}},
		{"4.5/repeated NON is ignored", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			b.h.serve = content("x")
			b.put(request(NonConfirmable, POST, 77, "/a"))
			b.expect(Message{Type: NonConfirmable, Code: Content, Token: tok})
			b.put(request(NonConfirmable, POST, 77, "/a"))
			b.silent()
			if b.h.calls != 1 {
				t.Errorf("served %d times", b.h.calls)
			}
		}},
		{"4.5/message ID of a NON is new after NON_LIFETIME", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			b.h.serve = content("x")
			for i, wait := range []time.Duration{144 * time.Second, 2 * time.Second} {
				b.put(request(NonConfirmable, POST, 77, "/a"))
				b.sleep(wait)
				if b.h.calls != 1 {
					t.Errorf("served %d times at %d", b.h.calls, i)
				}
			}
			b.put(request(NonConfirmable, POST, 77, "/a"))
			if b.h.calls != 2 {
				t.Errorf("served %d times, want twice", b.h.calls)
			}
		}},
		{"4.5/repeated CON without an answer yet is acknowledged", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			var held *Request
			b.h.serve = func(r *Request) { held = r }
			b.put(request(Confirmable, POST, 77, "/a"))
			b.silent()
			for range 2 {
				b.put(request(Confirmable, POST, 77, "/a"))
				b.expect(Message{Type: Acknowledgement, MessageID: 77})
			}
			content("x")(held)
			m := b.expect(Message{Type: Confirmable, Code: Content, Token: tok})
			b.put(request(Confirmable, POST, 77, "/a"))
			b.expect(Message{Type: Acknowledgement, MessageID: 77})
			b.put(Message{Type: Acknowledgement, MessageID: m.MessageID})
			b.sleep(time.Minute)
			b.silent()
			b.clean()
		}},
		{"4.5/repeated separate response is acknowledged again", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			_, o := b.get("/a")
			m := b.take()
			for range 2 {
				b.put(Message{Type: Confirmable, Code: Content, MessageID: 5, Token: m.Token})
				b.expect(Message{Type: Acknowledgement, MessageID: 5})
			}
			o.onlyResult(t)
		}},
		{"4.7/NSTART bounds the outstanding interactions", func(t *testing.T) {
			for _, n := range []int{1, 3} {
				b := newBench(t, ConnConfig{Params: Params{NStart: n}})
				var outs []*outcome
				for i := range 10 {
					_, o := b.get(fmt.Sprint("/", i))
					outs = append(outs, o)
				}
				for i := range 10 {
					if want := min(n, 10-i); len(b.w.sent) != want {
						t.Fatalf("%d outstanding, want %d", len(b.w.sent), want)
					}
					m := b.take()
					if got := string(m.Options.AppendPath(nil)); got != fmt.Sprint("/", i) {
						t.Fatalf("request %s in place %d", got, i)
					}
					b.put(Message{Type: Acknowledgement, Code: Content, MessageID: m.MessageID, Token: m.Token})
					outs[i].onlyResult(t)
				}
				b.clean()
			}
		}},
		{"4.7/queue is bounded", func(t *testing.T) {
			b := newBench(t, ConnConfig{MaxQueue: 3})
			for range 4 {
				b.get("/a")
			}
			err := b.c.Do(&Call{Code: GET, Done: func(Result) { t.Error("an outcome of a call that was refused") }})
			wantErr(t, err, ErrBusy)
		}},
		{"4.7/PROBING_RATE after unanswered NON requests", func(t *testing.T) {
			b := newBench(t, ConnConfig{Params: Params{ProbingRate: 2, ResponseTimeout: time.Minute}})
			o := &outcome{}
			for range 2 {
				call := &Call{Code: GET, NonConfirmable: true, Done: o.add}
				call.Options.AddPath("/temperature")
				if err := b.c.Do(call); err != nil {
					t.Fatal(err)
				}
			}
			size := len(b.w.sent[0])
			b.expect(Message{Type: NonConfirmable, Code: GET})
			b.sleep(time.Duration(size)*time.Second/2 - time.Millisecond)
			b.silent()
			b.sleep(time.Millisecond)
			b.expect(Message{Type: NonConfirmable, Code: GET})
			b.sleep(time.Hour)
			if len(o.results) != 2 || !errors.Is(o.results[0].Err, ErrTimeout) {
				t.Errorf("%v", o.results)
			}
			b.silent()
			b.clean()
		}},
		{"4.8.2/derived times", func(t *testing.T) {
			var p Params
			for name, d := range map[string][2]time.Duration{
				"MAX_TRANSMIT_SPAN": {p.withDefaults().span(), 45 * time.Second},
				"MAX_TRANSMIT_WAIT": {p.MaxTransmitWait(), 93 * time.Second},
				"EXCHANGE_LIFETIME": {p.ExchangeLifetime(), 247 * time.Second},
				"NON_LIFETIME":      {p.nonLifetime(), 145 * time.Second},
			} {
				if d[0] != d[1] {
					t.Errorf("%s is %v, want %v", name, d[0], d[1])
				}
			}
		}},
	})
}
