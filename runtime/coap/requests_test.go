package coap

import (
	"testing"
	"testing/synctest"
	"time"
)

func newRequests(t *testing.T, h *script) (*requests, *recorder) {
	s, _ := newShared(t, ConnConfig{Handler: h, MaxQueue: 1})
	c := &recorder{s: s}
	s.carrier = c
	os := &observations{}
	os.init(s)
	return &requests{shared: s, transfers: &transfers{shared: s}, observations: os}, c
}

func TestRequests(t *testing.T) {
	confirmable := envelope{kind: Confirmable, mid: 1}
	t.Run("answer goes to the carrier", func(t *testing.T) {
		rs, c := newRequests(t, &script{serve: content("x")})
		rs.receive(&Message{Code: GET, Token: []byte("t")}, confirmable)
		if m := c.responses[0]; m.Code != Content || string(m.Token) != "t" || string(m.Payload) != "x" {
			t.Errorf("sent %v %q %q", m.Code, m.Token, m.Payload)
		}
		if rs.pending.n != 0 || rs.e.Memory() != 0 {
			t.Errorf("%d pending, %d bytes", rs.pending.n, rs.e.Memory())
		}
	})
	t.Run("late answer is acknowledged before", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var later *Request
			rs, c := newRequests(t, &script{serve: func(r *Request) { later = r }})
			rs.receive(&Message{Code: GET, Token: []byte("t")}, confirmable)
			if c.acked != 0 || rs.pending.n != 1 {
				t.Errorf("acknowledged %d times, %d pending", c.acked, rs.pending.n)
			}
			rs.receive(&Message{Code: GET}, envelope{kind: Confirmable, mid: 2}) // one too many
			if m := c.responses[0]; m.Code != ServiceUnavailable {
				t.Errorf("sent %v, want 5.03", m.Code)
			}
			_ = rs.e.sched.Sleep(t.Context(), time.Minute)
			rs.e.sched.Run()
			content("x")(later)
			if c.acked != 1 || len(c.responses) != 2 || rs.pending.n != 0 || rs.e.Memory() != 0 {
				t.Errorf("acknowledged %d times, %d responses, %d pending", c.acked, len(c.responses), rs.pending.n)
			}
		})
	})
	t.Run("body in blocks", func(t *testing.T) {
		var got string
		rs, c := newRequests(t, &script{serve: func(r *Request) {
			got = string(r.Body())
			content("")(r)
		}})
		for i, part := range []string{"0123456789abcdef", "01234"} {
			m := &Message{Code: PUT, Payload: []byte(part)}
			m.Options.SetBlock(OptionBlock1, Block{Num: uint32(i), More: i == 0})
			rs.receive(m, confirmable)
		}
		if got != "0123456789abcdef01234" || c.responses[0].Code != Continue || c.responses[1].Code != Content {
			t.Errorf("served %q after %v", got, c.responses[0].Code)
		}
		if rs.transfers.n != 0 || rs.e.Memory() != 0 {
			t.Errorf("%d transfers, %d bytes", rs.transfers.n, rs.e.Memory())
		}
	})
}
