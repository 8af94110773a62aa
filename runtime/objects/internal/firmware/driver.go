package firmware

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/objects/internal/update"
	"github.com/lwm2mgen/toolkit/runtime/store"
)

// Storage holds an image.
type Storage interface {
	update.Storage
	Sync() error
	Content() *io.SectionReader
}

// Image is a complete image.
type Image struct {
	Component     dm.InstanceID
	Content       *io.SectionReader
	URI           string
	Severity      int64
	Name, Version string          // of the package; Verify sets them
	Components    []dm.InstanceID // that it updates, too; Verify sets them
}

// Download downloads what a URI names to a storage.
type Download func(ctx context.Context, uri string, s Storage) error

// Config says how an object with firmware works. Its functions are called on any goroutine.
type Config struct {
	Storage   map[dm.InstanceID]Storage
	Store     store.Store // may be nil
	Record    func(dm.InstanceID) string
	Verify    func(context.Context, *Image) error
	Install   func(context.Context, []*Image) (restarting bool, err error)
	Installed func(*Image) bool // may be nil
	// Dependencies returns which of the other images are installed together with an image, and
	// which components stand in the way. May be nil.
	Dependencies func(image *Image, others []*Image) (linked, conflicting []dm.InstanceID)
	// Download downloads for a component, and Schemes returns what for; nil without the way.
	Download map[dm.InstanceID]Download
	Schemes  func(dm.InstanceID) []string
	NoPush   bool
	MaxSize  int64
	Ask      func(images []*Image, until time.Time) bool // may be nil
	Busy     func() bool                                 // may be nil
	// Publish lets servers read the records.
	Publish func(records map[dm.InstanceID]Record)
	Logger  *slog.Logger
}

// Driver carries out what Next decides, for each component of the device.
type Driver struct {
	*update.Engine[Record]
	cfg Config
}

type (
	change = update.Change[Record]
	step   = update.Step[Record]
	task   = update.Task[Record]
	job    = update.Job[Record]
)

// image returns the image of a component.
func (d *Driver) image(id dm.InstanceID, r Record) *Image {
	return &Image{Component: id, Content: d.cfg.Storage[r.owner(id)].Content(), URI: r.URI, Severity: r.Severity,
		Name: r.Name, Version: r.Version}
}

// images returns those of components.
func (d *Driver) images(ids []dm.InstanceID) []*Image {
	records := d.Records()
	var images []*Image
	for _, id := range ids {
		r := records[id]
		images = append(images, d.image(id, r))
	}
	return images
}

// save makes records durable.
func (d *Driver) save(records map[dm.InstanceID]Record) error {
	return update.Save(d.cfg.Store, d.cfg.Record, records)
}

// set sets the state of a record.
func (r *Record) set(to State, now time.Time) {
	if to.Phase.Resource() != r.Phase.Resource() {
		r.Since = now.Unix()
	}
	if to.Phase != Deferred {
		r.Until = 0
	}
	if to.Phase != Verifying {
		r.Verified = 0
	}
	if to.Result != ConflictingState && to.Result != DependencyError {
		r.Conflicting = nil
	}
	r.Phase, r.Result = to.Phase, to.Result
}

// forgetUnit forgets which components belonged together.
func (r *Record) forgetUnit() { r.Unit, r.Batch = nil, nil }

// happen lets an event happen to a component. edit changes the record together with the state.
func (d *Driver) happen(c *change, id dm.InstanceID, e Event, f Facts, edit func(*Record)) bool {
	before := c.Get(id)
	to, actions, ok := Next(before.State(), e, f)
	if !ok {
		return false
	}
	r := c.Record(id)
	r.set(to, time.Now())
	if edit != nil {
		edit(r)
	}
	if to.Phase == Idle {
		r.forgetUnit()
	}
	if to.Phase == Deferred && before.Phase != Deferred {
		if until := r.deferUntil(); !until.IsZero() {
			r.Until = until.Unix()
		}
	}
	if to.Phase != Receiving && to.Phase != Verifying {
		c.EndPush(id)
	}
	for _, a := range actions {
		switch a {
		case Stop:
			c.Abandon(id)
		case StopTimer:
			c.StopTimer(id)
		case Discard, Fetch, Verify, Install, StartTimer:
		}
	}
	for _, t := range d.tasks(id, actions, *r) {
		c.Do(t)
	}
	return true
}

