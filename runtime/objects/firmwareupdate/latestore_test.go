package firmwareupdate_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/objects/firmwareupdate"
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
		severity := make(chan error, 1)
		go func() { severity <- r.Write("/5/0/11", dm.IntegerValue(2)) }()
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
		r.refused("Severity", <-severity, dm.InternalServerError)
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

// sizes is a Downloader that notes how much the storage holds when a download begins.
type sizes struct {
	*board
	held chan int64
}

func (s sizes) Download(ctx context.Context, uri string, storage firmwareupdate.Storage) error {
	s.held <- storage.Content().Size()
	return s.board.Download(ctx, uri, storage)
}

// A download begins with an empty storage, also where the image before it was refused a moment ago:
// otherwise it would continue with the bytes of that image.
func TestDownloadAfterARefusedImage(t *testing.T) {
	in(t, func(t *testing.T) {
		b := newBoard()
		b.download = func(context.Context, string) ([]byte, error) { return []byte("firmware 3.0"), nil }
		s, held := &slowStore{Records: &b.records}, make(chan int64, 1)
		c := b.config()
		c.Store, c.Downloader = s, sizes{b, held}
		b.verifying = make(chan struct{})
		b.verifyErr = errors.New("it is signed by somebody else")
		r := boot(t, b, c)
		r.ok("push", r.upload("firmware 2.0"))
		r.shows(1, 0)
		gate := make(chan struct{})
		s.gate.Store(&gate)
		close(b.verifying)
		synctest.Wait() // the refusal is being stored
		b.verifyErr = nil
		answer := make(chan error, 1)
		go func() { answer <- r.uri("coap://files/3.0") }()
		synctest.Wait()
		close(gate)
		r.ok("URI", <-answer)
		if n := <-held; n > 0 {
			t.Errorf("the storage holds %d bytes of another image", n)
		}
		r.shows(2, 0)
	})
}
