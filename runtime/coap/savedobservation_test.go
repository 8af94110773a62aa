package coap

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// isNewer reports whether a notification is newer than another one that arrived within 128 s
// (RFC 7641 §3.4).
func isNewer(a, than uint32) bool {
	return than < a && a-than < 1<<23 || than > a && than-a > 1<<23
}

// TestRestoredObservation continues an observation in another process, with its block size, its
// snapshot for the next blocks, and its numbers.
func TestRestoredObservation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, ConnConfig{})
		var o *Observation
		b.h.serve = func(r *Request) {
			resp := r.Response()
			resp.Code = Content
			o, _ = r.RespondObserve(resp, &cancels{})
		}
		m := register(Confirmable, 1, "tk")
		m.Options.SetBlock(OptionBlock2, Block{SZX: 2})
		b.put(m)
		b.take()
		o.Notify(note("one", false, nil))
		one := b.take()
		saved, conn := o.Save(), b.c.Save()
		b.continueWith(conn, true, ConnConfig{})
		ends := &cancels{}
		o, err := b.c.Restore(saved, ends)
		if err != nil {
			t.Fatal(err)
		}
		if string(o.Token()) != "tk" || o.Conn() != b.c || o.Ended() || b.e.Memory() != o.bytes()+b.c.datagrams.seen.charged {
			t.Errorf("token %q, ended %v, %d bytes", o.Token(), o.Ended(), b.e.Memory())
		}
		b.sleep(5 * time.Second)
		o.Notify(note(string(pattern(100)), false, nil))
		two := b.expect(Message{Type: NonConfirmable, Code: Content, Token: []byte("tk"), Payload: pattern(100)[:64]})
		if first, second := sequenceOf(t, one), sequenceOf(t, two); second != first+1 {
			t.Errorf("number %d after %d", second, first)
		}
		next := request(Confirmable, GET, 2, "/3303/0/5700")
		next.Options.SetBlock(OptionBlock2, Block{Num: 1, SZX: 2})
		b.put(next)
		b.expect(Message{Type: Acknowledgement, Code: Content, Payload: pattern(100)[64:]})
		// The reset of a notification of the first process still counts.
		b.put(Message{Type: Reset, MessageID: one.MessageID})
		if !o.Ended() || len(ends.why) != 1 || ends.why[0] != ObserveReset {
			t.Errorf("ended %v: %v", o.Ended(), ends.why)
		}
	})
}

// TestRestoredConfirmable: a notification stays due to be confirmable over a restart.
func TestRestoredConfirmable(t *testing.T) {
	for name, c := range map[string]struct {
		unsure  bool
		pause   time.Duration
		message Type
	}{
		"soon":                     {false, time.Hour, NonConfirmable},
		"last not acknowledged":    {true, time.Hour, Confirmable},
		"24 hours without a check": {false, 24 * time.Hour, Confirmable},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, ConnConfig{})
				o := b.observe(1, "tk", &cancels{})
				o.unsure = c.unsure
				saved := o.Save()
				_ = sched.New().Sleep(t.Context(), c.pause)
				b.continueWith(nil, true, ConnConfig{})
				o, err := b.c.Restore(saved, &cancels{})
				if err != nil {
					t.Fatal(err)
				}
				o.Notify(note("next", false, nil))
				b.expect(Message{Type: c.message, Code: Content})
			})
		})
	}
}

