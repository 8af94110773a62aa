package firmware

import (
	"context"
	"slices"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/objects/internal/update"
)

// facts returns what a decision about images needs to know, which all get the same event. It calls
// functions of the program, so it runs without the lock.
func (d *Driver) facts(k Kind, images []*Image) (f Facts) {
	id := images[0].Component
	r := d.Record(id)
	s := r.Settings
	f.Automatic = s.Automatic
	f.Busy = d.updating() || d.cfg.Busy != nil && d.cfg.Busy()
	asks := k == UpdateExecuted && r.Phase.Resource() == Downloaded.Resource() || k == VerifyPassed && f.Automatic
	if d.cfg.Ask != nil && asks && !f.Busy && (s.MaxDefer == nil || *s.MaxDefer > 0) {
		f.Ask = d.cfg.Ask(images, r.deferUntil())
	}
	return f
}

// Installing reports whether a component is being installed, or is about to be.
func (d *Driver) Installing() bool { return d.Claimed() || d.updating() }

// updating reports whether a component is being installed.
func (d *Driver) updating() bool {
	for _, r := range d.Records() {
		if r.Phase == Updating {
			return true
		}
	}
	return false
}

// errState is the answer to a request that the state does not allow.
var errState = dm.Errorf(dm.MethodNotAllowed, "the state of the update does not allow it")

// request lets a server's event happen and waits until it is stored.
func (d *Driver) request(ctx context.Context, fn func(*change) bool) error {
	return d.Request(ctx, errState, fn)
}

// Update executes Update for a component. only are the components that the server wants to be
// installed with it; nil lets the device choose.
func (d *Driver) Update(ctx context.Context, id dm.InstanceID, only []dm.InstanceID) error {
	batch, conflicting := d.plan(id, only)
	if len(conflicting) > 0 {
		return d.request(ctx, func(c *change) bool {
			return d.happen(c, id, Event{Kind: DependencyMissing}, Facts{}, func(r *Record) { r.Conflicting = conflicting })
		})
	}
	defer d.Claim()()
	f := d.facts(UpdateExecuted, d.images(batch))
	return d.request(ctx, func(c *change) bool { return d.begin(c, batch, UpdateExecuted, f) })
}

// begin begins the installation of components, or its postponement.
func (d *Driver) begin(c *change, batch []dm.InstanceID, k Kind, f Facts) bool {
	for _, id := range c.IDs() {
		f.Busy = f.Busy || c.Get(id).Phase == Updating
	}
	for _, id := range batch {
		c.Record(id).Batch = nil
		if len(batch) > 1 {
			c.Record(id).Batch = batch
		}
	}
	for _, id := range batch {
		if !d.happen(c, id, Event{Kind: k}, f, nil) {
			return false
		}
	}
	return true
}

// plan returns the components that are installed together when Update is executed for one, that one
// first, and those that stand in the way.
func (d *Driver) plan(id dm.InstanceID, only []dm.InstanceID) (batch, conflicting []dm.InstanceID) {
	records := d.Records()
	r := records[id]
	switch {
	case r.Phase == Deferred && only == nil:
		return r.batch(id), nil // as it was planned
	case !r.waits():
		return r.unit(id), nil // Next refuses it
	case only == nil:
		batch, _ = d.linked(id)
	default:
		batch = add([]dm.InstanceID{id}, only...)
		if conflicting = missing(batch, records); len(conflicting) > 0 {
			return batch, conflicting
		}
	}
	for _, id := range batch {
		linked, missing := d.dependencies(id, batch)
		conflicting = add(conflicting, missing...)
		conflicting = add(conflicting, minus(linked, batch)...)
	}
	return batch, conflicting
}

// missing returns what a batch that a server has named lacks: images, and components that one of
// its images also updates.
func missing(batch []dm.InstanceID, records map[dm.InstanceID]Record) (ids []dm.InstanceID) {
	for _, id := range batch {
		if r := records[id]; r.waits() {
			ids = add(ids, minus(r.unit(id), batch)...)
		} else {
			ids = add(ids, id)
		}
	}
	return ids
}

// linked returns the components that are installed together with one, that one first, if all with
// an image can be, and those that stand in the way.
func (d *Driver) linked(id dm.InstanceID) (batch, conflicting []dm.InstanceID) {
	var others []dm.InstanceID
	for id, r := range d.Records() {
		if r.waits() {
			others = append(others, id)
		}
	}
	slices.Sort(others)
	batch = []dm.InstanceID{id}
	for i := 0; i < len(batch); i++ {
		also, missing := d.dependencies(batch[i], others)
		batch, conflicting = add(batch, also...), add(conflicting, missing...)
	}
	return batch, conflicting
}

// add adds what is not in a list yet.
func add(list []dm.InstanceID, ids ...dm.InstanceID) []dm.InstanceID {
	for _, id := range ids {
		if !slices.Contains(list, id) {
			list = append(list, id)
		}
	}
	return list
}

// minus returns the components of a list that are not in another one.
func minus(list, other []dm.InstanceID) []dm.InstanceID {
	return slices.DeleteFunc(slices.Clone(list), func(id dm.InstanceID) bool { return slices.Contains(other, id) })
}

// dependencies returns the components that are installed together with one, if the others could be,
// and those that stand in the way.
func (d *Driver) dependencies(id dm.InstanceID, others []dm.InstanceID) (linked, conflicting []dm.InstanceID) {
	r := d.Record(id)
	self := []dm.InstanceID{id}
	linked = minus(r.unit(id), self)
	if d.cfg.Dependencies == nil {
		return linked, nil
	}
	others = minus(others, self)
	also, conflicting := d.cfg.Dependencies(d.images(self)[0], d.images(others))
	for _, o := range also {
		if slices.Contains(others, o) {
			linked = add(linked, o)
		}
	}
	return linked, d.known(conflicting)
}

