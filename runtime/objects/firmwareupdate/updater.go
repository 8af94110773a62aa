package firmwareupdate

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/lwm2mgen/toolkit/generated/firmwareupdate"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/objects/internal/firmware"
)

type (
	// Object is the Firmware Update object with its one instance.
	Object = firmwareupdate.Object
	// Instance is that instance.
	Instance = firmwareupdate.Instance
	// Hooks run around transactions that touch the object.
	Hooks = firmwareupdate.Hooks
)

// Updater is the Firmware Update object together with the update that is under way. It is an object
// for lwm2m.Config.Objects. Its methods may be called from any goroutine.
type Updater struct {
	*Object
	cfg  Config
	ctx  context.Context // ends with Close
	stop context.CancelFunc

	mu      sync.Mutex
	rec     record // as decided; servers read it after it was stored
	seq     uint64 // of changes of rec
	queue   []*step
	running bool // a goroutine works on the queue
	stuck   bool // the last attempt to store a step has failed
	work    *work
	pushing *push       // the write of Package that is received or verified
	timer   *time.Timer // of the deferral

	lastStored record // used by the goroutine that works on the queue
}

// step is a change of the record that has yet to be stored, published and acted upon.
type step struct {
	rec     record
	seq     uint64 // 0 for a step that only stores what servers have set
	actions []firmware.Action
	done    chan struct{} // closed when servers can read the change or err is set; may be nil
	err     error         // valid after done
	// What need not be done.
	stored, published bool
}

// reset forgets the package.
func (r *record) reset() { r.URI, r.Name, r.Version, r.Size, r.Until = "", "", "", 0, 0 }

// apply lets an event happen. set changes the record together with the state. It returns false if
// the event is refused.
func (u *Updater) apply(e firmware.Event, set func(*record)) (*step, bool) {
	f := u.facts(e.Kind, nil)
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.next(e, f, set)
}

// next is apply with u.mu held.
func (u *Updater) next(e firmware.Event, f firmware.Facts, set func(*record)) (*step, bool) {
	if u.ctx.Err() != nil {
		return nil, false
	}
	to, actions, ok := firmware.Next(u.rec.state(), e, f)
	if !ok {
		return nil, false
	}
	before := u.rec
	u.rec.Phase, u.rec.Result = to.Phase, to.Result
	if set != nil {
		set(&u.rec)
	}
	if to.Phase != firmware.Deferred {
		u.rec.Until = 0
	} else if before.Phase != firmware.Deferred {
		if until := u.deferUntil(); !until.IsZero() {
			u.rec.Until = until.Unix()
		}
	}
	if to.Phase.Resource() != before.Phase.Resource() {
		u.rec.Since = time.Now().Unix()
	}
	if slices.Contains(actions, firmware.Stop) && u.work != nil {
		u.work.abandon()
	}
	if slices.Contains(actions, firmware.StopTimer) && u.timer != nil {
		u.timer.Stop()
	}
	if to.Phase != firmware.Receiving && to.Phase != firmware.Verifying {
		u.pushing = nil
	}
	u.seq++
	s := &step{rec: u.rec, seq: u.seq, actions: actions, done: make(chan struct{})}
	u.enqueue(s)
	return s, true
}

// facts returns what a decision needs to know. It calls functions of the program, so u.mu must not
// be held.
// image is nil for the one that is stored.
func (u *Updater) facts(k firmware.Kind, image *Image) (f firmware.Facts) {
	u.mu.Lock()
	phase := u.rec.Phase
	if image == nil {
		image = u.image()
	}
	u.mu.Unlock()
	inst, _ := u.Get(0)
	f.Automatic = inst.AutomaticUpgradeAtDownload.Or(false)
	switch k {
	case firmware.UpdateExecuted, firmware.VerifyPassed, firmware.UserApproved, firmware.DeferralEnded:
	default:
		return f
	}
	f.Busy = u.cfg.Busy != nil && u.cfg.Busy()
	asks := k == firmware.UpdateExecuted && phase.Resource() == 2 || k == firmware.VerifyPassed && f.Automatic
	period, limited := inst.MaximumDeferPeriod.Get()
	if u.cfg.Ask != nil && asks && !f.Busy && !(limited && period == 0) {
		f.Ask = u.cfg.Ask(image, u.deferUntil())
	}
	return f
}

// deferUntil returns when a deferral that begins now ends, zero for never.
func (u *Updater) deferUntil() time.Time {
	inst, _ := u.Get(0)
	period, limited := inst.MaximumDeferPeriod.Get()
	const century = 100 * 365 * 24 * 60 * 60
	if !limited || period > century {
		return time.Time{}
	}
	return time.Now().Add(time.Duration(period) * time.Second)
}

// image returns the image with what is known of it. u.mu must be held.
func (u *Updater) image() *Image {
	inst, _ := u.Get(0)
	return &Image{SectionReader: u.cfg.Storage.Content(), URI: u.rec.URI, Name: u.rec.Name, Version: u.rec.Version,
		Severity: inst.Severity.Or(defaultSeverity)}
}

// ready returns an error while states cannot be stored.
func (u *Updater) ready() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.stuck {
		return dm.Errorf(dm.ServiceUnavailable, "the last state could not be stored yet")
	}
	return nil
}

// await lets a server's event happen and waits until it is stored.
func (u *Updater) await(ctx context.Context, e firmware.Event, set func(*record)) error {
	if err := u.ready(); err != nil {
		return err
	}
	s, ok := u.apply(e, set)
	if !ok {
		return dm.Errorf(dm.MethodNotAllowed, "the state of the update does not allow it")
	}
	select {
	case <-s.done:
		return s.err
	case <-u.ctx.Done():
		return dm.Errorf(dm.ServiceUnavailable, "the device is shutting down")
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (u *Updater) onUpdate(ctx context.Context, _ dm.Args) error {
	return u.await(ctx, firmware.Event{Kind: firmware.UpdateExecuted}, nil)
}

func (u *Updater) onCancel(ctx context.Context, _ dm.Args) error {
	return u.await(ctx, firmware.Event{Kind: firmware.CancelExecuted}, (*record).reset)
}

// Approve installs an image whose installation the user has postponed. It returns when the state
// Updating is durable and can be read. It fails with dm.MethodNotAllowed if no update is deferred.
func (u *Updater) Approve(ctx context.Context) error {
	return u.await(ctx, firmware.Event{Kind: firmware.UserApproved}, nil)
}

// Status returns the state and the result that servers read.
func (u *Updater) Status() Status {
	inst, _ := u.Get(0)
	return Status{inst.State.Or(0), inst.UpdateResult.Or(0)}
}

// Close ends what runs in the background. The update continues when New is called again with the
// same Store and Storage. Servers can no longer change anything. Close does not wait for the
// functions of Config. It returns nil.
func (u *Updater) Close() error {
	u.stop()
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.timer != nil {
		u.timer.Stop()
	}
	return nil
}
