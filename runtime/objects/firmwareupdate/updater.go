package firmwareupdate

import (
	"context"
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
	cfg    Config
	driver *firmware.Driver
}

// settings reads what servers have set.
func settings(i *Instance) firmware.Settings {
	s := firmware.Settings{Severity: i.Severity.Or(firmware.DefaultSeverity), Automatic: i.AutomaticUpgradeAtDownload.Or(false)}
	if v, ok := i.MaximumDeferPeriod.Get(); ok {
		s.MaxDefer = &v
	}
	return s
}

// publish lets servers read the record of the instance.
func (u *Updater) publish(records map[dm.InstanceID]firmware.Record) {
	r := records[0]
	u.driver.Show(0, func() error {
		return u.Update(context.Background(), 0, func(i *Instance) error { u.show(i, r); return nil })
	})
	if u.cfg.Changed != nil {
		u.cfg.Changed(Status{r.Phase.Resource(), int64(r.Result)})
	}
}

// show writes a record to the instance.
func (u *Updater) show(i *Instance, r firmware.Record) {
	i.State, i.UpdateResult = dm.Int(r.Phase.Resource()), dm.Int(int64(r.Result))
	i.PkgName, i.PkgVersion = firmware.Text(r.Name), firmware.Text(r.Version)
	if uri, _ := i.PackageURI.Get(); uri != r.URI {
		i.PackageURI = dm.Str(r.URI)
	}
	if !u.cfg.Basic && r.Since != 0 {
		i.LastStateChangeTime = dm.Time(time.Unix(r.Since, 0))
	}
}

// Approve installs an image whose installation the user has postponed. It returns when the state
// Updating is durable and can be read. It fails with dm.MethodNotAllowed if no update is deferred.
func (u *Updater) Approve(ctx context.Context) error { return u.driver.Approve(ctx, 0) }

// Status returns the state and the result that servers read.
func (u *Updater) Status() Status {
	inst, _ := u.Get(0)
	return Status{inst.State.Or(0), inst.UpdateResult.Or(0)}
}

// Installing reports whether firmware is being installed, or is about to be. Use it in the Busy
// function of other updates, such as that of softwaremanagement.Config.
func (u *Updater) Installing() bool { return u.driver.Installing() }

// Persist waits until what a server has written is in Config.Store. lwm2m.Client calls it before
// the server is answered.
func (u *Updater) Persist(ctx context.Context, c dm.Committed) error { return u.driver.Persist(ctx, c) }

// Close ends what runs in the background. The update continues when New is called again with the
// same Store and Storage. Servers can no longer change anything. Close does not wait for the
// functions of Config. It returns nil.
func (u *Updater) Close() error {
	u.driver.Close()
	return nil
}
