package coap

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
)

// A rule is one requirement of an RFC: the test's name is its section.
type rule struct {
	section string
	test    func(t *testing.T)
}

func check(t *testing.T, rules []rule) {
	for _, r := range rules {
		t.Run(r.section, func(t *testing.T) { synctest.Test(t, r.test) })
	}
}

var tok = []byte{0xca, 0xfe}

func request(kind Type, code Code, mid uint16, path string) Message {
	var o Options
	o.AddPath(path)
	return Message{Type: kind, Code: code, MessageID: mid, Token: tok, Options: o}
}

func TestRFC7252Messages(t *testing.T) {
	malformed := func(wire string, rst bool) func(*testing.T) {
		return func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			if err := b.putBytes(unhex(t, wire)); err != nil {
				t.Fatal(err)
			}
			if rst {
				b.expect(Message{Type: Reset, MessageID: 0x1234})
			}
			b.silent()
			if b.h.calls != 0 || b.c.Stats().Malformed != 1 {
				t.Errorf("%d calls, %d malformed", b.h.calls, b.c.Stats().Malformed)
			}
			b.clean()
		}
	}
	check(t, []rule{
		{"3/unknown version is ignored", malformed("80 01 1234", false)},
		{"3/short datagram is ignored", malformed("40 01 12", false)},
		{"3/reserved token length is a format error", malformed("4f 01 1234", true)},
		{"3/token length 9 is a format error", malformed("49 01 1234 010203040506070809", true)},
		{"3/empty payload is a format error", malformed("40 01 1234 ff", true)},
		{"3.1/option delta 15 is a format error", malformed("40 01 1234 f1 00", true)},
		{"3.1/option length 15 is a format error", malformed("40 01 1234 1f 00", true)},
		{"4.1/Empty message with a token is a format error", malformed("41 00 1234 00", true)},
		{"4.1/Empty message with a payload is a format error", malformed("40 00 1234 ff 00", true)},
		{"4.2/reserved class 1 is rejected", malformed("40 21 1234", true)},
		{"4.2/reserved class 6 is rejected", malformed("40 c1 1234", true)},
		{"4.2/reserved class 7 is rejected", malformed("40 e1 1234", true)},
		{"4.2/malformed ACK is ignored", malformed("6f 45 1234", false)},
		{"4.2/malformed RST is ignored", malformed("70 21 1234", false)},
		{"4.3/malformed NON is ignored", malformed("50 21 1234", false)},
		{"4.2/ACK and RST echo the message ID", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			b.h.serve = content("x")
			b.put(request(Confirmable, GET, 0xbeef, "/a"))
			b.expect(Message{Type: Acknowledgement, Code: Content, MessageID: 0xbeef, Token: tok})
			b.put(Message{Type: Confirmable, MessageID: 0xf00d})
			b.expect(Message{Type: Reset, MessageID: 0xf00d})
		}},
		{"4.3/ping is answered by RST", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			b.put(Message{Type: Confirmable, MessageID: 7})
			b.expect(Message{Type: Reset, MessageID: 7})
			b.silent()
		}},
		{"4.3/Empty NON is ignored", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			b.put(Message{Type: NonConfirmable, MessageID: 7})
			b.silent()
		}},
		{"4.3/NON is not acknowledged", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			b.h.serve = func(r *Request) {}
			b.put(request(NonConfirmable, GET, 7, "/a"))
			b.sleep(time.Minute)
			b.silent()
		}},
		{"4.2/request in an ACK is ignored", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			b.put(request(Acknowledgement, GET, 7, "/a"))
			b.put(request(Reset, GET, 8, "/a"))
			b.silent()
			if b.h.calls != 0 {
				t.Error("it was served")
			}
		}},
		{"4.2/unknown ACK and RST are ignored", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			b.put(Message{Type: Acknowledgement, MessageID: 7})
			b.put(Message{Type: Reset, MessageID: 7})
			b.put(Message{Type: Acknowledgement, Code: Content, MessageID: 7, Token: tok})
			b.silent()
			if n := b.c.Stats().Ignored; n != 3 {
				t.Errorf("%d ignored, want 3", n)
			}
		}},
	})
}

