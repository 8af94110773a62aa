package coap

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
)

// put1 is a PUT with a Block1 option.
func put1(mid uint16, num uint32, more bool, szx uint8, payload []byte) Message {
	m := request(Confirmable, PUT, mid, "/5/0/0")
	m.Payload = payload
	m.Options.SetBlock(OptionBlock1, Block{num, more, szx})
	return m
}

func get2(mid uint16, num uint32, szx uint8) Message {
	m := request(Confirmable, GET, mid, "/a")
	m.Options.SetBlock(OptionBlock2, Block{num, false, szx})
	return m
}

func block(id OptionID, num uint32, more bool, szx uint8) Options {
	var o Options
	o.SetBlock(id, Block{num, more, szx})
	return o
}

// memSink keeps what is written.
type memSink struct {
	bytes.Buffer
	aborted []error
	fail    error
}

func (s *memSink) Write(p []byte) (int, error) {
	if s.fail != nil {
		return 0, s.fail
	}
	return s.Buffer.Write(p)
}

func (s *memSink) Abort(err error) { s.aborted = append(s.aborted, err) }

// memSource counts how often it is closed.
type memSource struct {
	*bytes.Reader
	closed int
}

func newSource(b []byte) *memSource { return &memSource{Reader: bytes.NewReader(b)} }

func (s *memSource) Close() error { s.closed++; return nil }