// tasks returns what actions mean for a component. Stop and StopTimer have happened at once.
func (d *Driver) tasks(id dm.InstanceID, actions []Action, r Record) []task {
	var tasks []task
	for _, a := range actions {
		switch a {
		case Discard:
			tasks = append(tasks, task{Run: func(*step) { d.discard(id) }})
		case Fetch:
			tasks = append(tasks, task{Run: func(s *step) {
				d.Engine.Start(s, id, job{
					Do:    func(ctx context.Context) func(*change) bool { return d.fetch(ctx, id) },
					Ended: d.ended(id, FetchFailed),
				})
			}})
		case Verify:
			tasks = append(tasks, task{
				Sync: d.cfg.Storage[id].Sync,
				Fail: func(err error) { d.fail(id, VerifyFailed, update.CauseOf(err, update.Failed)) },
				Run: func(s *step) {
					d.Engine.Start(s, id, job{
						Do:    func(ctx context.Context) func(*change) bool { return d.verify(ctx, id) },
						Ended: d.ended(id, VerifyFailed),
					})
				},
			})
		case Install:
			if batch := r.batch(id); batch[0] == id { // one installation for all of them
				tasks = append(tasks, task{
					Once: true,
					Fail: func(error) { d.failBatch(batch, UpdateFailed) },
					Run: func(s *step) {
						d.Engine.Start(s, id, job{
							Do:    func(ctx context.Context) func(*change) bool { return d.install(ctx, batch) },
							Ended: func(c *change, _ error) bool { return d.endBatch(c, batch, Event{InstallFailed, UpdateFailed}) },
						})
					},
				})
			}
		case StartTimer:
			if until := r.Deadline(); !until.IsZero() {
				tasks = append(tasks, task{Run: func(s *step) { d.Engine.StartTimer(s, id, until, func() { d.endDeferral(id) }) }})
			}
		case Stop, StopTimer:
		}
	}
	return tasks
}

// fail ends the update of a component because of an error.
func (d *Driver) fail(id dm.InstanceID, k Kind, cause update.Cause) {
	d.Change(func(c *change) bool { return d.happen(c, id, Event{k, Result(cause)}, Facts{}, (*Record).forget) })
}

// ended returns the change of a function of the program that has ended its goroutine.
func (d *Driver) ended(id dm.InstanceID, k Kind) func(*change, error) bool {
	return func(c *change, _ error) bool { return d.happen(c, id, Event{k, UpdateFailed}, Facts{}, nil) }
}

// discard empties the storage of a component, unless a new image has begun to arrive.
func (d *Driver) discard(id dm.InstanceID) {
	d.WhenUnused(id, func(r Record) {
		if r.Phase != Idle && r.Phase != Fetching { // a download that follows has not begun yet
			return
		}
		if err := d.cfg.Storage[id].Truncate(0); err != nil {
			d.cfg.Logger.Warn("the firmware image cannot be discarded", "err", err)
		}
	})
}

// deferUntil returns when a deferral that begins now ends, zero for never.
func (r *Record) deferUntil() time.Time {
	const century = 100 * 365 * 24 * 60 * 60
	period := r.MaxDefer
	if period == nil || *period > century {
		return time.Time{}
	}
	return time.Now().Add(time.Duration(*period) * time.Second)
}

// fetch downloads from Package URI.
func (d *Driver) fetch(ctx context.Context, id dm.InstanceID) func(*change) bool {
	r := d.Record(id)
	var err error
	if d.cfg.Download[id] == nil { // the program was replaced by one that cannot
		err = update.Fail(update.UnsupportedProtocol, errors.New("the device accepts images by Package only"))
	} else {
		err = update.CheckURI(r.URI, d.cfg.Schemes(id))
	}
	if err == nil {
		err = d.cfg.Download[id](ctx, r.URI, d.cfg.Storage[id])
	}
	if err != nil {
		d.cfg.Logger.Warn("the firmware image cannot be downloaded", "component", id, "err", err)
		e := Event{FetchFailed, Result(update.CauseOf(err, update.ConnectionLost))}
		return func(c *change) bool { return d.happen(c, id, e, Facts{}, nil) }
	}
	size := d.cfg.Storage[id].Content().Size()
	return func(c *change) bool {
		return d.happen(c, id, Event{Kind: FetchEnded}, Facts{}, func(r *Record) { r.Size = size })
	}
}

