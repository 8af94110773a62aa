package softwaremanagement

import (
	"context"
	"maps"
	"slices"

	"github.com/lwm2mgen/toolkit/generated/softwaremanagement"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/objects/internal/update"
)

type (
	// Object is the Software Management object with its instances.
	Object = softwaremanagement.Object
	// Instance is an instance of it.
	Instance = softwaremanagement.Instance
	// Hooks run around transactions that touch the object.
	Hooks = softwaremanagement.Hooks
)

type (
	change = update.Change[record]
	step   = update.Step[record]
	task   = update.Task[record]
	job    = update.Job[record]
)

// Manager is the Software Management object together with what is under way. It is an object for
// lwm2m.Config.Objects. Its methods may be called from any goroutine.
type Manager struct {
	*Object
	cfg    Config
	engine *update.Engine[record]
}

// publish lets servers read records.
func (m *Manager) publish(records map[dm.InstanceID]record) {
	for _, id := range slices.Sorted(maps.Keys(records)) {
		r := records[id]
		m.engine.Show(id, func() error {
			return m.Update(context.Background(), id, func(i *Instance) error { show(i, r); return nil })
		})
		if m.cfg.Changed != nil {
			m.cfg.Changed(status(id, r))
		}
	}
}

// show writes a record to the instance.
func show(i *Instance, r record) {
	i.UpdateState, i.UpdateResult = dm.Int(r.Phase.resource()), dm.Int(int64(r.Result))
	i.ActivationState = dm.Bool(r.shownActive())
	i.PkgName, i.PkgVersion = dm.Str(r.Name), dm.Str(r.Version)
	if uri, ok := i.PackageURI.Get(); ok && uri != r.URI {
		i.PackageURI = dm.Str(r.URI)
	}
}

func status(id dm.InstanceID, r record) Status {
	return Status{id, r.Phase.resource(), int64(r.Result), r.shownActive()}
}

// Status returns what servers read of a component, the zero value without the component.
func (m *Manager) Status(component dm.InstanceID) Status {
	inst, _ := m.Get(component)
	return Status{component, inst.UpdateState.Or(0), inst.UpdateResult.Or(0), inst.ActivationState.Or(false)}
}

// Installing reports whether software is being installed, or is about to be. Use it in the Busy
// function of other updates, such as that of firmwareupdate.Config.
func (m *Manager) Installing() bool {
	if m.engine.Claimed() {
		return true
	}
	for _, r := range m.engine.Records() {
		if r.Phase == installing {
			return true
		}
	}
	return false
}

// Persist waits until what a server has written is in Config.Store. lwm2m.Client calls it before
// the server is answered.
func (m *Manager) Persist(ctx context.Context, c dm.Committed) error { return m.engine.Persist(ctx, c) }

// Close ends what runs in the background. Everything continues when New is called again with the
// same Store and Storages. Servers can no longer change anything. Close neither waits for the
// functions of Config nor deactivates software. It returns nil.
func (m *Manager) Close() error {
	m.engine.Close()
	return nil
}
