package coap

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestDuplicatesForget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newShared(t, ConnConfig{Params: Params{AckTimeout: time.Second, MaxLatency: time.Second}})
		d := &duplicates{}
		d.init(s)
		d.storeAnswer(d.add(&Message{MessageID: 7}, s.e.sched.Now()), []byte("answer"))
		a := d.find(&Message{MessageID: 7}, s.e.sched.Now())
		if a == nil || a.react != reactAnswer || string(d.answer(a)) != "answer" {
			t.Fatalf("found %v", a)
		}
		if d.find(&Message{MessageID: 8}, s.e.sched.Now()) != nil {
			t.Error("found what was not added")
		}
		if d.charged == 0 || s.e.Memory() != d.charged {
			t.Errorf("%d bytes charged, %d in use", d.charged, s.e.Memory())
		}
		_ = s.e.sched.Sleep(t.Context(), time.Duration(s.lifetime[Confirmable]))
		s.e.sched.Run()
		if d.find(&Message{MessageID: 7}, s.e.sched.Now()) != nil || d.charged != 0 || s.e.Memory() != 0 || s.e.sched.Len() != 0 {
			t.Errorf("after the lifetime: %d bytes, %d jobs", d.charged, s.e.sched.Len())
		}
	})
}

func TestDuplicatesBounded(t *testing.T) {
	s, _ := newShared(t, ConnConfig{MaxHistory: 1024})
	d := &duplicates{}
	d.init(s)
	for mid := range uint16(1000) {
		d.storeAnswer(d.add(&Message{MessageID: mid}, s.e.sched.Now()), make([]byte, 100))
		if d.charged > 1024 {
			t.Fatalf("%d bytes", d.charged)
		}
	}
	if d.find(&Message{MessageID: 999}, s.e.sched.Now()) == nil || d.find(&Message{}, s.e.sched.Now()) != nil {
		t.Error("the newest message must be remembered and the oldest forgotten")
	}
	d.close()
	if s.e.Memory() != 0 || s.e.sched.Len() != 0 {
		t.Errorf("%d bytes, %d jobs after close", s.e.Memory(), s.e.sched.Len())
	}
}

// A repetition that has arrived before the machine was suspended, or in the meantime, is recognized
// although it is read when the lifetime of its message ID has passed.
func TestRepetitionReadAfterSuspension(t *testing.T) {
	for _, asleep := range []time.Duration{time.Second, 248 * time.Second, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			b.h.serve = content("once")
			request := func() {
				t.Helper()
				if err := b.put(Message{Type: Confirmable, Code: POST, MessageID: 7, Token: []byte{1}}); err != nil {
					t.Fatal(err)
				}
				if m := b.take(); string(m.Payload) != "once" {
					t.Errorf("answered with %+v", m)
				}
			}
			request()
			b.s.Leap(asleep)
			b.s.Run() // the jobs that are due come first
			if request(); b.h.calls != 1 {
				t.Errorf("suspended for %v: the request is served %d times", asleep, b.h.calls)
			}
			b.sleep(5 * time.Minute)
			if request(); b.h.calls != 2 {
				t.Errorf("suspended for %v: the message ID never expires", asleep)
			}
		})
	}
}

// A peer that has restarted may choose message IDs that it has used a moment ago. Its requests have
// other tokens then, and are served: the stored answers would be of no use to it. This also holds
// over a restart of this side.
func TestMessageIDsOfAPeerThatHasRestarted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, ConnConfig{})
		b.h.serve = content("answer")
		request := func(token string, calls int) {
			t.Helper()
			if err := b.put(Message{Type: Confirmable, Code: PUT, MessageID: 7, Token: []byte(token)}); err != nil {
				t.Fatal(err)
			}
			if m := b.take(); string(m.Token) != token || string(m.Payload) != "answer" {
				t.Errorf("a request with the token %s is answered with %+v", token, m)
			}
			if b.h.calls != calls {
				t.Errorf("%d requests are served, want %d", b.h.calls, calls)
			}
		}
		request("before", 1)
		request("after", 2)
		request("before", 2) // repetitions of both are recognized
		request("after", 2)
		b.continueWith(b.c.Save(), true, ConnConfig{})
		request("after", 2)
		request("before", 2)
		request("later", 3)
	})
}
