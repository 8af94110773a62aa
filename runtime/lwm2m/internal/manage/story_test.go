package manage

import (
	"context"
	"fmt"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/generated/temperature"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// story is an observation and what happens to it in virtual time.
type story struct {
	*rig
	p     *remote
	notes *[]reply
	call  *coap.Call
}

// observing begins an observation of target, as text.
func observing(t *testing.T, o setup, target string, before ...string) *story {
	t.Helper()
	r := newRig(t, o)
	s := &story{rig: r, p: r.peers[0]}
	r.must(s.p.end.Ping(func(error) {})) // the round-trip time is known, as after a Register
	for _, line := range before {
		if got := s.p.do(to(line)); got.code != coap.Changed {
			t.Fatalf("%s: %v", line, got.code)
		}
	}
	var first reply
	first, s.notes, s.call = s.p.watch(to("GET " + target).accepting(content.Text))
	if first.code != coap.Content {
		t.Fatalf("Observe is answered %v %q", first.code, first.body)
	}
	if !first.options.Has(coap.OptionObserve) {
		t.Fatal("the answer begins no observation")
	}
	return s
}

// expect lets time pass and expects exactly these notifications since the previous call.
func (s *story) expect(d time.Duration, want ...string) {
	s.t.Helper()
	s.pass(d)
	var got []string
	for _, n := range *s.notes {
		switch {
		case n.err != nil:
			got = append(got, n.err.Error())
		case n.code != coap.Content:
			got = append(got, n.code.String())
		default:
			got = append(got, n.body)
		}
	}
	*s.notes = nil
	if fmt.Sprint(got) != fmt.Sprint(want) {
		s.t.Errorf("notified %v, want %v", got, want)
	}
}

// label changes a stored resource as the application.
func (s *story) label(v string) {
	s.t.Helper()
	err := s.dev.things.Update(context.Background(), 1, func(i *temperature.Instance) error {
		i.ApplicationType.Set(v)
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// write writes a resource as text, in a transaction of its own.
func (s *story) write(who dm.Origin, p dm.Path, text string) {
	s.t.Helper()
	v := dm.StringValue(text)
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		v = dm.IntegerValue(n)
	}
	tx, err := s.model.Begin(context.Background(), who)
	s.must(err)
	defer tx.Rollback()
	s.must(tx.Write(p, dm.Update, []dm.Entry{{Path: p, Value: v}}))
	s.must(tx.Commit())
}

// samples returns how often the live value was read since the previous call.
func (s *story) samples() int {
	n := s.dev.samples
	s.dev.samples = 0
	return n
}

// released is a device whose slow functions return at once.
func released() setup {
	o := device12
	o.world = func(w *world) { close(w.release) }
	return o
}

// slowStory observes a value of a slow function, which returns another one at each call.
type slowStory struct {
	*story
	calls atomic.Int32
	held  atomic.Pointer[chan struct{}] // what a call waits for
}

func observingSlow(t *testing.T, before string) *slowStory {
	s := &slowStory{story: observing(t, released(), "/3303/0/5601", before)}
	s.dev.minimum = func() (float64, error) {
		if held := s.held.Load(); held != nil {
			<-*held
		}
		return -3.5 - float64(s.calls.Add(1)), nil
	}
	return s
}

// hold makes the function wait until open is called.
func (s *slowStory) hold() (open func()) {
	held := make(chan struct{})
	s.held.Store(&held)
	return func() { s.held.Store(nil); close(held) }
}
