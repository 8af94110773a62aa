package firmwareupdate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/objects/internal/firmware"
)

// enqueue adds a step. u.mu must be held.
func (u *Updater) enqueue(s *step) {
	u.queue = append(u.queue, s)
	if !u.running {
		u.running = true
		go u.run()
	}
}

// run works on the queue until it is empty.
func (u *Updater) run() {
	for {
		u.mu.Lock()
		if len(u.queue) == 0 || u.ctx.Err() != nil {
			u.running = false
			u.mu.Unlock()
			return
		}
		s := u.queue[0]
		u.queue = slices.Delete(u.queue, 0, 1)
		u.mu.Unlock()
		if !u.store(s) {
			continue
		}
		u.publish(s)
		if s.done != nil && s.err == nil {
			close(s.done)
		}
		for _, a := range s.actions {
			u.act(a, s)
		}
	}
}

// store makes a step durable. It tries again until that succeeds, because nothing may be reported
// or done before. An installation is not tried again: it fails instead. store returns false if the
// step must not be published, or if the Updater is closed.
func (u *Updater) store(s *step) bool {
	if s.stored {
		return true
	}
	if slices.Contains(s.actions, firmware.Verify) {
		if err := u.cfg.Storage.Sync(); err != nil {
			s.actions = nil
			u.apply(firmware.Event{Kind: firmware.VerifyFailed, Result: resultOf(err, firmware.UpdateFailed)}, (*record).reset)
		}
	}
	for pause := time.Second; ; pause = min(2*pause, time.Minute) {
		inst, _ := u.Get(0)
		if s.seq == 0 { // what servers have set is stored with the state that they can read
			s.rec = u.lastStored
		}
		s.rec.settings(&inst)
		err := save(&u.cfg, &s.rec)
		u.mu.Lock()
		u.stuck = err != nil
		u.mu.Unlock()
		if err == nil {
			u.lastStored = s.rec
			return true
		}
		u.cfg.Logger.Error("the state of the firmware update cannot be stored", "err", err, "again", pause)
		if s.done != nil && s.err == nil {
			s.err = fmt.Errorf("the state cannot be stored: %w", err)
			close(s.done)
		}
		if slices.Contains(s.actions, firmware.Install) {
			u.apply(firmware.Event{Kind: firmware.InstallFailed, Result: firmware.UpdateFailed}, nil)
			return false
		}
		select {
		case <-u.ctx.Done():
			return false
		case <-time.After(pause):
		}
	}
}

// publish lets servers read a step.
func (u *Updater) publish(s *step) {
	if s.published {
		return
	}
	for {
		err := u.Update(context.Background(), 0, func(i *Instance) error { s.rec.publish(i, &u.cfg); return nil })
		if err == nil {
			break
		}
		u.cfg.Logger.Error("the state of the firmware update cannot be shown", "err", err)
		if !errors.Is(err, dm.ErrBusy) || u.ctx.Err() != nil {
			break
		}
	}
	if u.cfg.Changed != nil {
		u.cfg.Changed(s.rec.status())
	}
}

// act carries out an action of a step.
func (u *Updater) act(a firmware.Action, s *step) {
	switch a {
	case firmware.Discard:
		u.discard()
	case firmware.Fetch:
		u.start(s, u.fetch)
	case firmware.Verify:
		u.start(s, u.verify)
	case firmware.Install:
		u.start(s, u.install)
	case firmware.StartTimer:
		u.startTimer(s)
	case firmware.Stop, firmware.StopTimer: // done by next
	}
}

// discard empties the storage, unless a new image has begun to arrive.
func (u *Updater) discard() {
	u.waitForWork()
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.rec.Phase != firmware.Idle || u.ctx.Err() != nil {
		return
	}
	if err := u.cfg.Storage.Truncate(0); err != nil {
		u.cfg.Logger.Warn("the firmware image cannot be discarded", "err", err)
	}
}

// startTimer starts the timer that ends a deferral.
func (u *Updater) startTimer(s *step) {
	until := s.rec.until()
	if until.IsZero() {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.seq == s.seq && u.ctx.Err() == nil {
		u.timer = time.AfterFunc(max(time.Until(until), 0), u.endDeferral)
	}
}

// endDeferral installs, or tries again in a minute if another update is being installed.
func (u *Updater) endDeferral() {
	if _, ok := u.apply(firmware.Event{Kind: firmware.DeferralEnded}, nil); ok {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.rec.Phase == firmware.Deferred && u.ctx.Err() == nil {
		u.timer = time.AfterFunc(time.Minute, u.endDeferral)
	}
}
