package coap

import (
	"testing"
)

// A fakeReceiver records what a carrier hands up.
type fakeReceiver struct {
	requests []Message
	env      envelope
	waiting  *fakeRequester
	resets   []uint16
	pending  []uint16
}

func (f *fakeReceiver) handleRequest(m *Message, env envelope) {
	f.requests, f.env = append(f.requests, copyOf(m)), env
}

func (f *fakeReceiver) findRequester(token []byte) requester {
	if f.waiting == nil || !f.waiting.hasToken(token) {
		return nil
	}
	return f.waiting
}

func (f *fakeReceiver) handleReset(mid uint16) bool { f.resets = append(f.resets, mid); return true }

func (*fakeReceiver) handleSettings() {}

func (f *fakeReceiver) acknowledgePending(mid uint16) { f.pending = append(f.pending, mid) }

// A fakeRequester is a request with the token "t".
type fakeRequester struct {
	owner
	refusal   error
	completed int
	responses []Message
}

func (f *fakeRequester) hasToken(token []byte) bool { return string(token) == "t" }
func (f *fakeRequester) admit(*Message) error       { return f.refusal }
func (f *fakeRequester) isCrossing(*Message) bool   { return false }
func (f *fakeRequester) complete()                  { f.completed++ }
func (f *fakeRequester) respond(m *Message, err error) {
	f.responses = append(f.responses, copyOf(m))
}

func TestDatagrams(t *testing.T) {
	start := func(t *testing.T) (*datagrams, *fakeReceiver, *bench) {
		s, w := newShared(t, ConnConfig{})
		up := &fakeReceiver{waiting: &fakeRequester{}}
		return newDatagrams(s, up), up, &bench{t: t, w: w}
	}
	arrive := func(t *testing.T, d *datagrams, m Message) {
		t.Helper()
		b, err := m.AppendUDP(nil)
		if err != nil {
			t.Fatal(err)
		}
		d.handle(b)
	}
	t.Run("request goes up once", func(t *testing.T) {
		d, up, b := start(t)
		request := Message{Type: Confirmable, Code: GET, MessageID: 5, Token: []byte("r")}
		arrive(t, d, request)
		arrive(t, d, request)
		if len(up.requests) != 1 || up.env.mid != 5 || up.env.kind != Confirmable || len(up.pending) != 1 {
			t.Fatalf("%d requests, %+v, %d still pending", len(up.requests), up.env, len(up.pending))
		}
		r := &Request{requestState: requestState{envelope: up.env}}
		if err := d.respond(r, &Message{Code: Content, Token: []byte("r")}, false); err != nil {
			t.Fatal(err)
		}
		arrive(t, d, request)
		for range 2 {
			b.expect(Message{Type: Acknowledgement, Code: Content, MessageID: 5, Token: []byte("r")})
		}
		if len(up.requests) != 1 || d.stats.Repeated != 2 {
			t.Errorf("%d requests, %d repeated", len(up.requests), d.stats.Repeated)
		}
	})
	t.Run("separate response is acknowledged", func(t *testing.T) {
		d, up, b := start(t)
		arrive(t, d, Message{Type: Confirmable, Code: Content, MessageID: 6, Token: []byte("t")})
		b.expect(Message{Type: Acknowledgement, MessageID: 6})
		if len(up.waiting.responses) != 1 || up.waiting.completed != 1 {
			t.Errorf("%d responses, completed %d times", len(up.waiting.responses), up.waiting.completed)
		}
	})
	t.Run("piggybacked response ends the retransmission", func(t *testing.T) {
		d, up, b := start(t)
		if _, err := d.queue(up.waiting, &Message{Code: GET, Token: []byte("t")}, sending{}); err != nil {
			t.Fatal(err)
		}
		d.pump()
		m := b.take()
		answer := Message{Type: Acknowledgement, Code: Content, MessageID: m.MessageID, Token: []byte("t")}
		up.waiting.refusal = errRefused
		arrive(t, d, answer)
		if d.inflight != 1 || d.stats.Ignored != 1 {
			t.Errorf("a refused response: %d in flight, %d ignored", d.inflight, d.stats.Ignored)
		}
		up.waiting.refusal = nil
		arrive(t, d, answer)
		if d.inflight != 0 || len(up.waiting.responses) != 1 {
			t.Errorf("%d in flight, %d responses", d.inflight, len(up.waiting.responses))
		}
	})
	t.Run("response to nothing is rejected", func(t *testing.T) {
		d, _, b := start(t)
		arrive(t, d, Message{Type: Confirmable, Code: Content, MessageID: 8, Token: []byte("?")})
		b.expect(Message{Type: Reset, MessageID: 8})
	})
	t.Run("reset of a notification goes up", func(t *testing.T) {
		d, up, _ := start(t)
		arrive(t, d, Message{Type: Reset, MessageID: 9})
		if len(up.resets) != 1 || up.resets[0] != 9 {
			t.Errorf("resets %v", up.resets)
		}
	})
}

func TestStreamAlone(t *testing.T) {
	s, w := newShared(t, ConnConfig{})
	up := &fakeReceiver{waiting: &fakeRequester{}}
	var failed error
	st := newStream(s, up, func(err error) { failed = err })
	if err := st.start(); err != nil || len(w.sent) != 1 {
		t.Fatalf("%v, %d messages", err, len(w.sent))
	}
	for _, m := range []Message{
		{Code: CSM}, {Code: GET, Token: []byte("r")}, {Code: Content, Token: []byte("t")}, {Code: Content, Token: []byte("?")},
	} {
		b, err := m.AppendTCP(nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range b { // in pieces of one byte
			if err := st.receive([]byte{c}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(up.requests) != 1 || !up.env.acked || len(up.waiting.responses) != 1 || s.stats.Ignored != 1 {
		t.Errorf("%d requests, %d responses, %d ignored", len(up.requests), len(up.waiting.responses), s.stats.Ignored)
	}
	wantErr(t, st.receive([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}), ErrFormat)
	if failed == nil {
		t.Error("a format error does not end the connection")
	}
	st.close(ErrClosed)
	if s.e.Memory() != 0 {
		t.Errorf("%d bytes are left", s.e.Memory())
	}
}
