package firmware

import (
	"maps"
	"slices"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/objects/internal/update"
)

// Start returns a driver for the records of an earlier process, together with those records after
// the restart. Publish and Schemes are called from now on, so resume must be called when
// the object exists.
func Start(cfg Config) (d *Driver, records map[dm.InstanceID]Record, resume func(), err error) {
	loaded, records := map[dm.InstanceID]Record{}, map[dm.InstanceID]Record{}
	d = &Driver{cfg: cfg}
	for id := range cfg.Storage {
		if loaded[id], err = d.load(id); err != nil {
			return nil, nil, nil, err
		}
	}
	actions := d.restart(loaded, records)
	changed := maps.Clone(records)
	maps.DeleteFunc(changed, func(id dm.InstanceID, r Record) bool { return r.State() == loaded[id].State() })
	unsaved := maps.Clone(records)
	maps.DeleteFunc(unsaved, func(id dm.InstanceID, r Record) bool {
		return r.State() == loaded[id].State() && r.Verified == loaded[id].Verified
	})
	if err := d.save(unsaved); err != nil {
		return nil, nil, nil, err
	}
	d.Engine = update.New(update.Config[Record]{
		Save: d.save, Publish: cfg.Publish, What: "firmware update", Logger: cfg.Logger,
	}, records)
	resume = func() {
		var tasks []task
		for id, a := range actions {
			tasks = append(tasks, d.tasks(id, a, records[id])...)
		}
		if len(tasks) > 0 || len(changed) > 0 {
			d.Resume(changed, tasks, len(changed) == 0)
		}
	}
	return d, records, resume, nil
}

// restart decides what the start of the device means for each component.
func (d *Driver) restart(loaded, records map[dm.InstanceID]Record) map[dm.InstanceID][]Action {
	actions := map[dm.InstanceID][]Action{}
	happen := func(id dm.InstanceID, e Kind, r Record, f Facts) {
		to, a, ok := Next(r.State(), Event{Kind: e}, f)
		if !ok {
			return
		}
		r.set(to, time.Now())
		if r.Phase <= Downloaded {
			r.Batch = nil
		}
		if r.Phase == Idle {
			r.Unit = nil
		}
		records[id], actions[id] = r, a
	}
	for id, r := range loaded {
		r.Unit, r.Batch = d.known(r.Unit), d.known(r.Batch)
		f := d.factsOfRestart(id, loaded)
		if r.Phase == Verifying {
			r.Verified++
			f.Repeated = r.Verified >= maxVerified
		}
		happen(id, Restarted, r, f)
	}
	for id, r := range records {
		if slices.ContainsFunc(r.batch(id), func(other dm.InstanceID) bool { return records[other].Phase != r.Phase }) {
			happen(id, BatchBroken, r, Facts{})
		}
	}
	return actions
}

// known returns the components that the device has. The program may have been replaced by one with
// other components.
func (d *Driver) known(ids []dm.InstanceID) []dm.InstanceID {
	return slices.DeleteFunc(slices.Clone(ids), func(id dm.InstanceID) bool { return d.cfg.Storage[id] == nil })
}

// maxVerified is how many attempts to verify an image may end by a restart. An image with which
// Verify always ends the program must not keep the device from running.
const maxVerified = 3

// factsOfRestart finds out what has become of an update.
func (d *Driver) factsOfRestart(id dm.InstanceID, records map[dm.InstanceID]Record) (f Facts) {
	r := records[id]
	owner := r.owner(id)
	storage := d.cfg.Storage[owner]
	if storage == nil {
		return Facts{ImageLost: r.Phase.HasImage()}
	}
	f.ImageLost = r.Phase.HasImage() && storage.Content().Size() != records[owner].Size
	f.RunsImage = r.Phase == Updating && d.cfg.Installed != nil && d.cfg.Installed(d.image(id, r))
	return f
}
