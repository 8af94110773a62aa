package coap

import (
	"bytes"
	"testing"

	"github.com/lwm2mgen/toolkit/net/socket"
)

func TestRFC9175(t *testing.T) {
	check(t, []rule{
		{"2.3/request is repeated once with Echo", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			_, o := b.get("/a")
			for range 2 {
				m := b.take()
				b.put(Message{Type: Acknowledgement, Code: Unauthorized, MessageID: m.MessageID, Token: m.Token,
					Options: options(OptionEcho, "fresh")})
				if len(o.results) == 0 {
					b.expect(Message{Type: Confirmable, Code: GET, Options: options(OptionEcho, "fresh")})
					b.w.sent = append(b.w.sent, nil)[:0]
					next := b.c.datagrams.oldest(nil)
					b.put(Message{Type: Acknowledgement, Code: Unauthorized, MessageID: next.mid, Token: m.Token,
						Options: options(OptionEcho, "again")})
					break
				}
			}
			if r := o.onlyResult(t); r.Code != Unauthorized {
				t.Errorf("%+v", r)
			}
			b.clean()
		}},
		{"3.3/concurrent bodies to one resource have different Request-Tags", func(t *testing.T) {
			b := newBench(t, ConnConfig{BlockSize: 64, Params: Params{NStart: 2}})
			var tags []string
			o := &outcome{}
			for range 2 {
				call := &Call{Code: PUT, Body: pattern(100), Done: o.add}
				call.Options.AddPath("/a")
				if err := b.c.Do(call); err != nil {
					t.Fatal(err)
				}
				m := b.take()
				tag, _ := m.Options.Get(OptionRequestTag)
				tags = append(tags, string(tag))
			}
			if tags[0] == tags[1] {
				t.Errorf("both have the tag %x", tags[0])
			}
			b.c.Close(nil)
			b.clean()
		}},
		{"3.3/server tells transfers apart by Request-Tag", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			var bodies []string
			b.h.serve = func(r *Request) { bodies = append(bodies, string(r.Body())); content("")(r) }
			tagged := func(m Message, tag string) Message { m.Options.AddString(OptionRequestTag, tag); return m }
			b.put(tagged(put1(1, 0, true, 0, []byte("aaaaaaaaaaaaaaaa")), "1"))
			b.put(tagged(put1(2, 0, true, 0, []byte("bbbbbbbbbbbbbbbb")), "2"))
			b.put(tagged(put1(3, 1, false, 0, []byte("a")), "1"))
			b.put(tagged(put1(4, 1, false, 0, []byte("b")), "2"))
			if len(bodies) != 2 || bodies[0] != "aaaaaaaaaaaaaaaaa" || bodies[1] != "bbbbbbbbbbbbbbbbb" {
				t.Errorf("bodies %q", bodies)
			}
			b.clean()
		}},
	})
}

func TestRFC8974(t *testing.T) {
	check(t, []rule{
		{"2.1/extended tokens are echoed if configured", func(t *testing.T) {
			b := newBench(t, ConnConfig{MaxToken: 300})
			b.h.serve = content("x")
			for i, n := range []int{9, 12, 13, 268, 269, 300} {
				m := request(Confirmable, GET, uint16(i+1), "/a")
				m.Token = pattern(n)
				b.put(m)
				b.expect(Message{Type: Acknowledgement, Code: Content, Token: pattern(n)})
			}
			m := request(Confirmable, GET, 99, "/a")
			m.Token = pattern(301)
			b.put(m)
			b.expect(Message{Type: Reset, MessageID: 99})
			b.clean()
		}},
		{"2.2.2/extended tokens are a format error otherwise", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			m := request(Confirmable, GET, 99, "/a")
			m.Token = pattern(13)
			b.put(m)
			b.expect(Message{Type: Reset, MessageID: 99})
		}},
	})
}

func TestRFC8132(t *testing.T) {
	check(t, []rule{
		{"2/FETCH, PATCH and iPATCH reach the handler", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			var codes []Code
			b.h.serve = func(r *Request) { codes = append(codes, r.Code()); content(string(r.Body()))(r) }
			for i, code := range []Code{FETCH, PATCH, IPATCH} {
				m := request(Confirmable, code, uint16(i+1), "/a")
				m.Payload = []byte("body")
				b.put(m)
				b.expect(Message{Type: Acknowledgement, Code: Content, Payload: []byte("body")})
			}
			if len(codes) != 3 || codes[0] != FETCH || codes[2] != IPATCH {
				t.Errorf("%v", codes)
			}
		}},
		{"2.1/FETCH with another body is a different request", func(t *testing.T) {
			p := newDuo(t, socket.Datagram, ConnConfig{BlockSize: 64})
			p.b.h.serve = func(r *Request) { content(string(bytes.Repeat(r.Body(), 100)))(r) }
			for _, body := range []string{"a", "b"} {
				o := &outcome{}
				if err := p.a.c.Do(&Call{Code: FETCH, Body: []byte(body), Done: o.add}); err != nil {
					t.Fatal(err)
				}
				p.run()
				if o.onlyResult(t); o.bodies[0] != string(bytes.Repeat([]byte(body), 100)) {
					t.Errorf("%q", o.bodies[0])
				}
			}
		}},
	})
}
