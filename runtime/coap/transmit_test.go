package coap

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
)

// newTransmitter is a transmitter without a connection.
func newTransmitter(t *testing.T, cfg ConnConfig) (*transmitter, *wire) {
	s, w := newShared(t, cfg)
	x := &transmitter{}
	x.init(s)
	return x, w
}

// payloads are the payloads of what was sent.
func payloads(t *testing.T, w *wire) (p string) {
	t.Helper()
	for _, b := range w.sent {
		var m Message
		if err := m.ParseUDP(b); err != nil {
			t.Fatal(err)
		}
		p += string(m.Payload)
	}
	return p
}

func TestTransmitterOrdersByPriority(t *testing.T) {
	x, w := newTransmitter(t, ConnConfig{})
	o := &owner{}
	for _, m := range []struct {
		payload  string
		priority Priority
	}{
		{"first", PriorityNormal}, {" low", PriorityLow}, {" normal", PriorityNormal}, {" high", PriorityHigh},
		{" normal2", PriorityNormal}, {" high2", PriorityHigh}, {" low2", PriorityLow},
	} {
		_, err := x.queue(o, &Message{Code: POST, Payload: []byte(m.payload)}, sending{priority: m.priority})
		if err != nil {
			t.Fatal(err)
		}
		x.pump() // the first leaves at once
	}
	for len(x.sent.m) > 0 {
		x.oldest(nil).acknowledge()
	}
	if p := payloads(t, w); p != "first high high2 normal normal2 low low2" {
		t.Errorf("sent %q", p)
	}
	if len(o.outcomes) != 7 || o.over != 7 || x.inflight != 0 {
		t.Errorf("%d outcomes, %d ended, %d in flight", len(o.outcomes), o.over, x.inflight)
	}
}

func TestTransmitterBoundsEachPriority(t *testing.T) {
	x, _ := newTransmitter(t, ConnConfig{MaxQueue: 1})
	m := &Message{Code: POST}
	for _, p := range []Priority{PriorityLow, PriorityNormal, PriorityHigh} {
		if _, err := x.queue(&owner{}, m, sending{priority: p}); err != nil {
			t.Errorf("priority %d: %v", p, err)
		}
		_, err := x.queue(&owner{}, m, sending{priority: p})
		wantErr(t, err, ErrBusy)
	}
}

func TestTransmitterRetransmits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, w := newTransmitter(t, ConnConfig{Params: Params{MaxRetransmit: 2}})
		o := &owner{}
		sealed := 0
		protect := func(m *Message) error {
			sealed++
			m.Payload = []byte("sealed")
			return nil
		}
		if _, err := x.queue(o, &Message{Code: POST, Payload: []byte("plain")}, sending{protect: protect}); err != nil {
			t.Fatal(err)
		}
		if sealed != 0 {
			t.Error("protected before its turn")
		}
		x.pump()
		for range 60 {
			_ = x.e.sched.Sleep(t.Context(), time.Second)
			x.e.sched.Run()
		}
		if p := payloads(t, w); p != "sealedsealedsealed" || sealed != 1 {
			t.Errorf("sent %q, protected %d times", p, sealed)
		}
		if len(o.outcomes) != 1 || !errors.Is(o.outcomes[0], ErrTimeout) || x.stats.Retransmissions != 2 {
			t.Errorf("outcomes %v after %d retransmissions", o.outcomes, x.stats.Retransmissions)
		}
	})
}

func TestTransmitterClose(t *testing.T) {
	x, _ := newTransmitter(t, ConnConfig{Params: Params{NStart: 2}})
	o := &owner{}
	for range 5 {
		if _, err := x.queue(o, &Message{Code: POST}, sending{}); err != nil {
			t.Fatal(err)
		}
		x.pump()
	}
	if x.inflight != 2 || x.waiting.len() != 3 {
		t.Fatalf("%d in flight, %d waiting", x.inflight, x.waiting.len())
	}
	x.closed = ErrClosed
	x.close(ErrClosed)
	if len(o.outcomes) != 5 || x.inflight != 0 || x.waiting.len() != 0 || x.e.sched.Len() != 0 {
		t.Errorf("%d outcomes, %d in flight, %d waiting, %d jobs",
			len(o.outcomes), x.inflight, x.waiting.len(), x.e.sched.Len())
	}
}

// TestHighPriorityCallPassesNotifications: with NSTART 1 and confirmable notifications in the
// queue, a request of high priority is sent next.
func TestHighPriorityCallPassesNotifications(t *testing.T) {
	b := newBench(t, ConnConfig{})
	var obs *Observation
	b.h.serve = func(r *Request) { obs, _ = r.RespondObserve(&Response{Code: Content}, &cancels{}) }
	b.put(Message{Type: Confirmable, Code: GET, MessageID: 1, Token: []byte("t"), Options: options(OptionObserve, "")})
	b.take()
	for _, body := range []string{"1", "2", "3"} {
		n := &Notification{Confirmable: true}
		n.Code, n.Body = Content, []byte(body)
		if err := obs.Notify(n); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range []Priority{PriorityNormal, PriorityHigh} {
		call := &Call{Code: POST, Body: []byte("update"), Priority: p, Done: func(Result) {}}
		if err := b.c.Do(call); err != nil {
			t.Fatal(err)
		}
	}
	acknowledge := func(m Message) { b.put(Message{Type: Acknowledgement, MessageID: m.MessageID}) }
	acknowledge(b.expect(Message{Code: Content, Payload: []byte("1")}))
	acknowledge(b.expect(Message{Code: POST, Payload: []byte("update")}))
	acknowledge(b.expect(Message{Code: Content, Payload: []byte("2")}))
	acknowledge(b.expect(Message{Code: Content, Payload: []byte("3")}))
	acknowledge(b.expect(Message{Code: POST, Payload: []byte("update")}))
	b.silent()
}

func TestUnknownPriority(t *testing.T) {
	for _, kind := range []socket.Kind{socket.Datagram, socket.Stream} {
		d := newDuo(t, kind, ConnConfig{})
		for _, p := range []Priority{-2, 2} {
			wantErr(t, d.a.c.Do(&Call{Code: GET, Priority: p, Done: func(Result) {}}), ErrUsage)
		}
	}
}
