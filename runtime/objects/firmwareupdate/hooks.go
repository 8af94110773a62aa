package firmwareupdate

import (
	"context"

	"github.com/lwm2mgen/toolkit/generated/firmwareupdate"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/objects/internal/behaviour"
	"github.com/lwm2mgen/toolkit/runtime/objects/internal/firmware"
)

func (u *Updater) hooks(own Hooks) Hooks {
	return behaviour.Join(Hooks{Validate: u.validate, Changed: u.changed}, own)
}

// eventOf returns the event of a written Package URI.
func eventOf(uri string) firmware.Event {
	if uri == "" {
		return firmware.Event{Kind: firmware.ResetWritten}
	}
	return firmware.Event{Kind: firmware.URIWritten}
}

// validate refuses a Package URI that the state does not allow.
func (u *Updater) validate(_ context.Context, tx *firmwareupdate.Tx) error {
	if tx.Origin() == dm.Application {
		return nil
	}
	for c := range tx.Changes() {
		if !c.Affects(firmwareupdate.PackageURIID) {
			continue
		}
		if err := u.ready(); err != nil {
			return err
		}
		uri := c.New.PackageURI.Or("")
		if uri != "" && u.cfg.Downloader == nil {
			return dm.Errorf(dm.MethodNotAllowed, "the device accepts images by Package only")
		}
		u.mu.Lock()
		_, _, ok := firmware.Next(u.rec.state(), eventOf(uri), firmware.Facts{})
		phase := u.rec.Phase
		u.mu.Unlock()
		if !ok {
			return dm.Errorf(dm.MethodNotAllowed, "Package URI cannot be written in the phase %v", phase)
		}
	}
	return nil
}

// changed starts what a written Package URI asks for, and keeps what servers have set.
func (u *Updater) changed(_ context.Context, tx *firmwareupdate.Tx) {
	if tx.Origin() == dm.Application {
		return
	}
	for c := range tx.Changes() {
		if c.Affects(firmwareupdate.PackageURIID) {
			uri := c.New.PackageURI.Or("")
			u.apply(eventOf(uri), func(r *record) { r.reset(); r.URI = uri })
		}
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.enqueue(&step{published: true})
}
