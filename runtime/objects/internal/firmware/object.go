package firmware

import (
	"time"

	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/objects/internal/update"
)

// Fields tells the driver where an object has what servers write.
type Fields[T any] struct {
	Object     dm.ObjectID
	Package    dm.ResourceID
	PackageURI dm.ResourceID
	URI        func(*T) *dm.Res[string]
	Settings   func(*T) Settings
	Show       func(*T, Record) // writes the record to an instance
}

// Hooks returns the hooks of an object of which the driver updates the instances. They refuse a
// Package URI that the state does not allow, start what a written one asks for, and keep what
// servers have set.
func Hooks[T any](d *Driver, f Fields[T]) dm.Hooks[T] {
	uri := func(c dm.Change[T]) string { return f.URI(c.New).Or("") }
	begins := func(c dm.Change[T]) bool { return c.Wrote(f.PackageURI) && uri(c) != "" }
	return update.Writes[T]{
		Check: func(c dm.Change[T]) error {
			if !c.Wrote(f.PackageURI) {
				// A Replace that leaves it out is no reset, and may bring an image.
				*f.URI(c.New) = *f.URI(c.Old)
			} else {
				if err := d.CheckURI(c.ID, uri(c)); err != nil {
					return &dm.Error{Code: dm.CodeOf(err), Path: dm.ResourcePath(f.Object, c.ID, f.PackageURI), Err: err}
				}
			}
			switch {
			case begins(c):
				f.Show(c.New, d.foresee(c.ID, Event{Kind: URIWritten}, uri(c)))
			case c.Wrote(f.Package) && d.Resets(c.ID):
				f.Show(c.New, d.foresee(c.ID, Event{Kind: ResetWritten}, ""))
			case c.Wrote(f.Package):
				f.Show(c.New, d.Record(c.ID))
			}
			return nil
		},
		Write: func(c dm.Change[T]) (undo func()) {
			before := d.Record(c.ID)
			if begins(c) {
				d.WriteURI(c.ID, uri(c))
			}
			d.set(c.ID, f.Settings(c.New))
			return func() {
				if begins(c) {
					d.takeBackURI(c.ID, before)
				}
				d.set(c.ID, before.Settings)
			}
		},
		Written: func(c dm.Change[T]) {
			if c.Wrote(f.PackageURI) && !begins(c) {
				d.WriteURI(c.ID, "") // it cannot be taken back
			}
		},
	}.Hooks()
}

// foresee returns the record after an event that a server causes, without any effect.
func (d *Driver) foresee(id dm.InstanceID, e Event, uri string) Record {
	r := d.Record(id)
	if to, _, ok := Next(r.State(), e, Facts{}); ok {
		r.set(to, time.Now())
		r.forget()
		r.URI = uri
	}
	return r
}

// takeBackURI takes back the beginning of a download.
func (d *Driver) takeBackURI(id dm.InstanceID, before Record) {
	d.Change(func(c *change) bool {
		return d.happen(c, id, Event{Kind: ResetWritten}, Facts{}, func(r *Record) { *r = before })
	})
}

// set keeps what a server has set.
func (d *Driver) set(id dm.InstanceID, s Settings) {
	if !d.Record(id).Settings.equal(s) {
		d.Set(id, func(r *Record) { r.Settings = s })
	}
}

// Text returns the value of PkgName or PkgVersion, which is empty while it is unknown.
func Text(s string) dm.Res[string] {
	if s == "" {
		return dm.Empty[string]()
	}
	return dm.Str(s)
}
