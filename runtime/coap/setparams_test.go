package coap

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// TestSetParams changes the parameters while messages of all kinds are in flight and queued: what
// was sent keeps its parameters, all else has the new ones.
func TestSetParams(t *testing.T) {
	before := Params{AckTimeout: time.Second, AckRandomFactor: 1, MaxRetransmit: 1, NStart: 1, AckDelay: 4 * time.Second,
		ResponseTimeout: 20 * time.Second, ProbingRate: 1, MaxLatency: time.Second}
	after := Params{AckTimeout: 10 * time.Second, AckRandomFactor: 1, MaxRetransmit: -1, NStart: 2, AckDelay: time.Second,
		ResponseTimeout: 5 * time.Second, ProbingRate: 1000, MaxLatency: 10 * time.Second}
	change := func(t *testing.T, b *bench, p Params) {
		t.Helper()
		if err := b.c.SetParams(p); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name string
		test func(t *testing.T, b *bench)
	}{
		{"queued messages of all kinds leave when NSTART grows", func(t *testing.T, b *bench) {
			for _, kind := range []string{"notification", "call", "NON call", "ping", "separate response"} {
				b := newBench(t, ConnConfig{Params: before})
				obs := b.observe(1, "tk", &cancels{})
				b.get("/first")
				b.take()
				b.begin(kind, obs, func(error) {})
				b.w.sent = nil // the acknowledgement of a request that is answered separately
				change(t, b, after)
				if len(b.w.sent) != 1 {
					t.Errorf("%s: %d messages were sent, want 1", kind, len(b.w.sent))
				}
				b.c.Close(nil)
			}
		}},
		{"fewer are outstanding when NSTART shrinks", func(t *testing.T, b *bench) {
			change(t, b, after)
			for i := range 4 {
				b.get(fmt.Sprint("/", i))
			}
			first, second := b.take(), b.take()
			change(t, b, before)
			answer := func(m Message) {
				b.put(Message{Type: Acknowledgement, Code: Content, MessageID: m.MessageID, Token: m.Token})
			}
			answer(first)
			b.silent()
			answer(second)
			b.take()
			b.silent()
		}},
		{"message in flight keeps its time-outs and the queued one has the new", func(t *testing.T, b *bench) {
			_, first := b.get("/first")
			_, second := b.get("/second")
			b.take()
			one := after
			one.NStart = 1
			change(t, b, one)
			b.sleep(time.Second)
			b.take() // retransmitted once
			b.sleep(2 * time.Second)
			wantErr(t, first.onlyResult(t).Err, ErrTimeout)
			b.take()
			b.sleep(10*time.Second - 1)
			b.silent()
			if len(second.results) != 0 {
				t.Error("ended early")
			}
			b.sleep(1)
			wantErr(t, second.onlyResult(t).Err, ErrTimeout)
		}},
		{"suspended message goes on with its time-outs", func(t *testing.T, b *bench) {
			_, first := b.get("/first")
			b.take()
			b.update(POST)
			m := b.take()
			one := after
			one.NStart = 1
			change(t, b, one)
			b.sleep(5 * time.Second)
			b.put(Message{Type: Acknowledgement, Code: Changed, MessageID: m.MessageID, Token: m.Token})
			b.sleep(3 * time.Second)
			b.take()
			wantErr(t, first.onlyResult(t).Err, ErrTimeout)
		}},
		{"response time-out counts from the acknowledgement", func(t *testing.T, b *bench) {
			_, first := b.get("/first")
			m := b.take()
			change(t, b, after)
			b.put(Message{Type: Acknowledgement, MessageID: m.MessageID})
			b.sleep(5 * time.Second)
			wantErr(t, first.onlyResult(t).Err, ErrTimeout)
		}},
		{"request that waits for its answer keeps its delay", func(t *testing.T, b *bench) {
			b.h.serve = func(*Request) {}
			b.put(request(Confirmable, GET, 1, "/a"))
			change(t, b, after)
			b.put(request(Confirmable, GET, 2, "/b"))
			b.sleep(time.Second)
			b.expect(Message{Type: Acknowledgement, MessageID: 2})
			b.silent()
			b.sleep(3 * time.Second)
			b.expect(Message{Type: Acknowledgement, MessageID: 1})
		}},
		{"repetitions are recognized for the lifetime at their arrival", func(t *testing.T, b *bench) {
			b.h.serve = content("x")
			change(t, b, after) // 30 s
			b.put(request(Confirmable, GET, 1, "/a"))
			change(t, b, before) // 4 s
			b.put(request(Confirmable, GET, 2, "/a"))
			for _, wait := range []time.Duration{3 * time.Second, 2 * time.Second, 24 * time.Second, 2 * time.Second} {
				b.sleep(wait)
				b.put(request(Confirmable, GET, 1, "/a"))
			}
			if b.h.calls != 3 {
				t.Errorf("served %d times, want 3", b.h.calls)
			}
			b.put(request(Confirmable, GET, 2, "/a"))
			if b.h.calls != 4 {
				t.Errorf("served %d times, want 4", b.h.calls)
			}
			b.sleep(time.Minute)
			b.c.Close(nil)
			if n := b.e.Memory(); n != 0 {
				t.Errorf("%d bytes are still accounted for", n)
			}
		}},
		{"parameters that are refused change nothing", func(t *testing.T, b *bench) {
			if err := b.c.SetParams(Params{NStart: -1}); err == nil || b.c.Params().NStart != 1 {
				t.Errorf("%v, NSTART %d", err, b.c.Params().NStart)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, ConnConfig{Params: before})
				c.test(t, b)
				b.c.Close(nil)
			})
		})
	}
}
