package firmwareupdate

import (
	"context"
	"errors"

	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/objects/internal/firmware"
)

// push is one write of Package. A single zero byte and an empty value reset the update, so an image
// begins with the first byte that is neither.
type push struct {
	u     *Updater
	size  int64
	begun bool
	ended bool // Abort has nothing left to report
}

func (u *Updater) openPackage(context.Context) (dm.Sink, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.rec.Phase == firmware.Updating {
		return nil, dm.Errorf(dm.MethodNotAllowed, "an update is being installed")
	}
	return &push{u: u}, nil
}

// Write appends a block to the image.
func (p *push) Write(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	if !p.begun {
		if p.size == 0 && len(b) == 1 && b[0] == 0 {
			p.size = 1
			return 1, nil
		}
		if err := p.begin(); err != nil {
			return 0, err
		}
		if p.size == 1 { // the zero byte belongs to an image
			if err := p.append([]byte{0}); err != nil {
				return 0, err
			}
		}
	}
	if max := p.u.cfg.MaxSize; max > 0 && p.size+int64(len(b)) > max {
		return 0, p.fail(firmware.NotEnoughStorage, errors.New("it is larger than Config.MaxSize"))
	}
	p.size += int64(len(b))
	if err := p.append(b); err != nil {
		return 0, err
	}
	return len(b), nil
}

// append writes to the storage, unless a server has cancelled or reset the update since the last
// block. Then the storage may already belong to the next image.
func (p *push) append(b []byte) error {
	u := p.u
	u.mu.Lock()
	if u.pushing != p {
		u.mu.Unlock()
		p.ended = true
		return dm.Errorf(dm.MethodNotAllowed, "the update was cancelled or reset")
	}
	_, err := u.cfg.Storage.Write(b)
	u.mu.Unlock()
	if err != nil {
		return p.fail(resultOf(err, firmware.UpdateFailed), err)
	}
	return nil
}

// begin starts a new image.
func (p *push) begin() error {
	u := p.u
	if u.cfg.NoPush {
		return dm.Errorf(dm.MethodNotAllowed, "the device downloads images by Package URI only")
	}
	if err := u.ready(); err != nil {
		return err
	}
	u.mu.Lock()
	if u.work != nil && u.rec.Phase == firmware.Idle {
		u.mu.Unlock()
		return dm.Errorf(dm.ServiceUnavailable, "the last update has not ended yet")
	}
	_, ok := u.next(firmware.Event{Kind: firmware.PackageBegan}, firmware.Facts{}, func(r *record) {
		r.URI, r.Name, r.Version, r.Size = "", "", "", 0
	})
	if !ok {
		phase := u.rec.Phase
		u.mu.Unlock()
		return dm.Errorf(dm.MethodNotAllowed, "an image cannot be written in the phase %v: reset the update first", phase)
	}
	p.begun, u.pushing = true, p
	err := u.cfg.Storage.Truncate(0)
	u.mu.Unlock()
	if err != nil {
		return p.fail(resultOf(err, firmware.UpdateFailed), err)
	}
	return nil
}

func (p *push) fail(r firmware.Result, err error) error {
	p.ended = true
	p.apply(firmware.Event{Kind: firmware.PackageFailed, Result: r}, nil)
	return answerTo(r, err)
}

// apply lets an event of this image happen, unless the update is about another one.
func (p *push) apply(e firmware.Event, set func(*record)) bool {
	p.u.mu.Lock()
	defer p.u.mu.Unlock()
	if p.u.pushing != p {
		return false
	}
	_, ok := p.u.next(e, firmware.Facts{}, set)
	return ok
}

// Commit ends the image, or resets the update.
func (p *push) Commit(context.Context) error {
	if !p.begun {
		p.ended = true
		if _, ok := p.u.apply(firmware.Event{Kind: firmware.ResetWritten}, (*record).reset); !ok {
			return dm.Errorf(dm.MethodNotAllowed, "an update is being installed")
		}
		return nil
	}
	if !p.apply(firmware.Event{Kind: firmware.PackageEnded}, func(r *record) { r.Size = p.size }) {
		p.ended = true
		return dm.Errorf(dm.MethodNotAllowed, "the update was cancelled or reset")
	}
	return nil
}

// Abort reports that the server has given up, or that it starts again with the first block.
func (p *push) Abort() {
	if p.begun && !p.ended {
		p.ended = true
		p.apply(firmware.Event{Kind: firmware.PackageFailed, Result: firmware.ConnectionLost}, nil)
	}
}
