package coap

import "testing"

func newCalls(t *testing.T) (*calls, *recorder) {
	s, _ := newShared(t, ConnConfig{})
	c := &recorder{s: s}
	s.carrier = c
	return &calls{shared: s}, c
}

func TestCalls(t *testing.T) {
	t.Run("request goes to the carrier and its response to the caller", func(t *testing.T) {
		cs, c := newCalls(t)
		o := &outcome{}
		call := &Call{Code: GET, Priority: PriorityHigh, Done: o.add}
		if err := cs.do(call); err != nil {
			t.Fatal(err)
		}
		token := c.queued[0].Token
		if cs.find(token) != call || c.how[0].priority != PriorityHigh || c.how[0].protect != nil {
			t.Errorf("token %x, sent %+v", token, c.how[0])
		}
		m := &Message{Code: Content, Token: token, Payload: []byte("x")}
		call.respond(m, call.admit(m))
		if r := o.onlyResult(t); r.Err != nil || o.bodies[0] != "x" || cs.find(token) != nil || cs.active.n != 0 {
			t.Errorf("%v %q, %d active", r.Err, o.bodies[0], cs.active.n)
		}
	})
	t.Run("blocks are asked for one by one", func(t *testing.T) {
		cs, c := newCalls(t)
		o := &outcome{}
		call := &Call{Code: GET, Priority: PriorityLow, Done: o.add}
		if err := cs.do(call); err != nil {
			t.Fatal(err)
		}
		body := pattern(2500)
		for i := range 3 {
			b := Block{Num: uint32(i), SZX: 6, More: i < 2}
			m := &Message{Code: Content, Payload: body[i*1024 : min(i*1024+1024, 2500)]}
			m.Options.SetBlock(OptionBlock2, b)
			call.respond(m, nil)
		}
		if r := o.onlyResult(t); r.Err != nil || o.bodies[0] != string(body) || len(c.queued) != 3 {
			t.Errorf("%v, %d bytes, %d messages", r.Err, len(o.bodies[0]), len(c.queued))
		}
		if b, ok := c.queued[2].Options.Block(OptionBlock2); !ok || b.Num != 2 || c.how[2].priority != PriorityLow {
			t.Errorf("asked for %v with priority %d", b, c.how[2].priority)
		}
	})
	t.Run("acknowledged and never answered", func(t *testing.T) {
		cs, _ := newCalls(t)
		o := &outcome{}
		call := &Call{Code: GET, Done: o.add}
		for range 2 {
			if err := cs.do(call); err != nil {
				t.Fatal(err)
			}
			if call.Acknowledged() {
				t.Error("acknowledged before the acknowledgement")
			}
			call.onAck()
			call.expire()
			if !call.Acknowledged() {
				t.Error("not acknowledged after the time-out")
			}
		}
		for _, r := range o.results {
			wantErr(t, r.Err, ErrTimeout)
		}
	})
	t.Run("refused by the carrier", func(t *testing.T) {
		cs, c := newCalls(t)
		c.err = ErrBusy
		wantErr(t, cs.do(&Call{Code: GET, Done: func(Result) { t.Error("Done was called") }}), ErrBusy)
		if cs.active.n+len(cs.byToken.m) != 0 {
			t.Errorf("%d active", cs.active.n)
		}
	})
	t.Run("close ends them in order", func(t *testing.T) {
		cs, _ := newCalls(t)
		order := ""
		for _, name := range []string{"a", "b", "c"} {
			if err := cs.do(&Call{Code: GET, Done: func(Result) { order += name }}); err != nil {
				t.Fatal(err)
			}
		}
		cs.close(ErrClosed)
		if order != "abc" {
			t.Errorf("ended in the order %q", order)
		}
	})
}
