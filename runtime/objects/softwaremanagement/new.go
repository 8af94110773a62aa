package softwaremanagement

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/lwm2mgen/toolkit/generated/softwaremanagement"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/objects/internal/behaviour"
	"github.com/lwm2mgen/toolkit/runtime/objects/internal/update"
)

// New returns the object with an instance for each component, continues what Config.Store knows of,
// and activates the software that ran. Its error names every fault of c, or says why the store
// cannot be used.
func New(c Config) (*Manager, error) {
	if err := c.complete(); err != nil {
		return nil, err
	}
	m := &Manager{cfg: c}
	records, changed, tasks, err := m.restart()
	if err != nil {
		return nil, fmt.Errorf("softwaremanagement: %w", err)
	}
	m.engine = update.New(update.Config[record]{
		Save: m.save, Publish: m.publish, What: "software", Logger: c.Logger,
	}, records)
	own := m.writes().Hooks(m.engine)
	own.Delete = behaviour.RefuseDelete
	if m.Object, err = softwaremanagement.New(softwaremanagement.Config{Hooks: behaviour.Join(own, c.Hooks)}); err != nil {
		return nil, err
	}
	for _, id := range slices.Sorted(maps.Keys(records)) {
		if err := m.Add(id, m.instance(id, records[id])); err != nil {
			return nil, err
		}
	}
	if len(tasks) > 0 || len(changed) > 0 {
		m.engine.Resume(changed, tasks, len(changed) == 0)
	}
	return m, nil
}

// restart decides what the start of the device means for each component, and stores it.
func (m *Manager) restart() (records, changed map[dm.InstanceID]record, tasks []task, err error) {
	records, changed = map[dm.InstanceID]record{}, map[dm.InstanceID]record{}
	unsaved := map[dm.InstanceID]record{}
	for i := range m.cfg.Components {
		id := dm.InstanceID(i)
		stored, r, err := m.load(id)
		if err != nil {
			return nil, nil, nil, err
		}
		before := r.state
		f := m.factsOfRestart(id, r)
		f.gaveUp = r.givesUp()
		to, actions, _ := next(r.state, event{kind: restarted}, f)
		r.set(to)
		records[id] = r
		if r != stored {
			unsaved[id] = r
		}
		if r.state != before {
			changed[id] = r
		}
		tasks = append(tasks, m.tasks(id, actions, r, nil)...)
	}
	return records, changed, tasks, m.save(unsaved)
}

// factsOfRestart finds out what has become of a package.
func (m *Manager) factsOfRestart(id dm.InstanceID, r record) (f facts) {
	f.lost = r.Phase.hasPackage() && m.cfg.Components[id].Storage.Content().Size() != r.Size
	f.present = r.Phase == installing && m.cfg.Installed != nil && m.cfg.Installed(m.packageOf(id, r))
	return f
}

// instance returns the instance of a component in the state of its record.
func (m *Manager) instance(id dm.InstanceID, r record) Instance {
	perform := func(k kind) dm.Exec {
		return dm.SlowExec(func(ctx context.Context, a dm.Args) error { return m.perform(ctx, a.Instance, k) })
	}
	i := Instance{
		Install:    dm.SlowExec(func(ctx context.Context, a dm.Args) error { return m.install(ctx, a.Instance) }),
		Activate:   perform(activateExecuted),
		Deactivate: perform(deactivateExecuted),
		Uninstall:  dm.SlowExec(m.uninstall),
	}
	if !m.cfg.NoPush {
		i.Package = dm.SinkFunc(func(context.Context) (dm.Sink, error) { return m.receive(id) })
	}
	if m.cfg.Components[id].Downloader != nil {
		i.PackageURI = dm.Str(r.URI)
	}
	show(&i, r)
	return i
}
