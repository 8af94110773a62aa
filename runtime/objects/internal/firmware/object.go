package firmware

import (
	"time"

	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/objects/internal/update"
)

// Hooks returns the hooks of an object of which the driver updates the instances. They refuse a
// Package URI that the state does not allow, start what a written one asks for, and keep what
// servers have set. settings reads that, and show writes a record to an instance.
func Hooks[T any](d *Driver, f update.Fields[T], settings func(*T) Settings, show func(*T, Record)) dm.Hooks[T] {
	return update.Writes[T, Record]{
		Fields: f, Show: show, CheckURI: d.CheckURI, WriteURI: d.WriteURI, Foresee: d.foresee, TakeBackURI: d.takeBackURI,
		Keep: func(c dm.Change[T]) (undo func()) {
			before := d.Record(c.ID).Settings
			d.set(c.ID, settings(c.New))
			return func() { d.set(c.ID, before) }
		},
	}.Hooks(d.Engine)
}

// foresee returns the record after a written Package URI, or after a reset, without any effect.
func (d *Driver) foresee(id dm.InstanceID, uri string) Record {
	r := d.Record(id)
	if to, _, ok := Next(r.State(), uriEvent(uri), Facts{}); ok {
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
