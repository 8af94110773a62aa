package coap

import (
	"bytes"
	"errors"
	"testing"
)

// TestOneBlock fetches single blocks of a response, in an order of the caller's choice.
func TestOneBlock(t *testing.T) {
	b := newBench(t, ConnConfig{BlockSize: 64})
	o := &outcome{}
	var got Block
	call := &Call{Code: GET, OneBlock: true, Done: func(r Result) {
		if r.Err == nil {
			got, _ = r.Options.Block(OptionBlock2)
		}
		o.add(r)
	}}
	call.Options.AddPath("/a")
	call.Options.SetBlock(OptionBlock2, Block{Num: 3, SZX: 6})
	if err := b.c.Do(call); err != nil {
		t.Fatal(err)
	}
	// 3 blocks of 1024 bytes are 48 blocks of 64, the largest size of the connection.
	m := b.expect(Message{Type: Confirmable, Code: GET, Options: block(OptionBlock2, 48, false, 2)})
	b.put(Message{Type: Acknowledgement, Code: Content, MessageID: m.MessageID, Token: m.Token,
		Options: block(OptionBlock2, 96, true, 1), Payload: pattern(32)})
	r := o.onlyResult(t)
	if r.Code != Content || o.bodies[0] != string(pattern(32)) || got != (Block{Num: 96, More: true, SZX: 1}) {
		t.Errorf("%+v, block %+v", r, got)
	}
	b.clean()
	t.Run("a block that was not asked for is an error", func(t *testing.T) {
		*o = outcome{}
		if err := b.c.Do(call); err != nil {
			t.Fatal(err)
		}
		m := b.take()
		b.put(Message{Type: Acknowledgement, Code: Content, MessageID: m.MessageID, Token: m.Token,
			Options: block(OptionBlock2, 49, true, 2), Payload: pattern(64)})
		if r := o.onlyResult(t); !errors.Is(r.Err, ErrTransfer) {
			t.Errorf("%+v", r)
		}
	})
	t.Run("with a sink or an observation it is refused", func(t *testing.T) {
		for _, wrong := range []*Call{{Sink: &memSink{}}, {Observe: func(Result) {}}} {
			wrong.Code, wrong.OneBlock, wrong.Done = GET, true, func(Result) {}
			if err := b.c.Do(wrong); !errors.Is(err, ErrUsage) {
				t.Errorf("%v", err)
			}
		}
	})
}

// TestStatelessResponse asks the handler again for each block and keeps nothing in between.
func TestStatelessResponse(t *testing.T) {
	b := newBench(t, ConnConfig{})
	n, body := 0, pattern(150)
	b.h.serve = func(r *Request) {
		n++
		resp := r.Response()
		resp.Code, resp.Stateless = Content, true
		resp.Options.AddString(OptionETag, "v1")
		resp.Body = append(resp.Body, body...)
		if err := r.Respond(resp); err != nil {
			t.Error(err)
		}
	}
	var got []byte
	for i, num := range []uint32{0, 1, 2} {
		b.put(get2(uint16(i+1), num, 2))
		m := b.expect(ack(Content, uint16(i+1), block(OptionBlock2, num, num < 2, 2)))
		if tag, _ := m.Options.ETag(); string(tag) != "v1" {
			t.Errorf("ETag %q", tag)
		}
		if size, ok := m.Options.Uint(OptionSize2); ok != (num == 0) || ok && size != 150 {
			t.Errorf("block %d has Size2 %d", num, size)
		}
		got = append(got, m.Payload...)
	}
	if !bytes.Equal(got, body) || n != 3 {
		t.Errorf("%d bytes, served %d times", len(got), n)
	}
	b.put(get2(9, 3, 2)) // beyond the end
	b.expect(ack(BadRequest, 9, Options{}))
	b.clean()
}
