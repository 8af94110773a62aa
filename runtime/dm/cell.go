package dm

import (
	"context"

	"github.com/lwm2mgen/toolkit/registry"
)

// Cell is one resource of one instance, whatever its type: *Res, *Multi or *Exec. It is for
// generated code, which passes cells to the data model; no other type can implement it.
type Cell interface {
	// kind returns the data type and whether the resource has resource instances; registry.None for
	// an executable.
	kind() (t registry.Type, multiple bool)
	// supported reports whether the resource exists.
	supported() bool
	// hides reports whether the Go type hides its values in output.
	hides() bool
	// hasValue reports whether a read can find something: a stored value, a resource instance, or a
	// function.
	hasValue() bool
	// live reports whether a function or a stream provides the value.
	live() bool
	// reporting returns how observers are told of a live resource, or nil.
	reporting() *Reporting
	// expire has the next sample of a live resource call its function.
	expire()

	// read returns the value of a single resource, or of one resource instance.
	read(ctx context.Context, ri ResourceInstanceID) (Value, error)
	// each yields the resource's values: one at p, or those of its instances below p. A resource
	// that can have instances and has none yields the zero Value at p.
	each(ctx context.Context, p Path, yield Yield) error
	// instances yields the IDs of the resource instances in ascending order.
	instances(ctx context.Context, yield func(ResourceInstanceID) bool) error

	// staged reports whether a value is staged for a live resource.
	staged() bool

	// The following methods change a cell; only a transaction's own copy is changed.

	// support makes an unsupported resource supported but empty.
	support()
	// clear makes a supported resource empty. For a live one the change is staged.
	clear()
	// set writes a single resource or one resource instance. The caller has checked the type.
	set(ri ResourceInstanceID, v Value)
	// remove deletes a resource instance; it returns false if there is none.
	remove(ri ResourceInstanceID) bool
	// assign makes the cell equal to from, which has the same Go type.
	assign(from Cell)
	// assignOne makes one resource instance equal to that of from, or removes it if from does not
	// have it.
	assignOne(from Cell, ri ResourceInstanceID)
	// settle discards the staged value of a live resource.
	settle()

	// diff yields the differences from old, which has the same Go type: p, or paths below it.
	diff(old Cell, p Path, yield func(Path))
	// check reports a stored value that the definition does not allow.
	check(def *registry.Resource, p Path) error
	// stream returns the stream behind an Opaque resource, or nil.
	stream() *stream
	// warn reports whether a live value is found to have a fault for the first time.
	warn(fault) bool
}

// Yield receives one value with its path during a read. An error ends the read, which returns it.
type Yield func(Path, Value) error

// state says whether a resource exists and where its value comes from.
type state uint8

const (
	unsupported state = iota // the resource does not exist in this instance
	empty                    // it exists and has no value
	stored                   // the cell holds the value
	liveIdle                 // a function returns the value
	liveEmpty                // like liveIdle, and a transaction empties it
	liveSet                  // like liveIdle, and a transaction writes it
)

func (s state) isLive() bool { return s >= liveIdle }

func (s state) isStaged() bool { return s >= liveEmpty }

// setTo returns the state after a value was set.
func (s state) setTo() state {
	if s.isLive() {
		return liveSet
	}
	return stored
}

// cleared returns the state after the value was removed.
func (s state) cleared() state {
	switch {
	case s == unsupported:
		return unsupported
	case s.isLive():
		return liveEmpty
	}
	return empty
}
