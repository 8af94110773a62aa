package dm

import (
	"context"

	"github.com/lwm2mgen/toolkit/registry"
)

// Cell is one resource of one instance, whatever its type: *Res, *Multi or *Exec. Generated code
// hands cells to the data model; nobody else needs the interface, and nobody else can implement it.
type Cell interface {
	// kind returns the data type and whether the resource has resource instances; registry.None for
	// an executable.
	kind() (t registry.Type, multiple bool)
	// supported reports whether the resource exists.
	supported() bool
	// hides reports whether the Go type keeps values from being shown.
	hides() bool
	// hasValue reports whether reading can find something: a stored value, an instance, a function.
	hasValue() bool
	// live reports whether a function or a stream stands behind the resource.
	live() bool
	// moves reports whether the live resource is marked with Moving.
	moves() bool

	// read returns the value of a single resource, or of one resource instance.
	read(ctx context.Context, ri ResourceInstanceID) (Value, error)
	// each yields the resource's values: one at p, or those of its instances below p. A resource
	// that can have instances and has none yields the zero Value at p.
	each(ctx context.Context, p Path, yield Yield) error
	// instances yields the IDs of the resource instances, ascending.
	instances(ctx context.Context, yield func(ResourceInstanceID) bool) error

	// staged reports whether something is staged for the function behind a live resource.
	staged() bool

	// The following change a cell; only a transaction's own copy is ever changed.

	// support makes an unsupported resource supported but empty.
	support()
	// clear makes a supported resource empty. A live one stages that.
	clear()
	// set writes a single resource or one resource instance. The type has been checked.
	set(ri ResourceInstanceID, v Value)
	// remove deletes a resource instance; false when there is none.
	remove(ri ResourceInstanceID) bool
	// assign makes the cell equal to from, which has the same Go type.
	assign(from Cell)
	// assignOne makes one resource instance equal to that of from, or absent as it is there.
	assignOne(from Cell, ri ResourceInstanceID)
	// settle forgets what was staged for a live resource.
	settle()

	// diff yields what differs from old, which has the same Go type: p, or paths below it.
	diff(old Cell, p Path, yield func(Path))
	// check reports a stored value that the definition does not allow.
	check(def *registry.Resource, p Path) error
	// stream returns the stream behind an Opaque resource; nil where there is none.
	stream() *stream
	// warn reports whether it is the first time that the live value is found to have a fault.
	warn(fault) bool
}

// Yield receives one value with its path during a read. An error ends the read and is returned by it.
type Yield func(Path, Value) error

// state is what is known of a resource's value.
type state uint8

const (
	unsupported state = iota // the resource does not exist here
	empty                    // it exists and has no value
	stored                   // it has the value that is kept in the cell
	liveIdle                 // its value comes from a function
	liveEmpty                // as liveIdle, and a transaction empties it
	liveSet                  // as liveIdle, and a transaction writes it
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

// cleared returns the state after the value was taken away.
func (s state) cleared() state {
	switch {
	case s == unsupported:
		return unsupported
	case s.isLive():
		return liveEmpty
	}
	return empty
}