func ack(code Code, mid uint16, o Options) Message {
	return Message{Type: Acknowledgement, Code: code, MessageID: mid, Options: o}
}

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
		{"2.2/payload that is no block is 4.00", func(t *testing.T) {
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
		{"2.4/transfer begins at another block than 0", func(t *testing.T) {
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
		{"2.4/block sizes are ours where they are smaller", func(t *testing.T) {
			b := newBench(t, ConnConfig{BlockSize: 32})
			b.h.serve = content(string(pattern(100)))
			b.put(get2(1, 0, 6))
			b.expect(Message{Type: Acknowledgement, Code: Content, Options: block(OptionBlock2, 0, true, 1), Payload: pattern(32)})
			b.put(get2(2, 2, 0)) // even smaller: counts in blocks of 16
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
		{"2.4/further block of an answer that is gone is never executed", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			m := get2(1, 1, 2)
			m.Code = POST
			b.put(m)
			b.expect(ack(RequestEntityIncomplete, 1, Options{}))
			if b.h.calls != 0 {
				t.Error("it was served")
			}
		}},
		{"2.4/streamed out of a source", func(t *testing.T) {
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
			b.expect(ack(InternalServerError, 10, Options{})) // shorter than it said
			if src.closed != 1 {
				t.Errorf("closed %d times", src.closed)
			}
			b.clean()
		}},
		{"2.5/body in blocks is served as a whole", func(t *testing.T) {
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
		{"2.5/block without its predecessors is 4.08", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			b.put(put1(1, 1, true, 2, pattern(64)))
			b.expect(ack(RequestEntityIncomplete, 1, Options{}))
			b.put(put1(2, 0, true, 2, pattern(64)))
			b.expect(ack(Continue, 2, Options{}))
			b.put(put1(3, 2, true, 2, pattern(64)))
			b.expect(ack(RequestEntityIncomplete, 3, Options{}))
			other := put1(4, 1, false, 2, pattern(64))
			other.Options.SetContentFormat(42) // another request
			b.put(other)
			b.expect(ack(RequestEntityIncomplete, 4, Options{}))
			if b.h.calls != 0 {
				t.Error("an incomplete body was served")
			}
			b.c.Close(nil)
			b.clean()
		}},
		{"2.5/the last block once more is taken once", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			var got []byte
			b.h.serve = func(r *Request) { got = bytes.Clone(r.Body()); content("")(r) }
			b.put(put1(1, 0, true, 2, pattern(64)))
			b.put(put1(2, 0, true, 2, pattern(64))) // begins anew
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
		{"2.5/transfer ends when it pauses", func(t *testing.T) {
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
		{"2.5/streamed into a sink", func(t *testing.T) {
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
		{"2.5/handler refuses by the head", func(t *testing.T) {
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
		{"2.7/both together", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			b.h.serve = func(r *Request) { content(string(r.Body()))(r) }
			fetch := func(m Message) Message { m.Code = FETCH; return m }
			b.put(fetch(put1(1, 0, true, 2, pattern(64))))
			b.expect(ack(Continue, 1, block(OptionBlock1, 0, true, 2)))
			last := fetch(put1(2, 1, false, 2, pattern(100)[64:]))
			last.Options.SetContentFormat(112)
			last.Options.SetBlock(OptionBlock2, Block{SZX: 2})
			b.put(last)
			b.expect(ack(RequestEntityIncomplete, 2, Options{})) // the format belongs to the request
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
			b.put(path(put1(10, 1, true, 2, pattern(64)), "/0")) // goes on
			b.put(path(put1(11, 0, true, 2, pattern(64)), "/3")) // one too many
			for p, want := range map[string]int{"/0": 0, "/1": 1, "/2": 0, "/3": 0} {
				if got := len(sinks[p].aborted); got != want {
					t.Errorf("%s was aborted %d times, want %d", p, got, want)
				}
			}
			b.c.Close(nil)
			b.clean()
		}},
		{"7.2/memory of all is bounded", func(t *testing.T) {
			b := newBench(t, ConnConfig{MaxTransfers: 100})
			b.e.maxMemory = 10000
			b.put(request(Confirmable, GET, 999, "/a")) // something to remember, too
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

func TestRFC7959Client(t *testing.T) {
	// serve1 answers the next block of an upload.
	serve1 := func(b *bench, num uint32, more bool, szx uint8, code Code, o Options) Message {
		b.t.Helper()
		m := b.expect(Message{Type: Confirmable, Code: PUT, Options: block(OptionBlock1, num, more, szx)})
		b.put(Message{Type: Acknowledgement, Code: code, MessageID: m.MessageID, Token: m.Token, Options: o})
		return m
	}
	upload := func(b *bench, body []byte) *outcome {
		b.t.Helper()
		o := &outcome{}
		call := &Call{Code: PUT, Body: body, Done: o.add}
		call.Options.AddPath("/a")
		if err := b.c.Do(call); err != nil {
			b.t.Fatal(err)
		}
		return o
	}
	answer := func(b *bench, m Message, payload []byte, o Options) {
		b.put(Message{Type: Acknowledgement, Code: Content, MessageID: m.MessageID, Token: m.Token, Options: o, Payload: payload})
	}
	tagged := func(num uint32, more bool, szx uint8, tag string) Options {
		o := block(OptionBlock2, num, more, szx)
		o.AddString(OptionETag, tag)
		return o
	}
	check(t, []rule{
		{"2.3/server asks for smaller blocks", func(t *testing.T) {
			b := newBench(t, ConnConfig{BlockSize: 128})
			o := upload(b, pattern(300))
			m := serve1(b, 0, true, 3, Continue, block(OptionBlock1, 0, true, 1))
			if size, _ := m.Options.Uint(OptionSize1); size != 300 {
				t.Errorf("Size1 %d", size)
			}
			for i := uint32(4); i < 9; i++ {
				m := serve1(b, i, true, 1, Continue, block(OptionBlock1, i, true, 1))
				if !bytes.Equal(m.Payload, pattern(300)[32*i:32*i+32]) {
					t.Fatalf("block %d has other bytes", i)
				}
			}
			serve1(b, 9, false, 1, Changed, block(OptionBlock1, 9, false, 1))
			if r := o.one(t); r.Code != Changed {
				t.Errorf("%+v", r)
			}
			b.clean()
		}},
		{"2.9.3/4.13 with a smaller size begins anew", func(t *testing.T) {
			b := newBench(t, ConnConfig{BlockSize: 128})
			o := upload(b, pattern(100))
			m := b.expect(Message{Type: Confirmable, Code: PUT})
			b.put(Message{Type: Acknowledgement, Code: RequestEntityTooLarge, MessageID: m.MessageID, Token: m.Token})
			if r := o.one(t); r.Code != RequestEntityTooLarge {
				t.Errorf("%+v", r)
			}
			o = upload(b, pattern(300))
			serve1(b, 0, true, 3, RequestEntityTooLarge, block(OptionBlock1, 0, true, 2))
			serve1(b, 0, true, 2, RequestEntityTooLarge, block(OptionBlock1, 0, true, 2))
			if r := o.one(t); r.Code != RequestEntityTooLarge {
				t.Errorf("%+v", r)
			}
			b.clean()
		}},
		{"2.9.2/4.08 ends the upload", func(t *testing.T) {
			b := newBench(t, ConnConfig{BlockSize: 128})
			o := upload(b, pattern(300))
			serve1(b, 0, true, 3, Continue, block(OptionBlock1, 0, true, 3))
			serve1(b, 1, true, 3, RequestEntityIncomplete, Options{})
			if r := o.one(t); r.Code != RequestEntityIncomplete {
				t.Errorf("%+v", r)
			}
			b.silent()
			b.clean()
		}},
		{"2.3/error ends the upload early", func(t *testing.T) {
			b := newBench(t, ConnConfig{BlockSize: 128})
			o := upload(b, pattern(300))
			serve1(b, 0, true, 3, Unauthorized, block(OptionBlock1, 0, false, 3))
			if r := o.one(t); r.Code != Unauthorized {
				t.Errorf("%+v", r)
			}
			b.silent()
			b.clean()
		}},
		{"2.3/acknowledgement of another block is an error", func(t *testing.T) {
			b := newBench(t, ConnConfig{BlockSize: 128})
			o := upload(b, pattern(300))
			serve1(b, 0, true, 3, Continue, block(OptionBlock1, 1, true, 3))
			wantErr(t, o.one(t).Err, ErrTransfer)
			o = upload(b, pattern(200))
			serve1(b, 0, true, 3, Continue, Options{}) // leaves the option out: the block just sent
			serve1(b, 1, false, 3, Continue, block(OptionBlock1, 1, true, 3))
			wantErr(t, o.one(t).Err, ErrTransfer) // the last block was the last
			b.clean()
		}},
		{"2.3/uploaded out of a source", func(t *testing.T) {
			b := newBench(t, ConnConfig{BlockSize: 128})
			src, o := newSource(pattern(200)), &outcome{}
			if err := b.c.Do(&Call{Code: PUT, Source: src, SourceSize: 200, Done: o.add}); err != nil {
				t.Fatal(err)
			}
			m := serve1(b, 0, true, 3, Continue, block(OptionBlock1, 0, true, 3))
			n := serve1(b, 1, false, 3, Changed, block(OptionBlock1, 1, false, 3))
			if got := append(m.Payload, n.Payload...); !bytes.Equal(got, pattern(200)) || src.closed != 1 {
				t.Errorf("%d bytes, closed %d times", len(got), src.closed)
			}
			o.one(t)
			src = newSource(pattern(150)) // shorter than announced
			o = &outcome{}
			if err := b.c.Do(&Call{Code: PUT, Source: src, SourceSize: 200, Done: o.add}); err != nil {
				t.Fatal(err)
			}
			m = b.expect(Message{Type: Confirmable, Code: PUT})
			b.put(Message{Type: Acknowledgement, Code: Continue, MessageID: m.MessageID, Token: m.Token, Options: block(OptionBlock1, 0, true, 3)})
			wantErr(t, o.one(t).Err, io.ErrUnexpectedEOF)
			if src.closed != 1 {
				t.Errorf("closed %d times", src.closed)
			}
			b.clean()
		}},
		{"2.4/body of a response in blocks", func(t *testing.T) {
			b := newBench(t, ConnConfig{BlockSize: 64})
			_, o := b.get("/a")
			m := b.take()
			opts := tagged(0, true, 3, "e")
			opts.SetContentFormat(11542)
			answer(b, m, pattern(128), opts)
			for i := uint32(2); i < 4; i++ { // ours are smaller: late negotiation
				m = b.expect(Message{Type: Confirmable, Code: GET, Options: block(OptionBlock2, i, false, 2)})
				if got := string(m.Options.AppendPath(nil)); got != "/a" {
					t.Errorf("path %q", got)
				}
				answer(b, m, pattern(200)[64*i:min(200, 64*i+64)], tagged(i, i < 3, 2, "e"))
			}
			if r := o.one(t); r.Code != Content || o.bodies[0] != string(pattern(200)) {
				t.Fatalf("%+v, %d bytes", r, len(o.bodies[0]))
			}
			if f, _ := o.options[0].ContentFormat(); f != 11542 {
				t.Errorf("Content-Format %d", f)
			}
			b.clean()
		}},
		{"2.4/client may begin at another block, of its size", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			o := &outcome{}
			call := &Call{Code: GET, Done: o.add}
			call.Options.SetBlock(OptionBlock2, Block{Num: 2, SZX: 1})
			if err := b.c.Do(call); err != nil {
				t.Fatal(err)
			}
			m := b.expect(Message{Type: Confirmable, Code: GET, Options: block(OptionBlock2, 2, false, 1)})
			answer(b, m, pattern(96)[64:], tagged(2, true, 1, "e"))
			m = b.expect(Message{Type: Confirmable, Code: GET, Options: block(OptionBlock2, 3, false, 1)})
			answer(b, m, pattern(100)[96:], tagged(3, false, 1, "e"))
			o.one(t)
			if o.bodies[0] != string(pattern(100)[64:]) {
				t.Errorf("%d bytes", len(o.bodies[0]))
			}
			b.clean()
		}},
		{"2.4/resource changes during the transfer", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			_, o := b.get("/a")
			for i := range 3 {
				m := b.take()
				answer(b, m, pattern(64), tagged(0, true, 2, fmt.Sprint(i)))
				m = b.expect(Message{Type: Confirmable, Code: GET, Options: block(OptionBlock2, 1, false, 2)})
				answer(b, m, pattern(64), tagged(1, true, 2, "x"))
			}
			wantErr(t, o.one(t).Err, ErrChanged)
			_, o = b.get("/a")
			answer(b, b.take(), pattern(64), tagged(0, true, 2, "1"))
			answer(b, b.take(), pattern(64), tagged(1, true, 2, "2"))
			m := b.expect(Message{Type: Confirmable, Code: GET, Options: block(OptionBlock2, 0, false, 2)})
			answer(b, m, []byte("new"), tagged(0, false, 2, "2"))
			if r := o.one(t); r.Err != nil || o.bodies[0] != "new" {
				t.Errorf("%+v %q", r, o.bodies)
			}
			b.clean()
		}},
		{"2.4/block that was not asked for is an error", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			for _, bad := range []struct {
				o Options
				n int
			}{{block(OptionBlock2, 1, true, 2), 64}, {block(OptionBlock2, 0, true, 2), 63},
				{block(OptionBlock2, 0, false, 2), 65}, {block(OptionBlock2, 0, true, 7), 1024}} {
				_, o := b.get("/a")
				answer(b, b.take(), pattern(bad.n), bad.o)
				wantErr(t, o.one(t).Err, ErrTransfer)
			}
			b.clean()
		}},
		{"2.4/error ends the download", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			sink, o := &memSink{}, &outcome{}
			if err := b.c.Do(&Call{Code: GET, Sink: sink, Done: o.add}); err != nil {
				t.Fatal(err)
			}
			answer(b, b.take(), pattern(64), tagged(0, true, 2, "1"))
			m := b.take()
			b.put(Message{Type: Acknowledgement, Code: NotFound, MessageID: m.MessageID, Token: m.Token})
			if r := o.one(t); r.Code != NotFound || len(sink.aborted) != 1 || sink.Len() != 64 {
				t.Errorf("%+v, aborted %v", r, sink.aborted)
			}
			b.clean()
		}},
		{"2.4/streamed into a sink", func(t *testing.T) {
			b := newBench(t, ConnConfig{MaxBody: 10})
			sink, o := &memSink{}, &outcome{}
			call := &Call{Code: GET, Sink: sink, Done: o.add}
			for range 2 { // a call may be used again
				if err := b.c.Do(call); err != nil {
					t.Fatal(err)
				}
				answer(b, b.take(), pattern(64), tagged(0, true, 2, "1"))
				answer(b, b.take(), pattern(64), tagged(1, false, 2, "1"))
			}
			if !bytes.Equal(sink.Bytes(), bytes.Repeat(pattern(64), 4)) || len(sink.aborted) != 0 || len(o.results) != 2 {
				t.Errorf("%d bytes, aborted %v", sink.Len(), sink.aborted)
			}
			if err := b.c.Do(call); err != nil {
				t.Fatal(err)
			}
			answer(b, b.take(), pattern(64), tagged(0, true, 2, "1"))
			call.Cancel()
			if len(sink.aborted) != 1 || !errors.Is(o.results[2].Err, ErrCancelled) {
				t.Errorf("aborted %v, %v", sink.aborted, o.results)
			}
			b.clean()
		}},
		{"7.2/body that is too large is given up", func(t *testing.T) {
			b := newBench(t, ConnConfig{MaxBody: 100})
			_, o := b.get("/a")
			answer(b, b.take(), pattern(64), tagged(0, true, 2, "1"))
			answer(b, b.take(), pattern(64), tagged(1, true, 2, "1"))
			wantErr(t, o.one(t).Err, ErrTooLarge)
			b.silent()
			b.clean()
		}},
		{"2.7/FETCH repeats its body only if it is in one message", func(t *testing.T) {
			b := newBench(t, ConnConfig{BlockSize: 64})
			for _, size := range []int{10, 100} {
				o := &outcome{}
				if err := b.c.Do(&Call{Code: FETCH, Body: pattern(size), Done: o.add}); err != nil {
					t.Fatal(err)
				}
				if size > 64 {
					m := b.take()
					b.put(Message{Type: Acknowledgement, Code: Continue, MessageID: m.MessageID, Token: m.Token, Options: block(OptionBlock1, 0, true, 2)})
				}
				answer(b, b.take(), pattern(64), tagged(0, true, 2, "1"))
				m := b.expect(Message{Type: Confirmable, Code: FETCH, Options: block(OptionBlock2, 1, false, 2)})
				if m.Options.Has(OptionBlock1) || (len(m.Payload) > 0) != (size <= 64) {
					t.Errorf("the next request has Block1 or %d bytes of body", len(m.Payload))
				}
				answer(b, m, pattern(1), tagged(1, false, 2, "1"))
				o.one(t)
			}
			b.clean()
		}},
		{"5.2.2/blocks in separate responses", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			_, o := b.get("/a")
			for i := range uint32(3) {
				m := b.take()
				b.put(Message{Type: Acknowledgement, MessageID: m.MessageID})
				resp := Message{Type: Confirmable, Code: Content, MessageID: uint16(i + 1), Token: m.Token,
					Options: tagged(i, i < 2, 2, "1"), Payload: pattern(64)}
				b.put(resp)
				b.expect(Message{Type: Acknowledgement, MessageID: uint16(i + 1)})
			}
			if o.one(t); o.bodies[0] != string(bytes.Repeat(pattern(64), 3)) {
				t.Errorf("%d bytes", len(o.bodies[0]))
			}
			b.clean()
		}},
	})
}

func TestRFC9175(t *testing.T) {
	check(t, []rule{
		{"2.3/Echo is repeated once", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			_, o := b.get("/a")
			for range 2 {
				m := b.take()
				b.put(Message{Type: Acknowledgement, Code: Unauthorized, MessageID: m.MessageID, Token: m.Token,
					Options: options(OptionEcho, "fresh")})
				if len(o.results) == 0 {
					b.expect(Message{Type: Confirmable, Code: GET, Options: options(OptionEcho, "fresh")})
					b.w.sent = append(b.w.sent, nil)[:0]
					next := b.c.oldestSent()
					b.put(Message{Type: Acknowledgement, Code: Unauthorized, MessageID: next.mid, Token: m.Token,
						Options: options(OptionEcho, "again")})
					break
				}
			}
			if r := o.one(t); r.Code != Unauthorized {
				t.Errorf("%+v", r)
			}
			b.clean()
		}},
		{"3.3/concurrent bodies for one resource differ in Request-Tag", func(t *testing.T) {
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
		{"2.1/extended tokens are echoed where they are allowed", func(t *testing.T) {
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
		{"2.2.2/unknown where they are not", func(t *testing.T) {
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
		{"2.1/FETCH with another body is another request", func(t *testing.T) {
			p := newDuo(t, socket.Datagram, ConnConfig{BlockSize: 64})
			p.b.h.serve = func(r *Request) { content(string(bytes.Repeat(r.Body(), 100)))(r) }
			for _, body := range []string{"a", "b"} {
				o := &outcome{}
				if err := p.a.c.Do(&Call{Code: FETCH, Body: []byte(body), Done: o.add}); err != nil {
					t.Fatal(err)
				}
				p.run()
				if o.one(t); o.bodies[0] != string(bytes.Repeat([]byte(body), 100)) {
					t.Errorf("%q", o.bodies[0])
				}
			}
		}},
	})
}
