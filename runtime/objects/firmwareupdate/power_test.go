package firmwareupdate_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/objects/firmwareupdate"
)

// bring lets a server bring firmware 2.0 to the device, from whatever state the device reports.
// It stops when the power is lost, and after a success.
func (r *rig) bring(pull bool) {
	for range 10 {
		synctest.Wait()
		switch s := r.update.Status(); s.State {
		case 0:
			if s.Result == 1 {
				return
			}
			if pull {
				_ = r.uri("coap://files/2.0")
			} else {
				_ = r.upload("firmw", "are 2", ".0")
			}
		case 2:
			_ = r.execute("/5/0/2")
		case 3:
			return
		}
	}
}

// The power is lost after every single operation on the storage and on the store, and in the middle
// of the installation. The device comes back with a true state, never installs by itself, never
// claims success for firmware that does not run, and the update succeeds in the end.
func TestPowerLossAtEveryStep(t *testing.T) {
	for _, mode := range []struct {
		name           string
		pull, restarts bool
	}{{"push", false, false}, {"push with restart", false, true}, {"pull", true, false}, {"pull with restart", true, true}} {
		t.Run(mode.name, func(t *testing.T) {
			states := map[firmwareupdate.Status]bool{}
			for limit := 0; ; limit++ {
				lost := false
				in(t, func(t *testing.T) { lost = losePower(t, limit, mode.pull, mode.restarts, states) })
				if t.Failed() {
					t.Fatalf("after %d operations", limit)
				}
				if !lost {
					t.Logf("%d losses of power, which came back as %v", limit, states)
					break
				}
			}
			if len(states) < 5 {
				t.Errorf("only the states %v were seen after a loss of power", states)
			}
		})
	}
}

// losePower runs one update with a loss of power after limit operations. It reports whether that
// happened.
func losePower(t *testing.T, limit int, pull, restarts bool, states map[firmwareupdate.Status]bool) bool {
	b := newBoard()
	b.restarts, b.Limit = restarts, limit
	b.download = func(context.Context, string) ([]byte, error) { return []byte("firmware 2.0"), nil }
	c := b.config()
	c.Downloader = b
	r := boot(t, b, c)
	var before firmwareupdate.Status
	if r != nil {
		r.bring(pull)
		if restarts && b.Steps < limit { // the restart of the installation
			r.ok("close", r.update.Close())
			b.Lock()
			b.running = b.next
			b.Unlock()
			if r = boot(t, b, c); r != nil {
				synctest.Wait()
			}
		}
	}
	if r != nil {
		before = r.update.Status()
		r.ok("close", r.update.Close())
	}
	lost := b.Steps >= limit
	installs := len(b.installs)
	b.restart()
	r = boot(t, b, c)
	s := r.update.Status()
	states[s] = true
	switch {
	case s.Result == 1 && b.running != "2.0":
		t.Errorf("success is reported, and %q runs", b.running)
	case before.Result == 1 && s.Result != 1:
		t.Errorf("a reported success is taken back: %v", s)
	case before.State == 3 && installs > 0 && b.running == "2.0" && s.Result != 1:
		t.Errorf("2.0 runs, and the device reports %v", s)
	case s.State == 2 && string(b.flash.Durable) != "firmware 2.0":
		t.Errorf("the state is Downloaded, and the storage holds %q", b.flash.Durable)
	case s.State == 3:
		t.Errorf("the device waits in the state Updating")
	}
	<-time.After(time.Hour)
	synctest.Wait()
	if len(b.installs) != installs {
		t.Errorf("the device has installed again by itself: %v", b.installs)
	}
	r.bring(pull)
	if restarts && r.update.Status().State == 3 {
		r.ok("close", r.update.Close())
		b.restart()
		r = boot(t, b, c)
	}
	r.shows(0, 1)
	if b.running != "2.0" || slices.Contains(b.installs, "") {
		t.Errorf("%q runs, installed %v", b.running, b.installs)
	}
	return lost
}