func TestRFC7252Reliability(t *testing.T) {
	check(t, []rule{
		{"4.2/retransmission doubles and gives up", func(t *testing.T) {
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
				wantErr(t, o.one(t).Err, ErrTimeout)
				// Sent at 0, T, 3T, 7T, 15T, given up at 31T, with 2 s <= T <= 3 s.
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
			if r := o.one(t); r.Code != Content || o.bodies[0] != "late" {
				t.Errorf("%+v", r)
			}
			b.clean()
		}},
		{"4.2/RST ends the retransmission", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			_, o := b.get("/a")
			m := b.take()
			b.put(Message{Type: Reset, MessageID: m.MessageID})
			wantErr(t, o.one(t).Err, ErrReset)
			b.sleep(time.Hour)
			b.silent()
			b.clean()
		}},
		{"4.2/response ends the retransmission", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			_, o := b.get("/a")
			m := b.take()
			b.put(Message{Type: NonConfirmable, Code: NotFound, MessageID: 3, Token: m.Token})
			if r := o.one(t); r.Code != NotFound || r.Err != nil {
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
			b.expect(Message{Type: Confirmable, Code: GET}) // the first keeps its parameters
			b.sleep(2 * time.Second)
			wantErr(t, o.one(t).Err, ErrTimeout)
			b.sleep(6999 * time.Millisecond)
			b.silent()
			if len(p.results) != 0 {
				t.Error("the second ended early")
			}
			b.sleep(time.Millisecond)
			wantErr(t, p.one(t).Err, ErrTimeout)
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
				o.one(t)
			}
			if len(used) != 1<<16 {
				t.Errorf("%d of 65536 message IDs were used", len(used))
			}
			b.clean()
		}},
		{"4.5/repeated CON is answered alike and served once", func(t *testing.T) {
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
		{"4.5/repeated CON that is being worked on is acknowledged", func(t *testing.T) {
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
			o.one(t)
		}},
		{"4.7/NSTART bounds what is outstanding", func(t *testing.T) {
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
					outs[i].one(t)
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
				"MAX_TRANSMIT_SPAN": {p.MaxTransmitSpan(), 45 * time.Second},
				"MAX_TRANSMIT_WAIT": {p.MaxTransmitWait(), 93 * time.Second},
				"EXCHANGE_LIFETIME": {p.ExchangeLifetime(), 247 * time.Second},
				"NON_LIFETIME":      {p.NonLifetime(), 145 * time.Second},
			} {
				if d[0] != d[1] {
					t.Errorf("%s is %v, want %v", name, d[0], d[1])
				}
			}
		}},
	})
}

