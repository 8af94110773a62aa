package coap

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
)

func req(code Code, path string) Message {
	m := request(0, code, 0, path)
	return m
}

func TestRFC8323(t *testing.T) {
	big := []any{csmMaxMessageSize, "\x10\x00", csmBlockWise, ""}
	// hello sends the CSM of a peer that accepts 4096 bytes.
	hello := func(t *testing.T, cfg ConnConfig) *bench { return newStreamBench(t, cfg, big...) }
	aborted := func(b *bench, err error, want error) {
		b.t.Helper()
		wantErr(b.t, err, want)
		b.expect(Message{Code: Abort})
		wantErr(b.t, b.c.Closed(), want)
		b.clean()
	}
	check(t, []rule{
		{"5.3/CSM is the first message", func(t *testing.T) {
			b := newStreamBench(t, ConnConfig{MaxToken: 20})
			m := b.expect(Message{Code: CSM})
			if v, _ := m.Options.Uint(csmMaxMessageSize); v != 64<<10 || !m.Options.Has(csmBlockWise) {
				t.Errorf("%x", m.Options.raw)
			}
			if v, _ := m.Options.Uint(csmTokenLength); v != 20 {
				t.Errorf("Extended-Token-Length %d", v)
			}
			b.silent()
		}},
		{"5.3/another first message is an error", func(t *testing.T) {
			for _, m := range []Message{req(GET, "/a"), {Code: Ping}} {
				b := newStreamBench(t, ConnConfig{})
				b.take()
				aborted(b, b.put(m), ErrFormat)
				if b.h.calls != 0 {
					t.Error("it was served")
				}
			}
		}},
		{"5.3/first bytes of another protocol are an error that names it", func(t *testing.T) {
			for first, want := range map[string]string{
				"\x15\x03\x01\x00\x02\x02\x46": "its port is one for coaps+tcp",
				"\x16\x03\x03\x00\x04":         "its port is one for coaps+tcp",
				"HTTP/1.1 400 Bad Request\r\n": "the peer is probably no CoAP server",
				"\x00\x45":                     "the peer is probably no CoAP server",
			} {
				b := newStreamBench(t, ConnConfig{})
				b.take()
				err := b.putBytes([]byte(first))
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%q: %v, want %q", first, err, want)
				}
				aborted(b, err, ErrFormat)
			}
		}},
		{"5.3/end before the peer's CSM", func(t *testing.T) {
			for _, end := range []error{io.EOF, socket.ErrReset} {
				b := newStreamBench(t, ConnConfig{})
				b.w.end = end
				_, err := b.c.Receive(1)
				if !errors.Is(err, end) || !strings.Contains(err.Error(), "it may expect TLS (coaps+tcp)") {
					t.Errorf("before the CSM: %v", err)
				}
				b = hello(t, ConnConfig{})
				b.w.end = end
				if _, err := b.c.Receive(1); err != end {
					t.Errorf("after the CSM: %v, want %v as it is", err, end)
				}
			}
		}},
		{"5.3/critical option in a CSM is an error", func(t *testing.T) {
			b := newStreamBench(t, ConnConfig{})
			b.take()
			err := b.put(Message{Code: CSM, Options: options(OptionID(9), "x")})
			wantErr(t, err, ErrFormat)
			b.expect(Message{Code: Abort, Options: options(abortBadCSM, "\x09")})
		}},
		{"5.3/elective options are ignored and settings accumulate", func(t *testing.T) {
			b := newStreamBench(t, ConnConfig{}, csmMaxMessageSize, "\x10\x00", OptionID(8), "x")
			if p := b.c.stream.peer; !p.announced || p.maxMessage != 4096 || p.blockWise {
				t.Errorf("%+v", p)
			}
			b.put(Message{Code: CSM, Options: options(csmBlockWise, "")})
			if p := b.c.stream.peer; p.maxMessage != 4096 || !p.blockWise {
				t.Errorf("%+v", p)
			}
			b.silent()
		}},
		{"5.3.1/request waits for the peer's settings if its size depends on them", func(t *testing.T) {
			for _, c := range []struct {
				csm  []any
				want Options // of the first message
			}{
				{[]any{csmMaxMessageSize, "\x04\x80"}, block(OptionBlock1, 0, true, 6)},
				{[]any{csmMaxMessageSize, "\x04\x80", csmBlockWise, ""}, block(OptionBlock1, 0, true, 6)},
				{[]any{csmMaxMessageSize, "\x01\x00"}, block(OptionBlock1, 0, true, 3)},
				{[]any{csmMaxMessageSize, "\x00\x80"}, block(OptionBlock1, 0, true, 2)},
				{[]any{csmMaxMessageSize, "\x0a\x00", csmBlockWise, ""}, block(OptionBlock1, 0, true, BERT)},
				{[]any{csmMaxMessageSize, "\x10\x00", csmBlockWise, ""}, Options{}},
				{[]any{csmMaxMessageSize, "\x10\x00"}, Options{}},
			} {
				for _, others := range []int{0, 3} {
					b := newStreamBench(t, ConnConfig{})
					b.take()
					o := &outcome{}
					for range others + 1 {
						if err := b.c.Do(&Call{Code: PUT, Body: pattern(3000), Done: o.add}); err != nil {
							t.Fatal(err)
						}
					}
					_, small := b.get("/small") // every peer accepts it
					b.expect(Message{Code: GET})
					b.silent()
					b.sleep(time.Second)
					b.put(Message{Code: CSM, Options: options(c.csm...)})
					limit := b.c.stream.peer.maxMessage
					for range others + 1 {
						m := b.expect(Message{Code: PUT, Options: c.want})
						if n := lenTCP(m); n > limit || c.want.Len() == 0 && m.Options.Has(OptionBlock1) {
							t.Errorf("%x: %d bytes, the peer accepts %d", c.csm, n, limit)
						}
					}
					b.silent()
					b.c.Close(nil)
					if len(o.results) != others+1 || len(small.results) != 1 {
						t.Errorf("%d outcomes", len(o.results))
					}
					b.clean()
				}
			}
		}},
		{"5.3.1/peer that announces nothing", func(t *testing.T) {
			b := newStreamBench(t, ConnConfig{MaxQueue: 2, Params: Params{ResponseTimeout: time.Minute}})
			b.take()
			o := &outcome{}
			calls := []*Call{{Code: PUT, Body: pattern(3000), Done: o.add}, {Code: PUT, Body: pattern(3000), Done: o.add}}
			for _, call := range calls {
				if err := b.c.Do(call); err != nil {
					t.Fatal(err)
				}
			}
			wantErr(t, b.c.Do(&Call{Code: PUT, Body: pattern(3000), Done: o.add}), ErrBusy)
			calls[1].Cancel()
			b.sleep(time.Minute)
			b.silent()
			if len(o.results) != 2 {
				t.Fatalf("%d outcomes", len(o.results))
			}
			wantErr(t, o.results[0].Err, ErrCancelled)
			wantErr(t, o.results[1].Err, ErrTimeout)
			b.clean()
		}},
		{"5.3.1/resumed observation waits for the peer's settings", func(t *testing.T) {
			b, ends := hello(t, ConnConfig{}), &cancels{}
			var old *Observation
			b.h.serve = func(r *Request) { old, _ = r.RespondObserve(&Response{Code: Content}, ends) }
			b.put(Message{Code: GET, Token: tok, Options: options(OptionObserve, "")})
			b.take()
			b.c.Close(nil)
			b.start(ConnConfig{})
			b.take()
			o, err := b.c.Resume(old)
			if err != nil {
				t.Fatal(err)
			}
			if err := o.Notify(note(string(pattern(3000)), false, nil)); err != nil {
				t.Fatal(err)
			}
			b.silent()
			b.put(Message{Code: CSM, Options: options(csmMaxMessageSize, "\x10\x00")})
			b.expect(Message{Code: Content, Payload: pattern(3000)})
		}},
		{"3.2/messages in pieces", func(t *testing.T) {
			b := hello(t, ConnConfig{})
			b.h.serve = func(r *Request) { content(string(r.Body()))(r) }
			var all []byte
			for i := range 3 {
				m := req(POST, "/a")
				m.Payload = pattern(500 * (i + 1))
				all, _ = m.AppendTCP(all)
			}
			for _, step := range []int{1, 7, 400, len(all)} {
				for i := 0; i < len(all); i += step {
					if err := b.putBytes(bytes.Clone(all[i:min(i+step, len(all))])); err != nil {
						t.Fatal(err)
					}
				}
				for i := range 3 {
					b.expect(Message{Code: Content, Token: tok, Payload: pattern(500 * (i + 1))})
				}
				b.clean()
			}
		}},
		{"3.3/no acknowledgements and no retransmissions", func(t *testing.T) {
			b := hello(t, ConnConfig{})
			var held *Request
			b.h.serve = func(r *Request) { held = r }
			b.put(req(GET, "/a"))
			held.Acknowledge()
			b.sleep(time.Hour)
			b.silent()
			content("late")(held)
			b.expect(Message{Code: Content, Token: tok, Payload: []byte("late")})
			_, o := b.get("/b")
			m := b.expect(Message{Code: GET})
			b.sleep(time.Minute)
			b.silent()
			b.put(Message{Code: Content, Token: m.Token, Payload: []byte("x")})
			o.onlyResult(t)
			_, o = b.get("/c")
			b.sleep(time.Hour)
			wantErr(t, o.onlyResult(t).Err, ErrTimeout)
			b.put(Message{Code: Content, Token: tok}) // matches no request
			b.clean()
		}},
		{"3.4/Empty message is ignored", func(t *testing.T) {
			b := hello(t, ConnConfig{})
			if err := b.put(Message{}); err != nil {
				t.Fatal(err)
			}
			b.silent()
			b.h.serve = content("x")
			b.put(req(GET, "/a"))
			b.expect(Message{Code: Content, Token: tok})
			b.clean()
		}},
		{"5.2/message that is too large ends the connection", func(t *testing.T) {
			b := hello(t, ConnConfig{MaxMessage: 2000})
			aborted(b, b.putBytes(unhex(t, "e1 0800 01 ca")), ErrFormat)
		}},
		{"3.2/format error ends the connection", func(t *testing.T) {
			for _, wire := range []string{"0f01", "1001ff", "0021"} {
				b := hello(t, ConnConfig{})
				aborted(b, b.putBytes(unhex(t, wire)), ErrFormat)
			}
		}},
		{"5.3.1/no message is larger than the peer announced", func(t *testing.T) {
			// 1152 bytes, no block-wise transfer.
			b := newStreamBench(t, ConnConfig{}, csmMaxMessageSize, "\x04\x80")
			o := &outcome{}
			if err := b.c.Do(&Call{Code: PUT, Body: pattern(3000), Done: o.add}); err != nil {
				t.Fatal(err)
			}
			m := b.expect(Message{Code: PUT, Options: block(OptionBlock1, 0, true, 6)})
			if n := lenTCP(m); n > 1152 {
				t.Errorf("%d bytes", n)
			}
			b.c.Close(nil)
		}},
		{"5.4/Ping is answered by Pong", func(t *testing.T) {
			b := hello(t, ConnConfig{})
			b.put(Message{Code: Ping, Token: tok, Options: options(pingCustody, "")})
			b.expect(Message{Code: Pong, Token: tok, Options: options(pingCustody, "")})
			var results []error
			for range 2 {
				if err := b.c.Ping(func(err error) { results = append(results, err) }); err != nil {
					t.Fatal(err)
				}
			}
			m := b.expect(Message{Code: Ping})
			b.take()
			b.put(Message{Code: Pong, Token: m.Token})
			b.put(Message{Code: Pong, Token: tok})
			b.sleep(time.Hour)
			if len(results) != 2 || results[0] != nil || !errors.Is(results[1], ErrTimeout) {
				t.Errorf("%v", results)
			}
			b.c.Ping(func(err error) { results = append(results, err) })
			b.c.Close(nil)
			if len(results) != 3 || !errors.Is(results[2], ErrClosed) {
				t.Errorf("%v", results)
			}
		}},
		{"5.5/Release lets outstanding requests end", func(t *testing.T) {
			b := hello(t, ConnConfig{})
			b.h.serve = content("x")
			_, o := b.get("/a")
			m := b.take()
			both, _ := (&Message{Code: Release}).AppendTCP(nil)
			r := req(GET, "/a")
			both, _ = r.AppendTCP(both)
			wantErr(t, b.putBytes(both), ErrReleased)
			b.expect(Message{Code: Content})
			if !b.c.stream.peer.released {
				t.Error("not noted")
			}
			wantErr(t, b.c.Do(&Call{Code: GET, Done: o.add}), ErrReleased)
			b.put(Message{Code: Content, Token: m.Token})
			if r := o.onlyResult(t); r.Err != nil {
				t.Errorf("%+v", r)
			}
			if err := b.c.Release(); err != nil {
				t.Fatal(err)
			}
			b.expect(Message{Code: Release})
			b.clean()
		}},
		{"5.6/Abort ends everything", func(t *testing.T) {
			b := hello(t, ConnConfig{})
			_, o := b.get("/a")
			b.take()
			wantErr(t, b.put(Message{Code: Abort, Payload: []byte("why")}), ErrAborted)
			wantErr(t, o.onlyResult(t).Err, ErrAborted)
			wantErr(t, o.onlyResult(t).Err, ErrClosed)
			b.silent()
			b.clean()
			b = hello(t, ConnConfig{})
			b.c.Abort(nil)
			b.expect(Message{Code: Abort})
			b.c.Abort(nil)
			b.silent()
		}},
		{"5.1/unknown signal is ignored, its critical options are not", func(t *testing.T) {
			b := hello(t, ConnConfig{})
			if err := b.put(Message{Code: 7<<5 | 20}); err != nil {
				t.Fatal(err)
			}
			aborted(b, b.put(Message{Code: Pong, Options: options(OptionID(1), "")}), ErrFormat)
		}},
		{"6/BERT", func(t *testing.T) {
			b := hello(t, ConnConfig{})
			b.h.serve = content(string(pattern(9000)))
			m := req(GET, "/a")
			m.Options.SetBlock(OptionBlock2, Block{SZX: BERT})
			b.put(m)
			var body []byte
			for {
				got := b.expect(Message{Code: Content})
				v, _ := got.Options.Block(OptionBlock2)
				if v.SZX != BERT || v.More && len(got.Payload)%1024 != 0 || lenTCP(got) > 4096 || v.Offset() != int64(len(body)) {
					t.Fatalf("%+v with %d bytes", v, len(got.Payload))
				}
				body = append(body, got.Payload...)
				if !v.More {
					break
				}
				m.Options.SetBlock(OptionBlock2, Block{Num: uint32(len(body) / 1024), SZX: BERT})
				b.put(m)
			}
			if !bytes.Equal(body, pattern(9000)) {
				t.Errorf("%d bytes", len(body))
			}
			b.clean()
		}},
		{"7/observe without sequence numbers", func(t *testing.T) {
			b := hello(t, ConnConfig{})
			first, later := &outcome{}, &outcome{}
			if err := b.c.Do(&Call{Code: GET, Done: first.add, Observe: later.add}); err != nil {
				t.Fatal(err)
			}
			m := b.take()
			for range 3 {
				b.put(Message{Code: Content, Token: m.Token, Options: options(OptionObserve, "")})
			}
			if len(first.results) != 1 || len(later.results) != 2 {
				t.Errorf("%d and %d results", len(first.results), len(later.results))
			}
		}},
		{"none/busy socket is given the rest later", func(t *testing.T) {
			b := hello(t, ConnConfig{})
			b.h.serve = content(string(pattern(1000)))
			b.w.err = socket.ErrBusy
			for range 3 {
				b.put(req(GET, "/a"))
			}
			b.sleep(time.Second)
			b.silent()
			b.w.err = nil
			b.sleep(flushEvery)
			var all []byte
			for _, w := range b.w.sent {
				all = append(all, w...)
			}
			var m Message
			for range 3 {
				n, err := m.ParseTCP(all)
				if err != nil || !bytes.Equal(m.Payload, pattern(1000)) {
					t.Fatal(err)
				}
				all = all[n:]
			}
			b.w.err = socket.ErrBusy
			b.put(req(GET, "/a"))
			b.w.err = socket.ErrReset
			_, o := b.get("/a")
			b.sleep(flushEvery)
			wantErr(t, o.onlyResult(t).Err, socket.ErrReset)
			wantErr(t, b.c.Closed(), socket.ErrReset)
		}},
		{"none/peer that does not read ends the connection", func(t *testing.T) {
			var reason error
			b := hello(t, ConnConfig{OnClose: func(err error) { reason = err }})
			b.h.serve = func(r *Request) { r.Respond(&Response{Code: Content, Body: pattern(3000)}) }
			b.w.err = socket.ErrBusy
			for range 1000 {
				b.put(req(GET, "/a"))
			}
			wantErr(t, b.c.Closed(), ErrBusy)
			wantErr(t, reason, ErrBusy)
			if len(b.c.stream.backlog) != 0 {
				t.Error("the backlog is still there")
			}
			b.clean()
		}},
	})
}

// lenTCP is the size of a message over TCP.
func lenTCP(m Message) int {
	b, _ := m.AppendTCP(nil)
	return len(b)
}
