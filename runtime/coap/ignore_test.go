package coap

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
)

// TestIgnore: an ignored request has no effect on the wire, and its retransmission is passed to the
// handler again (Core 1.2.2 §6.3: operations are ignored until the registration is completed).
func TestIgnore(t *testing.T) { synctest.Test(t, testIgnore) }

func testIgnore(t *testing.T) {
	for _, kind := range []Type{Confirmable, NonConfirmable} {
		for _, code := range []Code{GET, POST, PUT, DELETE, FETCH, PATCH, IPATCH} {
			for _, late := range []bool{false, true} {
				b := newBench(t, ConnConfig{Params: Params{AckDelay: time.Second}})
				ignore := func(r *Request) { r.Ignore() }
				var held *Request
				if late {
					b.h.serve = func(r *Request) { held = r }
				} else {
					b.h.serve = ignore
				}
				for i := range 3 {
					b.put(request(kind, code, 7, "/a"))
					if held != nil {
						b.sleep(500 * time.Millisecond)
						held.Ignore()
					}
					b.sleep(time.Minute / 2)
					b.silent()
					b.clean()
					if b.h.calls != i+1 {
						t.Fatalf("%v %v: passed to the handler %d times of %d", kind, code, b.h.calls, i+1)
					}
				}
				b.h.serve = content("x")
				b.put(request(kind, code, 7, "/a"))
				want := Acknowledgement
				if kind == NonConfirmable {
					want = NonConfirmable
				}
				b.expect(Message{Type: want, Code: Content, Payload: []byte("x")})
				b.put(request(kind, code, 7, "/a")) // recognized again from here on
				if b.h.calls != 4 {
					t.Errorf("%v %v: the answered request was served again", kind, code)
				}
				b.c.Close(nil)
				if n := b.e.Memory(); n != 0 {
					t.Errorf("%d bytes are still accounted for", n)
				}
			}
		}
	}
}

func TestIgnoreAfterAcknowledgement(t *testing.T) {
	b := newBench(t, ConnConfig{})
	b.h.serve = func(r *Request) {
		r.Acknowledge()
		r.Ignore()
		r.Ignore()
		wantErr(t, r.Respond(&Response{Code: Content}), ErrAnswered)
	}
	for range 2 {
		b.put(request(Confirmable, POST, 1, "/a"))
		b.expect(Message{Type: Acknowledgement, MessageID: 1})
		b.silent()
	}
	if b.h.calls != 2 {
		t.Errorf("served %d times, want 2", b.h.calls)
	}
	b.clean()
}

func TestIgnoreAnsweredRequest(t *testing.T) {
	b := newBench(t, ConnConfig{})
	b.h.serve = func(r *Request) { content("x")(r); r.Ignore() }
	for range 2 {
		b.put(request(Confirmable, POST, 1, "/a"))
		b.expect(Message{Type: Acknowledgement, Code: Content, MessageID: 1})
	}
	if b.h.calls != 1 {
		t.Errorf("served %d times, want once", b.h.calls)
	}
}

func TestIgnoreBodyInBlocks(t *testing.T) {
	for _, streamed := range []bool{false, true} {
		b := newBench(t, ConnConfig{})
		sink := &memSink{}
		b.h.head = func(r *Request) {
			if streamed {
				r.Stream(sink)
			}
			r.Ignore()
		}
		for range 3 {
			b.put(put1(1, 0, true, 2, pattern(64)))
			b.silent()
			b.clean()
		}
		if b.h.heads != 3 || b.h.calls != 0 || sink.Len() != 0 || len(sink.aborted) != 0 {
			t.Errorf("%d heads, %d calls, sink %+v", b.h.heads, b.h.calls, sink)
		}
		// The whole body has arrived: it is dropped.
		b.h.head, b.h.serve = nil, func(r *Request) { r.Ignore() }
		b.put(put1(2, 0, true, 2, pattern(64)))
		b.expect(ack(Continue, 2, Options{}))
		b.put(put1(3, 1, false, 2, pattern(10)))
		b.silent()
		b.clean()
	}
}

func TestIgnoreOverStream(t *testing.T) {
	b := newStreamBench(t, ConnConfig{}, csmBlockWise, "")
	var held *Request
	b.h.serve = func(r *Request) { r.Ignore() }
	b.put(Message{Code: GET, Token: []byte("t")})
	b.h.serve = func(r *Request) { held = r }
	b.put(Message{Code: GET, Token: []byte("u")})
	held.Ignore()
	b.silent()
	b.clean()
	if b.w.kind != socket.Stream || b.h.calls != 2 {
		t.Errorf("served %d times", b.h.calls)
	}
}

// TestResetRequest: a request is rejected by a Reset, and so are its retransmissions.
func TestResetRequest(t *testing.T) {
	b := newBench(t, ConnConfig{})
	b.h.serve = func(r *Request) {
		r.Reset()
		wantErr(t, r.Respond(&Response{Code: Content}), ErrAnswered)
	}
	for range 2 {
		b.put(request(Confirmable, POST, 1, "/a"))
		b.expect(Message{Type: Reset, MessageID: 1})
	}
	if b.h.calls != 1 {
		t.Errorf("served %d times, want once", b.h.calls)
	}
	b.put(request(NonConfirmable, POST, 2, "/a"))
	b.silent()
	b.h.serve = func(r *Request) { r.Acknowledge(); r.Reset() }
	b.put(request(Confirmable, POST, 3, "/a"))
	b.expect(Message{Type: Acknowledgement, MessageID: 3})
	b.silent()
	b.clean()
}