// TestRestoredNumbers: without the blob of the connection, the numbers are newer than all that the
// process has sent after the observation was saved.
func TestRestoredNumbers(t *testing.T) {
	for name, c := range map[string]struct {
		sent  uint32 // after Save
		age   time.Duration
		shift time.Duration // of the wall clock
	}{
		"at once":            {0, 0, 0},
		"a second":           {1000, time.Second, 0},
		"the fastest":        {32767, time.Second, 0},
		"an hour":            {3_000_000, time.Hour, 0},
		"the clock set back": {3_000_000, time.Minute, -time.Hour},
	} {
		for _, start := range []uint32{0, 1<<24 - 5, 1 << 23} {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b := newBench(t, ConnConfig{})
					b.c.observations.sequence = start
					o := b.observe(1, "tk", &cancels{})
					saved := shiftWall(o.Save(), -c.shift)
					b.c.observations.sequence = (b.c.observations.sequence + c.sent) & (1<<24 - 1)
					last := b.c.observations.sequence
					_ = sched.New().Sleep(t.Context(), c.age)
					b.continueWith(nil, true, ConnConfig{})
					o, err := b.c.Restore(saved, &cancels{})
					if err != nil {
						t.Fatal(err)
					}
					for range 3 {
						o.Notify(note("next", true, nil))
						m := b.take()
						if n := sequenceOf(t, m); !isNewer(n, last) {
							t.Fatalf("number %d after %d", n, last)
						} else {
							last = n
						}
						b.put(Message{Type: Acknowledgement, MessageID: m.MessageID})
					}
				})
			})
		}
	}
}

func TestRestoreRefused(t *testing.T) {
	b := newBench(t, ConnConfig{MaxObservations: 1})
	o := b.observe(1, "tk", &cancels{})
	saved := o.Save()
	b.continueWith(nil, true, ConnConfig{MaxObservations: 1})
	refused := func(name string, want error, saved []byte, observer Observer) {
		t.Helper()
		before := b.e.Memory()
		if o, err := b.c.Restore(saved, observer); !errors.Is(err, want) || o != nil {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
		if b.e.Memory() != before {
			t.Errorf("%s: %d bytes accounted for, were %d", name, b.e.Memory(), before)
		}
	}
	refused("nothing", ErrUsage, nil, &cancels{})
	refused("a connection's blob", ErrUsage, b.c.Save(), &cancels{})
	refused("no observer", ErrUsage, saved, nil)
	for n := range len(saved) {
		if _, ok := parseSavedObservation(saved[:n]); ok {
			t.Errorf("%d of %d bytes pass for a blob", n, len(saved))
		}
	}
	if _, err := b.c.Restore(saved, &cancels{}); err != nil {
		t.Fatal(err)
	}
	o.token = []byte("other")
	refused("too many", ErrBusy, o.Save(), &cancels{})
	o.token = make([]byte, 9)
	refused("a token that is too long", ErrUsage, o.Save(), &cancels{})
	o.token, o.binding = []byte("tk"), someBinding{}
	refused("with a binding", ErrUsage, o.Save(), &cancels{})
	b.c.Close(nil)
	refused("closed", ErrClosed, saved, &cancels{})
}

// someBinding is the binding of some Layer.
type someBinding struct{ Binding }

// FuzzSavedObservation restores an observation from any bytes, uses it, and saves it again.
func FuzzSavedObservation(f *testing.F) {
	b := richConn(f)
	f.Add(withoutChecksum(b.c.observations.head.value.Save()))
	f.Add(withoutChecksum(newBench(f, ConnConfig{}).observe(9, "", &cancels{}).Save()))
	f.Fuzz(func(t *testing.T, saved []byte) {
		e := newEndpoint(t, 1)
		c, err := e.NewConn(ConnConfig{Socket: &wire{kind: socket.Datagram, mtu: 1232}})
		if err != nil {
			t.Fatal(err)
		}
		if o, err := c.Restore(appendChecksum(saved), &cancels{}); err == nil {
			_ = o.Notify(note("first", false, nil))
			_ = o.Notify(note(string(pattern(2000)), true, nil))
			if _, ok := parseSavedObservation(o.Save()); !ok {
				t.Fatal("what was saved again cannot be read")
			}
		} else if !errors.Is(err, ErrUsage) {
			t.Fatal(err)
		}
		c.Close(nil)
		if e.Memory() != 0 || e.sched.Len() != 0 {
			t.Fatalf("%d bytes and %d jobs left", e.Memory(), e.sched.Len())
		}
	})
}