func TestRFC7252Requests(t *testing.T) {
	check(t, []rule{
		{"5.2.1/piggybacked response", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			b.h.serve = content("22.5")
			b.put(request(Confirmable, GET, 1, "/3303/0/5700"))
			b.expect(Message{Type: Acknowledgement, Code: Content, MessageID: 1, Token: tok, Payload: []byte("22.5")})
			b.silent()
			b.clean()
		}},
		{"5.2.2/separate response", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			var held *Request
			b.h.serve = func(r *Request) { held = r }
			m := request(Confirmable, PUT, 1, "/a")
			m.Payload = []byte("body")
			b.put(m)
			b.sleep(249 * time.Millisecond)
			b.silent()
			b.sleep(time.Millisecond)
			b.expect(Message{Type: Acknowledgement, MessageID: 1})
			clear(b.e.in)
			if string(held.Body()) != "body" || string(held.Options().AppendPath(nil)) != "/a" {
				t.Error("the request has changed while it was worked on")
			}
			content("x")(held)
			got := b.expect(Message{Type: Confirmable, Code: Content, Token: tok, Payload: []byte("x")})
			wantErr(t, held.Respond(&Response{Code: Content}), ErrAnswered)
			b.sleep(4 * time.Second)
			b.expect(Message{Type: Confirmable, Code: Content, MessageID: got.MessageID, Token: tok, Payload: []byte("x")})
			b.put(Message{Type: Acknowledgement, MessageID: got.MessageID})
			b.sleep(time.Hour)
			b.silent()
			b.clean()
		}},
		{"5.2.2/acknowledged at once when asked for", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			b.h.serve = func(r *Request) {
				r.Acknowledge()
				r.Acknowledge()
				resp := Response{Code: Changed, NonConfirmable: true}
				if err := r.Respond(&resp); err != nil {
					t.Error(err)
				}
				wantErr(t, r.Respond(&resp), ErrAnswered)
			}
			b.put(request(Confirmable, PUT, 1, "/a"))
			b.expect(Message{Type: Acknowledgement, MessageID: 1})
			b.expect(Message{Type: NonConfirmable, Code: Changed, Token: tok})
			b.silent()
			b.clean()
		}},
		{"5.2.2/response before its acknowledgement", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			_, o := b.get("/a")
			m := b.take()
			b.put(Message{Type: Confirmable, Code: Content, MessageID: 5, Token: m.Token})
			b.expect(Message{Type: Acknowledgement, MessageID: 5})
			o.one(t)
			b.put(Message{Type: Acknowledgement, MessageID: m.MessageID})
			b.sleep(time.Hour)
			b.silent()
			b.clean()
		}},
		{"5.2.3/NON request is answered by NON", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			b.h.serve = content("x")
			b.put(request(NonConfirmable, GET, 1, "/a"))
			m := b.expect(Message{Type: NonConfirmable, Code: Content, Token: tok})
			if m.MessageID == 1 {
				t.Log("the message ID happens to be the request's")
			}
			b.silent()
			b.clean()
		}},
		{"5.3.1/token is echoed", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			b.h.serve = content("x")
			for i, token := range []string{"", "a", "12345678"} {
				m := request(Confirmable, GET, uint16(i+1), "/a")
				m.Token = []byte(token)
				b.put(m)
				if got := b.take(); string(got.Token) != token {
					t.Errorf("token %q for %q", got.Token, token)
				}
			}
		}},
		{"5.3.1/tokens are not guessable", func(t *testing.T) {
			b := newBench(t, ConnConfig{Params: Params{NStart: 1000}})
			seen := map[string]bool{}
			for range 1000 {
				b.get("/a")
				m := b.take()
				seen[string(m.Token)] = true
				if len(m.Token) < 4 {
					t.Fatalf("token %x has less than 32 bits", m.Token)
				}
			}
			if len(seen) != 1000 {
				t.Errorf("%d different tokens of 1000", len(seen))
			}
		}},
		{"5.3.2/piggybacked response with another token is ignored", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			_, o := b.get("/a")
			m := b.take()
			b.put(Message{Type: Acknowledgement, Code: Content, MessageID: m.MessageID, Token: tok})
			b.put(Message{Type: Acknowledgement, Code: Content, MessageID: m.MessageID + 1, Token: m.Token})
			b.silent()
			if len(o.results) != 0 {
				t.Fatal("a forged response was taken")
			}
			b.sleep(3 * time.Second)
			b.expect(Message{Type: Confirmable, Code: GET, MessageID: m.MessageID})
			b.put(Message{Type: Acknowledgement, Code: Content, MessageID: m.MessageID, Token: m.Token})
			o.one(t)
			b.clean()
		}},
		{"5.3.2/unknown CON response is rejected", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			for range 2 {
				b.put(Message{Type: Confirmable, Code: Content, MessageID: 5, Token: tok})
				b.expect(Message{Type: Reset, MessageID: 5})
			}
			b.put(Message{Type: NonConfirmable, Code: Content, MessageID: 6, Token: tok})
			b.silent()
		}},
		{"5.4.1/critical option in a CON request is 4.02", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			m := request(Confirmable, GET, 1, "/a")
			m.Options.AddString(65001, "?")
			b.put(m)
			b.expect(Message{Type: Acknowledgement, Code: BadOption, MessageID: 1, Token: tok,
				Payload: []byte("critical option 65001 is not understood")})
			if b.h.calls != 0 {
				t.Error("it was served")
			}
			b.clean()
		}},
		{"5.4.1/critical option in a NON request is rejected", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			m := request(NonConfirmable, GET, 1, "/a")
			m.Options.AddString(65001, "?")
			b.put(m)
			b.silent()
			if b.h.calls != 0 {
				t.Error("it was served")
			}
			b.clean()
		}},
		{"5.4.1/elective option is ignored", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			b.h.serve = content("x")
			m := request(Confirmable, GET, 1, "/a")
			m.Options.AddString(65000, "?")
			b.put(m)
			b.expect(Message{Type: Acknowledgement, Code: Content, MessageID: 1})
		}},
		{"5.4.1/known critical option reaches the handler", func(t *testing.T) {
			b := newBench(t, ConnConfig{Critical: []OptionID{65001}})
			b.h.serve = content("x")
			m := request(Confirmable, GET, 1, "/a")
			m.Options.AddString(65001, "?")
			b.put(m)
			b.expect(Message{Type: Acknowledgement, Code: Content, MessageID: 1})
		}},
		{"5.4.1/critical option in a response rejects it", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			for _, kind := range []Type{Confirmable, NonConfirmable, Acknowledgement} {
				_, o := b.get("/a")
				m := b.take()
				resp := Message{Type: kind, Code: Content, MessageID: 900 + uint16(kind), Token: m.Token}
				if kind == Acknowledgement {
					resp.MessageID = m.MessageID
				}
				resp.Options.AddString(65001, "?")
				b.put(resp)
				if kind == Confirmable {
					b.expect(Message{Type: Reset, MessageID: 900})
				}
				b.silent()
				wantErr(t, o.one(t).Err, ErrBadOption)
			}
			b.clean()
		}},
		{"5.4.5/repeated critical option is 4.02", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			m := request(Confirmable, GET, 1, "/a")
			m.Options.AddUint(OptionAccept, 1)
			m.Options.AddUint(OptionAccept, 2)
			b.put(m)
			b.expect(Message{Type: Acknowledgement, Code: BadOption, MessageID: 1})
		}},
		{"5.7.2/proxy request is 5.05", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			for i, id := range []OptionID{OptionProxyURI, OptionProxyScheme} {
				m := request(Confirmable, GET, uint16(i+1), "")
				m.Options.AddString(id, "coap")
				b.put(m)
				b.expect(Message{Type: Acknowledgement, Code: ProxyingNotSupported})
			}
		}},
		{"5.8/unknown method is 4.05", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			b.put(request(Confirmable, MakeCode(0, 31), 1, "/a"))
			b.expect(Message{Type: Acknowledgement, Code: MethodNotAllowed, MessageID: 1})
			if b.h.calls != 0 {
				t.Error("it was served")
			}
		}},
		{"5.9/unknown response code reaches the caller", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			_, o := b.get("/a")
			m := b.take()
			b.put(Message{Type: Acknowledgement, Code: MakeCode(4, 30), MessageID: m.MessageID, Token: m.Token})
			if r := o.one(t); r.Code.Class() != 4 {
				t.Errorf("%+v", r)
			}
		}},
		{"none/no handler", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			b.c.cfg.Handler = nil
			b.put(request(Confirmable, GET, 1, "/a"))
			b.expect(Message{Type: Acknowledgement, Code: NotFound, MessageID: 1})
			b.clean()
		}},
	})
}