// Links returns what the resources Linked Instances and Conflicting Instances of a component show.
func (d *Driver) Links(id dm.InstanceID, r Record) (linked, conflicting []dm.InstanceID) {
	if !r.waits() {
		return nil, r.Conflicting
	}
	batch, conflicting := d.linked(id)
	if len(r.Conflicting) > 0 { // what has failed is shown until the state changes
		conflicting = slices.Clone(r.Conflicting)
	}
	linked = batch[1:]
	slices.Sort(linked)
	slices.Sort(conflicting)
	return linked, conflicting
}

// Cancel executes Cancel for a component, together with those of the same image.
func (d *Driver) Cancel(ctx context.Context, id dm.InstanceID) error {
	return d.request(ctx, func(c *change) bool { return d.leave(c, id, CancelExecuted, nil) })
}

// leave ends the update of a component and of those of the same image, by Cancel or a reset.
func (d *Driver) leave(c *change, id dm.InstanceID, k Kind, edit func(*Record)) bool {
	r := c.Get(id)
	unit, batch := r.unit(id), r.batch(id)
	for _, member := range unit {
		ok := d.happen(c, member, Event{Kind: k}, Facts{}, func(r *Record) {
			r.forget()
			if edit != nil && member == id {
				edit(r)
			}
		})
		if !ok {
			return false
		}
	}
	for _, member := range batch {
		if !slices.Contains(unit, member) {
			d.happen(c, member, Event{Kind: BatchBroken}, Facts{}, func(r *Record) { r.Batch = nil })
		}
	}
	return true
}

// Approve installs what the user has postponed.
func (d *Driver) Approve(ctx context.Context, id dm.InstanceID) error {
	r := d.Record(id)
	batch := r.batch(id)
	defer d.Claim()()
	f := d.facts(UserApproved, d.images(batch))
	return d.request(ctx, func(c *change) bool { return d.begin(c, batch, UserApproved, f) })
}

// endDeferral installs, or tries again in a minute if another update is being installed.
func (d *Driver) endDeferral(id dm.InstanceID) {
	r := d.Record(id)
	batch := r.batch(id)
	defer d.Claim()()
	f := d.facts(DeferralEnded, d.images(batch))
	if _, ok := d.Change(func(c *change) bool { return d.begin(c, batch, DeferralEnded, f) }); ok {
		return
	}
	if r := d.Record(id); r.Phase == Deferred {
		d.StartTimer(nil, id, time.Now().Add(time.Minute), func() { d.endDeferral(id) })
	}
}

// CheckURI returns why a server cannot write Package URI now.
func (d *Driver) CheckURI(id dm.InstanceID, uri string) error {
	if err := d.Ready(); err != nil {
		return err
	}
	if uri != "" && d.cfg.Download[id] == nil {
		return dm.Errorf(dm.MethodNotAllowed, "the device accepts images by Package only")
	}
	r := d.Record(id)
	if _, _, ok := Next(r.State(), uriEvent(uri), Facts{}); !ok {
		return dm.Errorf(dm.MethodNotAllowed, "Package URI cannot be written in the phase %v", r.Phase)
	}
	return nil
}

func uriEvent(uri string) Event {
	if uri == "" {
		return Event{Kind: ResetWritten}
	}
	return Event{Kind: URIWritten}
}

// WriteURI starts what a written Package URI asks for.
func (d *Driver) WriteURI(id dm.InstanceID, uri string) {
	d.Change(func(c *change) bool {
		if uri == "" {
			return d.leave(c, id, ResetWritten, nil)
		}
		return d.happen(c, id, uriEvent(uri), Facts{}, func(r *Record) { r.forget(); r.URI = uri })
	})
}

// Receive returns the sink for a write of Package.
func (d *Driver) Receive(id dm.InstanceID) (dm.Sink, error) {
	return d.Push(update.Receiver[Record]{
		ID: id, Storage: d.cfg.Storage[id], MaxSize: d.cfg.MaxSize,
		Open: func(c *change) error {
			if c.Get(id).Phase == Updating {
				return dm.Errorf(dm.MethodNotAllowed, "an update is being installed")
			}
			return nil
		},
		Begin: func(c *change) error { return d.beginPush(c, id) },
		End: func(c *change, size int64) bool {
			return d.happen(c, id, Event{Kind: PackageEnded}, Facts{}, func(r *Record) { r.Size = size })
		},
		Fail: func(c *change, cause update.Cause) bool {
			return d.happen(c, id, Event{PackageFailed, Result(cause)}, Facts{}, nil)
		},
		Reset: func(c *change) bool { return d.leave(c, id, ResetWritten, nil) },
	})
}

func (d *Driver) beginPush(c *change, id dm.InstanceID) error {
	r := c.Get(id)
	switch {
	case d.cfg.NoPush:
		return dm.Errorf(dm.MethodNotAllowed, "the device downloads images by Package URI only")
	case c.Working(id) && r.Phase == Idle:
		return dm.Errorf(dm.ServiceUnavailable, "the last update has not ended yet")
	case !d.happen(c, id, Event{Kind: PackageBegan}, Facts{}, (*Record).forget):
		return dm.Errorf(dm.MethodNotAllowed, "an image cannot be written in the phase %v: reset the update first", r.Phase)
	}
	return nil
}
