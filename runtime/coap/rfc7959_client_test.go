package coap

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"
)

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
			if r := o.onlyResult(t); r.Code != Changed {
				t.Errorf("%+v", r)
			}
			b.clean()
		}},
		{"2.9.3/4.13 with a smaller size restarts the upload", func(t *testing.T) {
			b := newBench(t, ConnConfig{BlockSize: 128})
			o := upload(b, pattern(100))
			m := b.expect(Message{Type: Confirmable, Code: PUT})
			b.put(Message{Type: Acknowledgement, Code: RequestEntityTooLarge, MessageID: m.MessageID, Token: m.Token})
			if r := o.onlyResult(t); r.Code != RequestEntityTooLarge {
				t.Errorf("%+v", r)
			}
			o = upload(b, pattern(300))
			serve1(b, 0, true, 3, RequestEntityTooLarge, block(OptionBlock1, 0, true, 2))
			serve1(b, 0, true, 2, RequestEntityTooLarge, block(OptionBlock1, 0, true, 2))
			if r := o.onlyResult(t); r.Code != RequestEntityTooLarge {
				t.Errorf("%+v", r)
			}
			b.clean()
		}},
		{"2.9.2/4.08 ends the upload", func(t *testing.T) {
			b := newBench(t, ConnConfig{BlockSize: 128})
			o := upload(b, pattern(300))
			serve1(b, 0, true, 3, Continue, block(OptionBlock1, 0, true, 3))
			serve1(b, 1, true, 3, RequestEntityIncomplete, Options{})
			if r := o.onlyResult(t); r.Code != RequestEntityIncomplete {
				t.Errorf("%+v", r)
			}
			b.silent()
			b.clean()
		}},
		{"2.3/error ends the upload early", func(t *testing.T) {
			b := newBench(t, ConnConfig{BlockSize: 128})
			o := upload(b, pattern(300))
			serve1(b, 0, true, 3, Unauthorized, block(OptionBlock1, 0, false, 3))
			if r := o.onlyResult(t); r.Code != Unauthorized {
				t.Errorf("%+v", r)
			}
			b.silent()
			b.clean()
		}},
		{"2.3/acknowledgement of another block is an error", func(t *testing.T) {
			b := newBench(t, ConnConfig{BlockSize: 128})
			o := upload(b, pattern(300))
			serve1(b, 0, true, 3, Continue, block(OptionBlock1, 1, true, 3))
			wantErr(t, o.onlyResult(t).Err, ErrTransfer)
			o = upload(b, pattern(200))
			// Without the option the answer is about the last block.
			serve1(b, 0, true, 3, Continue, Options{})
			serve1(b, 1, false, 3, Continue, block(OptionBlock1, 1, true, 3))
			wantErr(t, o.onlyResult(t).Err, ErrTransfer) // there is no block after the last
			b.clean()
		}},
		{"2.3/body from a source", func(t *testing.T) {
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
			o.onlyResult(t)
			src = newSource(pattern(150)) // shorter than announced
			o = &outcome{}
			if err := b.c.Do(&Call{Code: PUT, Source: src, SourceSize: 200, Done: o.add}); err != nil {
				t.Fatal(err)
			}
			m = b.expect(Message{Type: Confirmable, Code: PUT})
			b.put(Message{Type: Acknowledgement, Code: Continue, MessageID: m.MessageID, Token: m.Token, Options: block(OptionBlock1, 0, true, 3)})
			wantErr(t, o.onlyResult(t).Err, io.ErrUnexpectedEOF)
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
			for i := uint32(2); i < 4; i++ { // smaller than the server's: late negotiation
				m = b.expect(Message{Type: Confirmable, Code: GET, Options: block(OptionBlock2, i, false, 2)})
				if got := string(m.Options.AppendPath(nil)); got != "/a" {
					t.Errorf("path %q", got)
				}
				answer(b, m, pattern(200)[64*i:min(200, 64*i+64)], tagged(i, i < 3, 2, "e"))
			}
			if r := o.onlyResult(t); r.Code != Content || o.bodies[0] != string(pattern(200)) {
				t.Fatalf("%+v, %d bytes", r, len(o.bodies[0]))
			}
			if f, _ := o.options[0].ContentFormat(); f != 11542 {
				t.Errorf("Content-Format %d", f)
			}
			b.clean()
		}},
		{"2.4/client begins at another block and block size", func(t *testing.T) {
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
			o.onlyResult(t)
			if o.bodies[0] != string(pattern(100)[64:]) {
				t.Errorf("%d bytes", len(o.bodies[0]))
			}
			b.clean()
		}},
		{"2.4/change of the resource restarts the transfer", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			_, o := b.get("/a")
			for i := range 3 {
				m := b.take()
				answer(b, m, pattern(64), tagged(0, true, 2, fmt.Sprint(i)))
				m = b.expect(Message{Type: Confirmable, Code: GET, Options: block(OptionBlock2, 1, false, 2)})
				answer(b, m, pattern(64), tagged(1, true, 2, "x"))
			}
			wantErr(t, o.onlyResult(t).Err, ErrChanged)
			_, o = b.get("/a")
			answer(b, b.take(), pattern(64), tagged(0, true, 2, "1"))
			answer(b, b.take(), pattern(64), tagged(1, true, 2, "2"))
			m := b.expect(Message{Type: Confirmable, Code: GET, Options: block(OptionBlock2, 0, false, 2)})
			answer(b, m, []byte("new"), tagged(0, false, 2, "2"))
			if r := o.onlyResult(t); r.Err != nil || o.bodies[0] != "new" {
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
				wantErr(t, o.onlyResult(t).Err, ErrTransfer)
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
			if r := o.onlyResult(t); r.Code != NotFound || len(sink.aborted) != 1 || sink.Len() != 64 {
				t.Errorf("%+v, aborted %v", r, sink.aborted)
			}
			b.clean()
		}},
		{"2.4/body goes to a sink", func(t *testing.T) {
			b := newBench(t, ConnConfig{MaxBody: 10})
			sink, o := &memSink{}, &outcome{}
			call := &Call{Code: GET, Sink: sink, Done: o.add}
			for range 2 { // a call can be used again
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
		{"7.2/body that is too large ends the transfer", func(t *testing.T) {
			b := newBench(t, ConnConfig{MaxBody: 100})
			_, o := b.get("/a")
			answer(b, b.take(), pattern(64), tagged(0, true, 2, "1"))
			answer(b, b.take(), pattern(64), tagged(1, true, 2, "1"))
			wantErr(t, o.onlyResult(t).Err, ErrTooLarge)
			b.silent()
			b.clean()
		}},
		{"2.7/FETCH repeats its body only if it fits one message", func(t *testing.T) {
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
				o.onlyResult(t)
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
			if o.onlyResult(t); o.bodies[0] != string(bytes.Repeat(pattern(64), 3)) {
				t.Errorf("%d bytes", len(o.bodies[0]))
			}
			b.clean()
		}},
	})
}