func TestRFC7967(t *testing.T) {
	check(t, []rule{
		{"2/suppressed response", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			b.h.serve = content("x")
			for i, kind := range []Type{Confirmable, NonConfirmable} {
				for j, value := range []uint32{2, 8} {
					m := request(kind, GET, uint16(10*i+j+1), "/a")
					m.Options.AddUint(OptionNoResponse, value)
					b.put(m)
					switch {
					case value == 8 && kind == Confirmable:
						b.expect(Message{Type: Acknowledgement, Code: Content})
					case value == 8:
						b.expect(Message{Type: NonConfirmable, Code: Content})
					case kind == Confirmable:
						// The message is acknowledged all the same.
						b.expect(Message{Type: Acknowledgement})
					}
					b.silent()
				}
			}
			if b.h.calls != 4 {
				t.Errorf("served %d times", b.h.calls)
			}
			b.clean()
		}},
	})
}

func TestSocketErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, ConnConfig{})
		for _, err := range []error{socket.ErrBusy, socket.ErrRefused, socket.ErrUnreachable} {
			b.w.err = fmt.Errorf("sending: %w", err)
			_, o := b.get("/a")
			b.w.err = nil
			b.sleep(3 * time.Second)
			m := b.expect(Message{Type: Confirmable, Code: GET}) // as if lost on its way
			b.put(Message{Type: Acknowledgement, Code: Content, MessageID: m.MessageID, Token: m.Token})
			o.one(t)
		}
		b.w.err = socket.ErrClosed
		_, o := b.get("/a")
		wantErr(t, o.one(t).Err, socket.ErrClosed)
		b.w.err = socket.ErrUnreachable
		_, o = b.get("/a")
		b.sleep(100 * time.Second)
		wantErr(t, o.one(t).Err, ErrTimeout)
		wantErr(t, o.one(t).Err, socket.ErrUnreachable)
		b.clean()
		if n := b.c.Stats().SendErrors; n < 5 {
			t.Errorf("%d errors counted", n)
		}
	})
}

