package advancedfirmware

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/lwm2mgen/toolkit/generated/advancedfirmwareupdate"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/objects/internal/firmware"
)

type (
	// Object is the Advanced Firmware Update object with its instances.
	Object = advancedfirmwareupdate.Object
	// Instance is an instance of it.
	Instance = advancedfirmwareupdate.Instance
	// Hooks run around transactions that touch the object.
	Hooks = advancedfirmwareupdate.Hooks
)

// Updater is the Advanced Firmware Update object together with the updates that are under way. It
// is an object for lwm2m.Config.Objects. Its methods may be called from any goroutine.
type Updater struct {
	*Object
	cfg    Config
	driver *firmware.Driver
}

// settings reads what servers have set.
func settings(i *Instance) firmware.Settings {
	s := firmware.Settings{Severity: i.Severity.Or(firmware.DefaultSeverity)}
	if v, ok := i.MaximumDeferPeriod.Get(); ok {
		s.MaxDefer = &v
	}
	return s
}

// publish lets servers read records, and what they mean for the links of all components.
func (u *Updater) publish(records map[dm.InstanceID]firmware.Record) {
	for id, decided := range u.driver.Records() {
		u.driver.Show(id, func() error {
			return u.Update(context.Background(), id, func(i *Instance) error {
				if r, ok := records[id]; ok {
					u.show(i, r)
				}
				u.showLinks(id, i, decided)
				return nil
			})
		})
	}
	for _, id := range slices.Sorted(maps.Keys(records)) {
		if r := records[id]; u.cfg.Changed != nil {
			u.cfg.Changed(Status{id, r.Phase.Resource(), int64(r.Result)})
		}
	}
}

// show writes a record to the instance.
func (u *Updater) show(i *Instance, r firmware.Record) {
	i.State, i.UpdateResult = dm.Int(r.Phase.Resource()), dm.Int(int64(r.Result))
	i.PkgName, i.PkgVersion = firmware.Text(r.Name), firmware.Text(r.Version)
	if uri, _ := i.PackageURI.Get(); uri != r.URI {
		i.PackageURI = dm.Str(r.URI)
	}
	if r.Since != 0 {
		i.LastStateChangeTime = dm.Time(time.Unix(r.Since, 0))
	}
}

// showLinks writes what depends on other components, too.
func (u *Updater) showLinks(id dm.InstanceID, i *Instance, r firmware.Record) {
	i.CurrentVersion = dm.Str(u.cfg.Components[id].Version())
	linked, conflicting := u.driver.Links(id, r)
	i.LinkedInstances, i.ConflictingInstances = links(linked), links(conflicting)
}

func links(ids []dm.InstanceID) dm.Multi[dm.ObjectLink] {
	list := make([]dm.ObjectLink, len(ids))
	for n, id := range ids {
		list[n] = dm.ObjectLink{Object: advancedfirmwareupdate.ObjectID, Instance: id}
	}
	return dm.Links(list...)
}

// Approve installs the images whose installation the user has postponed: that of a component, and
// those that are installed together with it. It returns when the states Updating are durable and
// can be read. It fails with dm.MethodNotAllowed if no update of the component is deferred, and
// with dm.NotFound without the component.
func (u *Updater) Approve(ctx context.Context, component dm.InstanceID) error {
	if int(component) >= len(u.cfg.Components) {
		return dm.NotFound
	}
	return u.driver.Approve(ctx, component)
}

// Status returns the state and the result that servers read of a component, the zero value without
// the component.
func (u *Updater) Status(component dm.InstanceID) Status {
	inst, _ := u.Get(component)
	return Status{component, inst.State.Or(0), inst.UpdateResult.Or(0)}
}

// Installing reports whether firmware is being installed, or is about to be. Use it in the Busy
// function of other updates, such as that of softwaremanagement.Config.
func (u *Updater) Installing() bool { return u.driver.Installing() }

// Persist waits until what a server has written is in Config.Store. lwm2m.Client calls it before
// the server is answered.
func (u *Updater) Persist(ctx context.Context, c dm.Committed) error { return u.driver.Persist(ctx, c) }

// Close ends what runs in the background. The updates continue when New is called again with the
// same Store and Storages. Servers can no longer change anything. Close does not wait for the
// functions of Config. It returns nil.
func (u *Updater) Close() error {
	u.driver.Close()
	return nil
}
