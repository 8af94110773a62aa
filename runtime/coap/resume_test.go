package coap

import (
	"errors"
	"testing"
	"testing/synctest"
)

// TestResume continues an observation on a new connection of the same session.
func TestResume(t *testing.T) { synctest.Test(t, testResume) }

func testResume(t *testing.T) {
	b, ends := newBench(t, ConnConfig{}), &cancels{}
	o := b.observe(1, "tk", ends)
	o.Notify(note("one", true, nil))
	one := b.take()
	before := sequenceOf(t, one)
	b.put(Message{Type: Acknowledgement, MessageID: one.MessageID})
	if _, err := b.c.Resume(o); !errors.Is(err, ErrUsage) {
		t.Errorf("one that goes on is resumed: %v", err)
	}
	b.c.Close(nil)
	if len(ends.why) != 1 || ends.why[0] != ObserveClosed {
		t.Fatalf("ends %v", ends.why)
	}
	if _, err := b.c.Resume(o); !errors.Is(err, ErrClosed) {
		t.Errorf("on a closed connection: %v", err)
	}
	closed := b.c
	b.start(ConnConfig{})
	next, err := b.c.Resume(o)
	if err != nil {
		t.Fatal(err)
	}
	if next.Conn() != b.c || string(next.Token()) != "tk" || next.Ended() {
		t.Error("the observation is not as it was")
	}
	next.Notify(note("two", false, nil))
	m := b.expect(Message{Type: NonConfirmable, Code: Content, Token: []byte("tk"), Payload: []byte("two")})
	if after := sequenceOf(t, m); closed.observations.sequence&(1<<24-1) != before || after <= before && before < 1<<23 {
		t.Errorf("sequence %d after %d", after, before)
	}
	// The peer ends it like any other.
	b.put(Message{Type: Reset, MessageID: m.MessageID})
	if len(ends.why) != 2 || ends.why[1] != ObserveReset || !next.Ended() {
		t.Errorf("ends %v", ends.why)
	}
	// The same token twice: the later one counts.
	a, err := b.c.Resume(o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.c.Resume(o); err != nil || !a.Ended() || ends.why[2] != ObserveReplaced {
		t.Errorf("resumed twice: %v, ends %v", err, ends.why)
	}
	other := newBench(t, ConnConfig{})
	if _, err := other.c.Resume(o); !errors.Is(err, ErrUsage) {
		t.Errorf("on another endpoint: %v", err)
	}
	b.c.Close(nil)
	if n := b.e.Memory(); n != 0 {
		t.Errorf("%d bytes are still accounted for", n)
	}
}

// TestRequestSink shows which sink a request's body was streamed to.
func TestRequestSink(t *testing.T) {
	b := newBench(t, ConnConfig{})
	sink := &memSink{}
	var got Sink
	b.h.head = func(r *Request) {
		if r.Sink() != nil {
			t.Error("there is a sink before Stream")
		}
		r.Stream(sink)
	}
	b.h.serve = func(r *Request) { got = r.Sink(); content("")(r) }
	b.put(put1(1, 0, true, 2, pattern(64)))
	b.put(put1(2, 1, false, 2, pattern(10)))
	if got != sink {
		t.Errorf("the sink is %v", got)
	}
	b.put(request(Confirmable, PUT, 3, "/a"))
	if got != nil {
		t.Errorf("a request without blocks has the sink %v", got)
	}
}
