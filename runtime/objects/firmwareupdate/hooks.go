package firmwareupdate

import (
	"context"

	"github.com/lwm2mgen/toolkit/generated/firmwareupdate"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/objects/internal/behaviour"
)

func (u *Updater) hooks(own Hooks) Hooks {
	return behaviour.Join(Hooks{Validate: u.validate, Changed: u.changed}, own)
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
		if err := u.driver.CheckURI(c.ID, c.New.PackageURI.Or("")); err != nil {
			return err
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
			u.driver.WriteURI(c.ID, c.New.PackageURI.Or(""))
		}
		u.driver.SaveSettings(c.ID)
	}
}
