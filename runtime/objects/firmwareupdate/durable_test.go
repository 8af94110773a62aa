package firmwareupdate_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/objects/firmwareupdate"
)

// stored fails unless the store holds a record with this text.
func (r *rig) stored(want string) {
	r.t.Helper()
	r.board.Lock()
	defer r.board.Unlock()
	if got := string(r.board.records.Values["firmwareupdate"]); !strings.Contains(got, want) {
		r.t.Errorf("the store holds %s, want %s", got, want)
	}
}

// now fails unless servers read this state and result at once.
func (r *rig) now(state, result int64) {
	r.t.Helper()
	if got := r.update.Status(); got != (firmwareupdate.Status{State: state, Result: result}) {
		r.t.Errorf("state and result %v, want {%d %d}", got, state, result)
	}
}

// What a server has written is in the store when it is answered, and it reads what follows at once,
// however slow the store is.
func TestAnsweredWhenStored(t *testing.T) {
	in(t, func(t *testing.T) {
		b := newBoard()
		b.records.Delay = 10 * time.Second
		b.download = func(ctx context.Context, _ string) ([]byte, error) { <-ctx.Done(); return nil, ctx.Err() }
		c := b.config()
		c.Downloader = b
		r := boot(t, b, c)
		began := time.Now()
		r.ok("URI", r.uri("coap://files/2.0"))
		r.now(1, 0)
		r.stored(`"phase":2,"result":0`)
		r.stored("coap://files/2.0")
		if time.Since(began) < b.records.Delay {
			t.Errorf("the answer comes after %v", time.Since(began))
		}
		// The next request arrives while the reset is not stored yet.
		r.ok("reset", r.uri(""))
		r.ok("URI", r.uri("coap://files/3.0"))
		r.now(1, 0)
		r.stored("coap://files/3.0")
		r.ok("reset", r.uri(""))
		<-time.After(time.Hour)
		r.shows(0, 0)

		r.ok("push", r.upload("firm", "ware 2.0"))
		r.now(1, 0)
		r.stored(`"phase":3`)
		<-time.After(time.Hour)
		r.shows(2, 0)
		r.ok("reset by Package", r.upload("\x00"))
		r.now(0, 0)
		r.stored(`"phase":0`)
		r.ok("Maximum Defer Period", r.Write("/5/0/13", dm.UnsignedValue(77)))
		r.stored(`"maxDefer":77`)
	})
}

// A Package URI and a setting that cannot be stored, or whose transaction fails otherwise, change
// nothing.
func TestTakenBack(t *testing.T) {
	injected := errors.New("injected")
	for _, what := range []string{"the store", "a hook"} {
		t.Run(what+" fails", func(t *testing.T) {
			in(t, func(t *testing.T) {
				b := newBoard()
				r := boot(t, b, b.config())
				r.ok("push", r.upload("firmware 2.0"))
				synctest.Wait()
				r.ok("Update", r.execute("/5/0/2"))
				r.shows(0, 1)
				r.ok("Maximum Defer Period", r.Write("/5/0/13", dm.UnsignedValue(60)))
				r.ok("close", r.update.Close())

				downloads, failing := 0, atomic.Bool{}
				b.download = func(context.Context, string) ([]byte, error) { downloads++; return nil, injected }
				c := b.config()
				c.Downloader = b
				c.Hooks.Commit = func(_ context.Context, tx *dm.Tx[firmwareupdate.Instance]) error {
					if failing.Load() && tx.Origin() != dm.Application {
						return injected
					}
					return nil
				}
				r = boot(t, b, c)
				if what == "a hook" {
					failing.Store(true)
				} else {
					b.fill(true)
				}
				r.refused("URI", r.uri("coap://files/3.0"), dm.InternalServerError)
				r.now(0, 1)
				if err := r.Write("/5/0/13", dm.UnsignedValue(77)); err == nil {
					t.Error("the setting is accepted")
				}
				failing.Store(false)
				b.fill(false)
				<-time.After(time.Hour)
				r.shows(0, 1)
				if downloads > 0 {
					t.Errorf("%d downloads", downloads)
				}
				r.stored(`"phase":0,"result":1`)
				r.stored(`"maxDefer":60`)
				if got := r.Value("/5/0/13").Unsigned(); got != 60 {
					t.Errorf("Maximum Defer Period is %d", got)
				}
				r.ok("URI", r.uri("coap://files/3.0"))
				r.shows(0, 4)
			})
		})
	}
}
