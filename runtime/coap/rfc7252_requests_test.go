package coap

import (
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/sched"
)

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
		{"5.2.2/handler acknowledges at once", func(t *testing.T) {
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
			o.onlyResult(t)
			b.put(Message{Type: Acknowledgement, MessageID: m.MessageID})
			b.sleep(time.Hour)
			b.silent()
			b.clean()
		}},
		{"5.2.3/NON request is answered by NON", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			b.h.serve = content("x")
			b.put(request(NonConfirmable, GET, 1, "/a"))
			b.expect(Message{Type: NonConfirmable, Code: Content, Token: tok})
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
			const endpoints, each = 4, 250
			seen := map[string]bool{}
			for range endpoints { // each process draws a different seed
				e, err := NewEndpoint(Config{Scheduler: sched.New()})
				if err != nil {
					t.Fatal(err)
				}
				b := &bench{t: t, w: &wire{mtu: 1232}, e: e, s: e.sched, h: &script{}}
				b.start(ConnConfig{Params: Params{NStart: each}})
				for range each {
					b.get("/a")
					m := b.take()
					seen[string(m.Token)] = true
					if len(m.Token) != 8 {
						t.Fatalf("token %x has not 64 bits", m.Token)
					}
				}
			}
			if len(seen) != endpoints*each {
				t.Errorf("%d different tokens of %d", len(seen), endpoints*each)
			}
			var ones [64]int // of each bit of the tokens
			for token := range seen {
				for i := range ones {
					ones[i] += int(token[i/8] >> (i % 8) & 1)
				}
			}
			for i, n := range ones {
				if n < endpoints*each*4/10 || n > endpoints*each*6/10 {
					t.Errorf("bit %d is set in %d of %d tokens", i, n, len(seen))
				}
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
			o.onlyResult(t)
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
		{"5.4.1/response with a critical option is rejected", func(t *testing.T) {
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
				wantErr(t, o.onlyResult(t).Err, ErrBadOption)
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
			b.put(request(Confirmable, 31, 1, "/a"))
			b.expect(Message{Type: Acknowledgement, Code: MethodNotAllowed, MessageID: 1})
			if b.h.calls != 0 {
				t.Error("it was served")
			}
		}},
		{"5.9/unknown response code reaches the caller", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			_, o := b.get("/a")
			m := b.take()
			b.put(Message{Type: Acknowledgement, Code: 4<<5 | 30, MessageID: m.MessageID, Token: m.Token})
			if r := o.onlyResult(t); r.Code.Class() != 4 {
				t.Errorf("%+v", r)
			}
		}},
		{"none/no handler is 4.04", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			b.c.cfg.Handler = nil
			b.put(request(Confirmable, GET, 1, "/a"))
			b.expect(Message{Type: Acknowledgement, Code: NotFound, MessageID: 1})
			b.clean()
		}},
	})
}
