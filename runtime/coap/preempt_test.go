package coap

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// update begins a request of high priority.
func (b *bench) update(code Code) *outcome {
	b.t.Helper()
	o := &outcome{}
	if err := b.c.Do(&Call{Code: code, Priority: PriorityHigh, Done: o.add}); err != nil {
		b.t.Fatal(err)
	}
	return o
}

// TestHighPriorityCallDoesNotWait: an Update leaves at once, whatever of lower priority is
// outstanding and however long it has been retransmitted (RFC 7252 §4.7).
func TestHighPriorityCallDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, outstanding := range []string{"notification", "call", "NON call", "ping", "separate response"} {
			for _, wait := range []time.Duration{0, time.Second, 5 * time.Second, 40 * time.Second} {
				for _, nstart := range []int{1, 3} {
					name := fmt.Sprint(outstanding, " after ", wait, " with NSTART ", nstart)
					b := newBench(t, ConnConfig{Params: Params{NStart: nstart}})
					obs := b.observe(1, "tk", &cancels{})
					var results []error
					for range nstart {
						b.begin(outstanding, obs, func(err error) { results = append(results, err) })
					}
					b.sleep(wait)
					b.w.sent = nil
					o := b.update(POST)
					m := b.expect(Message{Type: Confirmable, Code: POST})
					if d := b.c.datagrams; d.inflight != nstart {
						t.Errorf("%s: %d in flight", name, d.inflight)
					}
					second := b.update(DELETE)
					if nstart == 1 {
						b.silent() // NSTART holds for messages of high priority
					} else {
						b.expect(Message{Type: Confirmable, Code: DELETE})
					}
					b.put(Message{Type: Acknowledgement, Code: Changed, MessageID: m.MessageID, Token: m.Token})
					if r := o.onlyResult(t); r.Code != Changed {
						t.Errorf("%s: %v", name, r.Err)
					}
					if nstart == 1 {
						b.expect(Message{Type: Confirmable, Code: DELETE})
					}
					b.sleep(10 * time.Minute)
					second.onlyResult(t)
					if len(results) != nstart {
						t.Errorf("%s: %d of %d outcomes", name, len(results), nstart)
					}
					b.c.Close(nil)
					b.clean()
				}
			}
		}
	})
}

// begin sends a message that is outstanding from then on.
func (b *bench) begin(what string, obs *Observation, done func(error)) {
	b.t.Helper()
	var err error
	switch what {
	case "notification":
		err = obs.Notify(note("x", true, done))
	case "call", "NON call":
		err = b.c.Do(&Call{Code: POST, NonConfirmable: what != "call", Body: pattern(100), Done: func(r Result) { done(r.Err) }})
	case "ping":
		err = b.c.Ping(done)
	case "separate response":
		b.h.serve = func(r *Request) { r.Acknowledge(); content("x")(r) }
		b.put(request(Confirmable, GET, uint16(100+len(b.w.sent)), "/a"))
		done(nil)
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

// TestSuspendedNotification: what a message of high priority has suspended is not retransmitted
// until then, and goes on where it was.
func TestSuspendedNotification(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, ConnConfig{Params: Params{AckTimeout: 2 * time.Second, AckRandomFactor: 1}})
		obs := b.observe(1, "tk", &cancels{})
		var results []error
		obs.Notify(note("x", true, func(err error) { results = append(results, err) }))
		n := b.expect(Message{Type: Confirmable, Code: Content})
		b.sleep(time.Second)
		b.update(POST)
		m := b.expect(Message{Type: Confirmable, Code: POST})
		b.sleep(1500 * time.Millisecond)
		b.silent()
		b.put(Message{Type: Acknowledgement, Code: Changed, MessageID: m.MessageID, Token: m.Token})
		b.sleep(999 * time.Millisecond)
		b.silent()
		b.sleep(time.Millisecond)
		b.expect(Message{Type: Confirmable, Code: Content, MessageID: n.MessageID})
		// An acknowledgement counts while it is suspended.
		b.update(POST)
		m = b.expect(Message{Type: Confirmable, Code: POST})
		b.put(Message{Type: Acknowledgement, MessageID: n.MessageID})
		if len(results) != 1 || results[0] != nil {
			t.Errorf("results %v", results)
		}
		b.put(Message{Type: Acknowledgement, Code: Changed, MessageID: m.MessageID, Token: m.Token})
		b.sleep(time.Minute)
		b.silent()
		b.clean()
	})
}

// TestCancelledObservationFreesItsTurn: what is outstanding ends with the observation, and the next
// message leaves at once.
func TestCancelledObservationFreesItsTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, ConnConfig{})
		obs := b.observe(1, "tk", &cancels{})
		var results []error
		for range 3 {
			obs.Notify(note("x", true, func(err error) { results = append(results, err) }))
		}
		b.sleep(30 * time.Second)
		b.w.sent = nil
		_, o := b.get("/a")
		b.silent()
		obs.Cancel()
		m := b.expect(Message{Type: Confirmable, Code: GET})
		b.put(Message{Type: Acknowledgement, Code: Content, MessageID: m.MessageID, Token: m.Token})
		o.onlyResult(t)
		b.sleep(time.Hour)
		b.silent()
		if len(results) != 3 {
			t.Errorf("results %v", results)
		}
		b.clean()
	})
}