func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, ConnConfig{Params: Params{NStart: 2}})
		var order []int
		for i := range 4 {
			err := b.c.Do(&Call{Code: GET, Done: func(r Result) {
				wantErr(t, r.Err, ErrClosed)
				order = append(order, i)
				wantErr(t, b.c.Do(&Call{Code: GET, Done: func(Result) {}}), ErrClosed)
				b.c.Close(nil)
			}})
			if err != nil {
				t.Fatal(err)
			}
		}
		var held *Request
		b.h.serve = func(r *Request) { held = r }
		b.put(request(Confirmable, GET, 1, "/a"))
		reason := errors.New("enough")
		b.c.Close(reason)
		wantErr(t, b.c.Closed(), reason)
		if !slices.Equal(order, []int{0, 1, 2, 3}) {
			t.Errorf("outcomes in order %v", order)
		}
		wantErr(t, held.Respond(&Response{Code: Content}), ErrAnswered)
		b.w.sent = nil
		b.put(request(Confirmable, GET, 2, "/a"))
		b.c.Handle(unhex(t, "40 01 0001"))
		b.sleep(time.Hour)
		b.silent()
		b.clean()
		if b.e.Memory() != 0 || b.s.Len() != 0 {
			t.Errorf("%d bytes and %d jobs are left", b.e.Memory(), b.s.Len())
		}
	})
}

func TestCloseInHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, ConnConfig{})
		b.h.serve = func(r *Request) {
			r.Conn().Close(nil)
			wantErr(t, r.Respond(&Response{Code: Content}), ErrClosed)
			if n, err := r.Conn().Receive(1); n != 0 || err != nil {
				t.Errorf("Receive in a handler took %d, %v", n, err)
			}
		}
		b.put(request(Confirmable, GET, 1, "/a"))
		b.silent()
		b.clean()
	})
}

func TestWrongAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, ConnConfig{})
		var tooLong Options
		tooLong.Add(OptionETag, make([]byte, maxOptionValue+1))
		for i, c := range []struct {
			resp Response
			want error
		}{
			{Response{Code: GET}, ErrUsage},
			{Response{}, ErrUsage},
			{Response{Code: CSM}, ErrUsage},
			{Response{Code: Content, Options: tooLong}, ErrEncode},
		} {
			b.h.serve = func(r *Request) { wantErr(t, r.Respond(&c.resp), c.want) }
			b.put(request(Confirmable, GET, uint16(i+1), "/a"))
			b.expect(Message{Type: Acknowledgement, Code: InternalServerError})
		}
		b.clean()
	})
}

func TestConfigErrors(t *testing.T) {
	if _, err := NewEndpoint(Config{}); err == nil {
		t.Error("an endpoint without a scheduler")
	}
	e := newEndpoint(t, 1)
	if _, err := NewEndpoint(Config{Scheduler: e.sched, MaxMemory: -1}); err == nil {
		t.Error("a negative bound of memory")
	}
	for _, cfg := range []ConnConfig{
		{}, {Socket: &wire{}, BlockSize: 100}, {Socket: &wire{}, BlockSize: 2048}, {Socket: &wire{}, MaxToken: 4},
		{Socket: &wire{}, Params: Params{MaxRetransmit: 30}}, {Socket: &wire{}, MaxQueue: -1}, {Socket: &wire{}, MaxMessage: 100},
	} {
		if _, err := e.NewConn(cfg); err == nil {
			t.Errorf("%+v was taken", cfg)
		}
	}
	b := newBench(t, ConnConfig{})
	done := func(Result) { t.Error("an outcome of a call that was refused") }
	for _, call := range []*Call{
		{Code: GET}, {Code: Content, Done: done}, {Done: done}, {Code: PUT, Done: done, Observe: done},
	} {
		wantErr(t, b.c.Do(call), ErrUsage)
	}
	call, _ := b.get("/a")
	wantErr(t, b.c.Do(call), ErrUsage)
	wantErr(t, call.Deregister(done), ErrUsage)
	call.Cancel()
	b.clean()
}
