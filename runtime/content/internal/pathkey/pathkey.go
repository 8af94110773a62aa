// Package pathkey packs paths into one number, because encoders compare every path with the one before
// it and with the request's.
package pathkey

import (
	"strconv"

	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// Key is a path whose IDs stand in one number, the object ID highest. The zero value is the root.
type Key struct {
	ids   uint64
	level dm.Level
}

const bits = 16 // of an ID

// Of returns the key of a path.
func Of(p dm.Path) Key {
	return Key{
		uint64(p.Object())<<(3*bits) | uint64(p.Instance())<<(2*bits) | uint64(p.Resource())<<bits | uint64(p.ResourceInstance()),
		p.Level(),
	}
}

// Level returns how deep the path goes.
func (k Key) Level() dm.Level { return k.level }

// ID returns the ID on a level, which the path has.
func (k Key) ID(l dm.Level) uint16 { return uint16(k.ids >> (bits * (dm.ResourceInstanceLevel - l))) }

// Path returns the path.
func (k Key) Path() dm.Path {
	var p dm.Path
	for l := dm.ObjectLevel; l <= k.level; l++ {
		p, _ = p.Child(k.ID(l))
	}
	return p
}

// AppendIDs appends the IDs from one level to another as text, such as 6/1.
func (k Key) AppendIDs(b []byte, from, to dm.Level) []byte {
	for l := from; l <= to; l++ {
		if l > from {
			b = append(b, '/')
		}
		b = strconv.AppendUint(b, uint64(k.ID(l)), 10)
	}
	return b
}

// Contains reports whether l is k or lies below it.
func (k Key) Contains(l Key) bool { return k.level <= l.level && k.Shares(l, k.level) }

// Shares reports whether both paths have the same IDs down to a level.
func (k Key) Shares(l Key, level dm.Level) bool {
	return (k.ids^l.ids)>>(bits*(dm.ResourceInstanceLevel-level)) == 0
}

// Before reports whether a walk of the data model meets k before l.
func (k Key) Before(l Key) bool {
	return k.ids < l.ids || k.ids == l.ids && k.level < l.level
}