// verify checks the image of a component.
func (d *Driver) verify(ctx context.Context, id dm.InstanceID) func(*change) bool {
	image := d.images([]dm.InstanceID{id})[0]
	err := d.cfg.Verify(ctx, image)
	var unit []dm.InstanceID
	if err == nil {
		unit, err = d.accept(image)
	}
	if err != nil {
		d.cfg.Logger.Warn("the firmware image is refused", "component", id, "err", err)
		e := Event{VerifyFailed, Result(update.CauseOf(err, update.IntegrityCheckFailed))}
		return func(c *change) bool { return d.happen(c, id, e, Facts{}, nil) }
	}
	if d.Record(id).Automatic {
		context.AfterFunc(ctx, d.Claim()) // ctx ends after the change, or without one
	}
	f := d.facts(VerifyPassed, []*Image{image})
	return func(c *change) bool {
		if busy := occupied(c, unit, id); len(busy) > 0 {
			return d.happen(c, id, Event{VerifyFailed, ConflictingState}, Facts{}, func(r *Record) { r.Conflicting = busy })
		}
		known := func(r *Record) { r.Name, r.Version, r.Unit = image.Name, image.Version, unit }
		for _, other := range unit[min(1, len(unit)):] {
			d.happen(c, other, Event{Kind: Covered}, f, known)
		}
		return d.happen(c, id, Event{Kind: VerifyPassed}, f, known)
	}
}

// accept returns the unit of an image that Verify has accepted, or why servers could not read what
// Verify has set.
func (d *Driver) accept(image *Image) ([]dm.InstanceID, error) {
	if err := errors.Join(update.CheckText("name", image.Name), update.CheckText("version", image.Version)); err != nil {
		return nil, update.Fail(update.Failed, fmt.Errorf("what Verify has set: %w", err))
	}
	return d.unitOf(image)
}

// unitOf returns the components that an image updates, its own first; none if that is all.
func (d *Driver) unitOf(image *Image) ([]dm.InstanceID, error) {
	unit := []dm.InstanceID{image.Component}
	for _, id := range image.Components {
		if d.cfg.Storage[id] == nil {
			return nil, update.Fail(update.Failed, fmt.Errorf("there is no component %d", id))
		}
		if !slices.Contains(unit, id) {
			unit = append(unit, id)
		}
	}
	if len(unit) == 1 {
		return nil, nil
	}
	return unit, nil
}

// occupied returns the components of a unit that have an update of their own.
func occupied(c *change, unit []dm.InstanceID, but dm.InstanceID) []dm.InstanceID {
	return slices.DeleteFunc(slices.Clone(unit), func(id dm.InstanceID) bool { return id == but || c.Get(id).Phase == Idle })
}

// install installs the images of components.
func (d *Driver) install(ctx context.Context, batch []dm.InstanceID) func(*change) bool {
	restarting, err := d.cfg.Install(ctx, d.images(batch))
	switch {
	case err != nil:
		d.cfg.Logger.Warn("the firmware image cannot be installed", "err", err)
		result := Result(update.CauseOf(err, update.Failed))
		return func(c *change) bool { return d.endBatch(c, batch, Event{InstallFailed, result}) }
	case restarting:
		return nil
	}
	return func(c *change) bool { return d.endBatch(c, batch, Event{Kind: InstallEnded}) }
}

// endBatch ends the installation of components.
func (d *Driver) endBatch(c *change, batch []dm.InstanceID, e Event) bool {
	ok := true
	for _, id := range batch {
		ok = d.happen(c, id, e, Facts{}, func(r *Record) { r.Batch, r.Until = nil, 0 }) && ok
	}
	return ok
}

func (d *Driver) failBatch(batch []dm.InstanceID, r Result) {
	d.Change(func(c *change) bool { return d.endBatch(c, batch, Event{InstallFailed, r}) })
}
