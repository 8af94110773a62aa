package firmwareupdate_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/objects/internal/objecttest"
	"github.com/lwm2mgen/toolkit/runtime/store"
)

// slowStore is a store of which Apply waits for the gate, if there is one.
type slowStore struct {
	*objecttest.Records
	gate atomic.Pointer[chan struct{}]
}

func (s *slowStore) Apply(changes ...store.Change) error {
	if gate := s.gate.Load(); gate != nil {
		<-*gate
	}
	return s.Records.Apply(changes...)
}

// A request that waits behind a change which cannot be stored is refused with it, and has no effect
// when the store works again.
func TestRequestsBehindAStoreThatFails(t *testing.T) {
	in(t, func(t *testing.T) {
		b := newBoard()
		s := &slowStore{Records: &b.records}
		c := b.config()
		c.Store = s
		r := boot(t, b, c)
		r.ok("push", r.upload("firmware 2.0"))
		r.shows(2, 0)
		gate := make(chan struct{})
		s.gate.Store(&gate)
		r.ok("Severity", r.Write("/5/0/11", dm.IntegerValue(2)))
		synctest.Wait() // it is being stored
		answer := make(chan error, 1)
		go func() { answer <- r.execute("/5/0/2") }()
		synctest.Wait()
		b.fill(true)
		s.gate.Store(nil)
		close(gate)
		select {
		case err := <-answer:
			r.refused("Update", err, dm.InternalServerError)
		case <-time.After(time.Hour):
			t.Error("Update is not answered")
		}
		b.fill(false)
		time.Sleep(5 * time.Minute)
		r.shows(2, 8)
		if len(b.installs) > 0 {
			t.Errorf("installed %v, although Update was refused", b.installs)
		}
		r.ok("Update", r.execute("/5/0/2"))
		r.shows(0, 1)
	})
}
