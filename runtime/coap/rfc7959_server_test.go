package coap

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"
)

func TestRFC7959Server(t *testing.T) {
	check(t, []rule{
		{"2.2/block size 7 is 4.00 over UDP", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			b.put(put1(1, 0, true, 7, pattern(1024)))
			b.expect(ack(BadRequest, 1, Options{}))
			b.put(get2(2, 0, 7))
			b.expect(ack(BadRequest, 2, Options{}))
			if b.h.calls+b.h.heads != 0 {
				t.Error("it reached the handler")
			}
			b.clean()
		}},
		{"2.2/payload without the size of a block is 4.00", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			for i, m := range []Message{put1(1, 0, true, 2, pattern(63)), put1(2, 0, true, 2, pattern(65)),
				put1(3, 0, true, 2, nil), put1(4, 1, false, 2, pattern(65))} {
				b.put(m)
				b.expect(ack(BadRequest, uint16(i+1), Options{}))
			}
			b.clean()
		}},
		{"2.4/answer in blocks is a snapshot", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			n := 0
			b.h.serve = func(r *Request) { n++; content(string(bytes.Repeat([]byte{byte('0' + n)}, 150)))(r) }
			b.put(get2(1, 0, 2))
			first := b.expect(ack(Content, 1, block(OptionBlock2, 0, true, 2)))
			tag, ok := first.Options.ETag()
			if size, _ := first.Options.Uint(OptionSize2); !ok || size != 150 {
				t.Errorf("ETag %x, Size2 %d", tag, size)
			}
			b.put(get2(2, 1, 2))
			second := b.expect(ack(Content, 2, block(OptionBlock2, 1, true, 2)))
			b.put(get2(3, 2, 2))
			third := b.expect(ack(Content, 3, block(OptionBlock2, 2, false, 2)))
			body := string(first.Payload) + string(second.Payload) + string(third.Payload)
			if body != string(bytes.Repeat([]byte("1"), 150)) || n != 1 {
				t.Errorf("%q, served %d times", body, n)
			}
			for _, m := range []Message{second, third} {
				if v, _ := m.Options.ETag(); !bytes.Equal(v, tag) {
					t.Error("the ETag differs between blocks")
				}
			}
			b.clean()
		}},
		{"2.4/block after the snapshot is gone has another ETag", func(t *testing.T) {
			b := newBench(t, ConnConfig{Params: Params{ExchangeTimeout: time.Minute}})
			n := 0
			b.h.serve = func(r *Request) { n++; content(string(bytes.Repeat([]byte{byte('0' + n/2)}, 150)))(r) }
			b.put(get2(1, 0, 2))
			first := b.take()
			b.sleep(time.Minute)
			b.clean()
			b.put(get2(2, 1, 2)) // n = 2: another content
			other := b.expect(ack(Content, 2, block(OptionBlock2, 1, true, 2)))
			b.sleep(time.Minute)
			b.put(get2(3, 2, 2)) // n = 3: the same content once more
			same := b.expect(ack(Content, 3, block(OptionBlock2, 2, false, 2)))
			a, _ := first.Options.ETag()
			o, _ := other.Options.ETag()
			s, _ := same.Options.ETag()
			if bytes.Equal(a, o) || !bytes.Equal(o, s) {
				t.Errorf("ETags %x %x %x", a, o, s)
			}
			b.clean()
		}},
		{"2.4/transfer begins at a block other than 0", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			b.h.serve = content(string(pattern(150)))
			b.put(get2(1, 2, 2))
			b.expect(Message{Type: Acknowledgement, Code: Content, Options: block(OptionBlock2, 2, false, 2), Payload: pattern(150)[128:]})
			b.clean()
		}},
		{"2.4/block beyond the end is 4.00", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			b.h.serve = content(string(pattern(150)))
			b.put(get2(1, 3, 2))
			b.expect(ack(BadRequest, 1, Options{}))
			b.put(get2(2, 0, 2))
			b.take()
			b.put(get2(3, 9, 2))
			b.expect(ack(BadRequest, 3, Options{}))
			b.put(get2(4, 2, 2))
			b.expect(ack(Content, 4, block(OptionBlock2, 2, false, 2)))
			b.h.serve = content("")
			b.put(get2(5, 1, 2))
			b.expect(ack(BadRequest, 5, Options{}))
			b.clean()
		}},
		{"2.4/server's smaller block size applies", func(t *testing.T) {
			b := newBench(t, ConnConfig{BlockSize: 32})
			b.h.serve = content(string(pattern(100)))
			b.put(get2(1, 0, 6))
			b.expect(Message{Type: Acknowledgement, Code: Content, Options: block(OptionBlock2, 0, true, 1), Payload: pattern(32)})
			b.put(get2(2, 2, 0)) // smaller still: counted in blocks of 16
			b.expect(Message{Type: Acknowledgement, Code: Content, Options: block(OptionBlock2, 2, true, 0), Payload: pattern(48)[32:]})
			b.put(get2(3, 3, 1))
			b.expect(Message{Type: Acknowledgement, Code: Content, Options: block(OptionBlock2, 3, false, 1), Payload: pattern(100)[96:]})
			b.clean()
		}},
		{"2.4/MTU bounds the block", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			b.w.mtu = 400
			b.h.serve = content(string(pattern(1000)))
			b.put(request(Confirmable, GET, 1, "/a"))
			b.expect(ack(Content, 1, block(OptionBlock2, 0, true, 4)))
			b.c.Close(nil)
		}},
		{"2.4/request for a further block without its snapshot is not executed", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			m := get2(1, 1, 2)
			m.Code = POST
			b.put(m)
			b.expect(ack(RequestEntityIncomplete, 1, Options{}))
			if b.h.calls != 0 {
				t.Error("it was served")
			}
		}},
		{"2.4/answer from a source", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			src := newSource(pattern(200))
			b.h.serve = func(r *Request) {
				err := r.Respond(&Response{Code: Content, Source: src, SourceSize: 200})
				if short := src.Size() < 200; short != (err != nil) {
					t.Error(err)
				}
			}
			var body []byte
			for i := range uint16(4) {
				b.put(get2(i+1, uint32(i), 2))
				body = append(body, b.expect(ack(Content, i+1, block(OptionBlock2, uint32(i), i < 3, 2))).Payload...)
			}
			if !bytes.Equal(body, pattern(200)) || src.closed != 1 {
				t.Errorf("%d bytes, closed %d times", len(body), src.closed)
			}
			src = newSource(pattern(10)) // in one message
			b.put(get2(10, 0, 2))
			b.expect(ack(InternalServerError, 10, Options{})) // shorter than announced
			if src.closed != 1 {
				t.Errorf("closed %d times", src.closed)
			}
			b.clean()
		}},
		{"2.5/body in blocks is served when complete", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			b.h.head = func(r *Request) {
				if size, ok := r.Size(); !ok || size != 150 || !bytes.Equal(r.Body(), pattern(64)) {
					t.Errorf("Head: size %d, %v, %d bytes", size, ok, len(r.Body()))
				}
			}
			b.h.serve = func(r *Request) {
				size, _ := r.Size()
				if !bytes.Equal(r.Body(), pattern(150)) || size != 150 {
					t.Errorf("%d bytes arrived", len(r.Body()))
				}
				resp := r.Response()
				resp.Code = Changed
				r.Respond(resp)
			}
			first := put1(1, 0, true, 2, pattern(64))
			first.Options.AddUint(OptionSize1, 150)
			b.put(first)
			b.expect(ack(Continue, 1, block(OptionBlock1, 0, true, 2)))
			b.put(put1(2, 1, true, 2, pattern(128)[64:]))
			b.expect(ack(Continue, 2, block(OptionBlock1, 1, true, 2)))
			b.put(put1(3, 2, false, 2, pattern(150)[128:]))
			b.expect(ack(Changed, 3, block(OptionBlock1, 2, false, 2)))
			if b.h.calls != 1 || b.h.heads != 1 {
				t.Errorf("%d calls, %d heads", b.h.calls, b.h.heads)
			}
			b.clean()
		}},
		{"2.7/block size for the response is asked for with the first block", func(t *testing.T) {
			for _, kind := range []string{"first", "every"} {
				b := newBench(t, ConnConfig{})
				b.h.serve = content(string(pattern(100)))
				for i := range uint16(3) {
					m := put1(i+1, uint32(i), i < 2, 2, pattern(64))
					if i == 0 || kind == "every" {
						m.Options.SetBlock(OptionBlock2, Block{SZX: 1})
					}
					b.put(m)
					if i == 2 {
						break
					}
					// 2.31 has no payload that Block2 could describe (RFC 7959 §2.9.1).
					if got := b.expect(ack(Continue, i+1, block(OptionBlock1, uint32(i), true, 2))); got.Options.Has(OptionBlock2) {
						t.Errorf("%s: 2.31 has a Block2 option", kind)
					}
				}
				got := b.expect(ack(Content, 3, block(OptionBlock2, 0, true, 1)))
				if !bytes.Equal(got.Payload, pattern(32)) {
					t.Errorf("%s: %d bytes", kind, len(got.Payload))
				}
			}
		}},
		{"2.5/block without its predecessors is 4.08", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			b.put(put1(1, 1, true, 2, pattern(64)))
			b.expect(ack(RequestEntityIncomplete, 1, Options{}))
			b.put(put1(2, 0, true, 2, pattern(64)))
			b.expect(ack(Continue, 2, Options{}))
			b.put(put1(3, 2, true, 2, pattern(64)))
			b.expect(ack(RequestEntityIncomplete, 3, Options{}))
			other := put1(4, 1, false, 2, pattern(64))
			other.Options.SetContentFormat(42) // a different request
			b.put(other)
			b.expect(ack(RequestEntityIncomplete, 4, Options{}))
			if b.h.calls != 0 {
				t.Error("an incomplete body was served")
			}
			b.c.Close(nil)
			b.clean()
		}},
		{"2.5/repetition of the last block counts once", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			var got []byte
			b.h.serve = func(r *Request) { got = bytes.Clone(r.Body()); content("")(r) }
			b.put(put1(1, 0, true, 2, pattern(64)))
			b.put(put1(2, 0, true, 2, pattern(64))) // restarts
			b.put(put1(3, 1, true, 2, pattern(128)[64:]))
			b.put(put1(4, 1, true, 2, pattern(128)[64:]))
			b.put(put1(5, 2, false, 2, pattern(130)[128:]))
			for i := range uint16(4) {
				b.expect(ack(Continue, i+1, Options{}))
			}
			b.expect(ack(Content, 5, Options{}))
			if !bytes.Equal(got, pattern(130)) || b.h.heads != 2 {
				t.Errorf("%d bytes, %d heads", len(got), b.h.heads)
			}
			b.clean()
		}},
		{"2.5/idle transfer ends", func(t *testing.T) {
			b := newBench(t, ConnConfig{Params: Params{ExchangeTimeout: 30 * time.Second}})
			sink := &memSink{}
			b.h.head = func(r *Request) { r.Stream(sink) }
			b.put(put1(1, 0, true, 2, pattern(64)))
			b.take()
			b.sleep(30*time.Second - 1)
			b.put(put1(2, 1, true, 2, pattern(64)))
			b.expect(ack(Continue, 2, Options{}))
			b.sleep(30 * time.Second)
			if len(sink.aborted) != 1 || !errors.Is(sink.aborted[0], ErrIdle) {
				t.Errorf("aborted %v", sink.aborted)
			}
			b.put(put1(3, 2, true, 2, pattern(64)))
			b.expect(ack(RequestEntityIncomplete, 3, Options{}))
			b.clean()
		}},
		{"2.5/body goes to a sink", func(t *testing.T) {
			b := newBench(t, ConnConfig{MaxBody: 100})
			sink := &memSink{}
			b.h.head = func(r *Request) { r.Stream(sink) }
			b.h.serve = func(r *Request) {
				size, _ := r.Size()
				if r.Body() != nil || size != 300 {
					t.Errorf("body %d, size %d", len(r.Body()), size)
				}
				content("")(r)
			}
			for i := range 5 {
				b.put(put1(uint16(i+1), uint32(i), i < 4, 2, pattern(300)[64*i:min(64*i+64, 300)]))
			}
			for range 4 {
				b.expect(Message{Type: Acknowledgement, Code: Continue})
			}
			b.expect(Message{Type: Acknowledgement, Code: Content})
			if !bytes.Equal(sink.Bytes(), pattern(300)) || len(sink.aborted) != 0 {
				t.Errorf("%d bytes, aborted %v", sink.Len(), sink.aborted)
			}
			sink.Reset()
			b.put(put1(11, 0, true, 2, pattern(64)))
			b.take()
			sink.fail = &Error{Code: ServiceUnavailable}
			b.put(put1(12, 1, true, 2, pattern(64)))
			b.expect(ack(ServiceUnavailable, 12, Options{}))
			sink.fail = io.ErrShortWrite
			b.put(put1(13, 0, true, 2, pattern(64)))
			b.expect(ack(InternalServerError, 13, Options{}))
			if len(sink.aborted) != 0 {
				t.Error("a sink that failed was told so")
			}
			b.clean()
		}},
		{"2.5/handler refuses in Head", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			b.h.head = func(r *Request) { r.Stream(&memSink{}); r.reply(Unauthorized, "") }
			b.put(put1(1, 0, true, 2, pattern(64)))
			b.expect(ack(Unauthorized, 1, Options{}))
			b.put(put1(2, 1, true, 2, pattern(64)))
			b.expect(ack(RequestEntityIncomplete, 2, Options{}))
			b.clean()
		}},
		{"2.5/smaller blocks are asked for", func(t *testing.T) {
			b := newBench(t, ConnConfig{BlockSize: 32})
			var got []byte
			b.h.serve = func(r *Request) { got = bytes.Clone(r.Body()); content("")(r) }
			b.put(put1(1, 0, true, 3, pattern(128)))
			b.expect(ack(Continue, 1, block(OptionBlock1, 0, true, 1)))
			b.put(put1(2, 4, false, 1, pattern(140)[128:]))
			b.expect(ack(Content, 2, block(OptionBlock1, 4, false, 1)))
			if !bytes.Equal(got, pattern(140)) {
				t.Errorf("%d bytes", len(got))
			}
			b.clean()
		}},
		{"2.7/blocks in both directions", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			b.h.serve = func(r *Request) { content(string(r.Body()))(r) }
			fetch := func(m Message) Message { m.Code = FETCH; return m }
			b.put(fetch(put1(1, 0, true, 2, pattern(64))))
			b.expect(ack(Continue, 1, block(OptionBlock1, 0, true, 2)))
			last := fetch(put1(2, 1, false, 2, pattern(100)[64:]))
			last.Options.SetContentFormat(112)
			last.Options.SetBlock(OptionBlock2, Block{SZX: 2})
			b.put(last)
			// The Content-Format is part of the request.
			b.expect(ack(RequestEntityIncomplete, 2, Options{}))
			last.MessageID = 3
			last.Options.Remove(OptionContentFormat)
			b.put(last)
			m := b.expect(Message{Type: Acknowledgement, Code: Content, Payload: pattern(64), Options: block(OptionBlock2, 0, true, 2)})
			if v, ok := m.Options.Block(OptionBlock1); !ok || v != (Block{1, false, 2}) {
				t.Errorf("Block1 %+v, %v", v, ok)
			}
			next := fetch(put1(4, 0, false, 2, nil))
			next.Options.Remove(OptionBlock1)
			next.Options.SetBlock(OptionBlock2, Block{Num: 1, SZX: 2})
			b.put(next)
			b.expect(Message{Type: Acknowledgement, Code: Content, Payload: pattern(100)[64:], Options: block(OptionBlock2, 1, false, 2)})
			if b.h.calls != 1 {
				t.Errorf("served %d times", b.h.calls)
			}
			b.clean()
		}},
		{"2.9.3/body that is too large is 4.13", func(t *testing.T) {
			b := newBench(t, ConnConfig{MaxBody: 200})
			announced := put1(1, 0, true, 2, pattern(64))
			announced.Options.AddUint(OptionSize1, 201)
			b.put(announced)
			m := b.expect(ack(RequestEntityTooLarge, 1, Options{}))
			if v, _ := m.Options.Uint(OptionSize1); v != 200 {
				t.Errorf("Size1 %d", v)
			}
			for i := range 4 {
				b.put(put1(uint16(i+2), uint32(i), i < 3, 2, pattern(64)))
				if i < 3 {
					b.expect(ack(Continue, uint16(i+2), Options{}))
				}
			}
			b.expect(ack(RequestEntityTooLarge, 5, Options{}))
			b.h.head = func(r *Request) { r.Limit(64) }
			b.put(put1(6, 0, true, 2, pattern(64)))
			b.expect(ack(Continue, 6, Options{}))
			b.put(put1(7, 1, false, 2, pattern(1)))
			b.expect(ack(RequestEntityTooLarge, 7, Options{}))
			if b.h.calls != 0 {
				t.Error("it was served")
			}
			b.clean()
		}},
		{"7.2/transfers of a peer are bounded", func(t *testing.T) {
			b := newBench(t, ConnConfig{MaxTransfers: 3})
			sinks := map[string]*memSink{}
			b.h.head = func(r *Request) {
				s := &memSink{}
				sinks[string(r.Options().AppendPath(nil))] = s
				r.Stream(s)
			}
			path := func(m Message, p string) Message {
				m.Options.Remove(OptionURIPath)
				m.Options.AddPath(p)
				return m
			}
			for i := range 3 {
				b.put(path(put1(uint16(i), 0, true, 2, pattern(64)), fmt.Sprint("/", i)))
			}
			b.put(path(put1(10, 1, true, 2, pattern(64)), "/0")) // continues
			b.put(path(put1(11, 0, true, 2, pattern(64)), "/3")) // one too many
			for p, want := range map[string]int{"/0": 0, "/1": 1, "/2": 0, "/3": 0} {
				if got := len(sinks[p].aborted); got != want {
					t.Errorf("%s was aborted %d times, want %d", p, got, want)
				}
			}
			b.c.Close(nil)
			b.clean()
		}},
		{"7.2/memory of all connections is bounded", func(t *testing.T) {
			b := newBench(t, ConnConfig{MaxTransfers: 100})
			b.e.maxMemory = 10000
			b.put(request(Confirmable, GET, 999, "/a")) // for the history
			for i := range 100 {
				m := put1(uint16(i), 0, true, 6, pattern(1024))
				m.Options.AddQuery(fmt.Sprint(i))
				b.put(m)
				if b.e.Memory() > 10000 {
					t.Fatalf("%d bytes after %d transfers", b.e.Memory(), i+1)
				}
			}
			if n := b.c.transfers.n; n < 1 || n > 6 {
				t.Errorf("%d transfers are alive", n)
			}
			b.c.Close(nil)
			b.clean()
		}},
	})
}
