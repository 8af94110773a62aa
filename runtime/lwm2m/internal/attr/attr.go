// Package attr decides when an observed node is sampled and when its server is notified, from the
// notification attributes of LwM2M (Core 1.2.2 §5.1.2, §6.4). It holds their definitions (this
// file), reads them from queries (parse.go), keeps those that a server has attached to nodes
// (nodes.go), compares values as they ask for (conditions.go), and turns attributes, samples and
// the time into decisions (monitor.go).
//
// # Rules
//
//   - Gt, Lt, St and Edge are the value conditions. Where some are in force, a notification needs
//     one of them to be met; otherwise any change of the value is a reason to notify.
//   - Gt and Lt are met where the value has crossed them in either direction since the last
//     notification, St where the value differs from the last notification by at least that much,
//     Edge where a boolean has changed to the value of Edge since the sample before.
//   - Each resource instance is compared by itself. One that appears or disappears meets every
//     condition.
//   - A condition that was met stays so until the next notification, which is sent when Pmin has
//     passed, with the value of then. A change without value conditions is different: a value that
//     is back when Pmin has passed is none.
//   - Conditions that contradict each other (Lt + 2 St >= Gt) are not in force. A Pmax of 0 or
//     below Pmin is not in force, and neither is an Epmax that is not greater than Epmin.
//   - A value is evaluated when it changes, and a live one, of which functions are the source,
//     every Epmin, without it every Pmin, without that and Pmax every second; never later than
//     Epmax. Evaluations are Epmin apart, whatever their reason, except those of which a
//     notification may follow at once because Pmin or Pmax has passed.
//
// The package is pure: it knows neither CoAP nor the data model beyond paths and the types of
// resources, holds no clock and no timer, and calls nothing. Its values belong to one goroutine at
// a time.
package attr

import (
	"math"

	"github.com/lwm2mgen/toolkit/registry"
)

// Attribute is one of the notification attributes (Core 1.2.2 §5.1.2).
type Attribute uint8

// The attributes, in the order in which Discover shows them.
const (
	Pmin  Attribute = iota // minimum period in seconds
	Pmax                   // maximum period in seconds
	Gt                     // greater than
	Lt                     // less than
	St                     // step
	Epmin                  // minimum evaluation period in seconds
	Epmax                  // maximum evaluation period in seconds
	Edge                   // rising (1) or falling (0) edge
	Con                    // confirmable notifications (1)
	// Number of notifications that are stored while the server cannot be reached.
	Hqmax
	Count // the number of attributes, not one of them
)

// definition is what the specification says of an attribute, whatever its value.
type definition struct {
	name   string
	number bool   // a decimal number; otherwise a whole number from 0
	max    uint64 // of a whole number
	// ofValue says that the attribute is compared with the value, and so belongs to a resource or a
	// resource instance: of a number, or for Edge of a boolean.
	ofValue bool
}

const maxSeconds = 1<<32 - 1

var definitions = [Count]definition{
	Pmin:  {name: "pmin", max: maxSeconds},
	Pmax:  {name: "pmax", max: maxSeconds},
	Gt:    {name: "gt", number: true, ofValue: true},
	Lt:    {name: "lt", number: true, ofValue: true},
	St:    {name: "st", number: true, ofValue: true},
	Epmin: {name: "epmin", max: maxSeconds},
	Epmax: {name: "epmax", max: maxSeconds},
	Edge:  {name: "edge", max: 1, ofValue: true},
	Con:   {name: "con", max: 1},
	Hqmax: {name: "hqmax", max: maxSeconds},
}

// String returns the name of the attribute.
func (a Attribute) String() string { return definitions[a].name }

// Decimal reports whether the value of the attribute is a decimal number; otherwise it is a whole
// number.
func (a Attribute) Decimal() bool { return definitions[a].number }

// Fits reports whether the attribute can have a value, which is a number.
func (a Attribute) Fits(v float64) bool {
	d := &definitions[a]
	return d.number || v >= 0 && v <= float64(d.max) && v == math.Trunc(v)
}

// checkFor reports why the attribute cannot be attached to a node. The definition of the resource
// is nil for a node above resources.
func (a Attribute) checkFor(def *registry.Resource) error {
	if !definitions[a].ofValue {
		return nil
	}
	if def == nil {
		return Error(a.String() + " belongs to a resource or a resource instance")
	}
	switch def.Type {
	case registry.Integer, registry.UnsignedInteger, registry.Float, registry.Time:
		if a != Edge {
			return nil
		}
	case registry.Boolean:
		if a == Edge {
			return nil
		}
	}
	return Error(a.String() + " does not fit the type of the resource")
}

// Error says why attributes are refused (4.00). Its text names no value and is safe to show to the
// server.
type Error string

// Error returns the text.
func (e Error) Error() string { return string(e) }

// Set is a set of attributes with their values. The zero value has none. There may be one for each
// observation, so it is small.
type Set struct {
	decimal [3]float64 // Gt, Lt and St
	whole   [5]uint32  // Pmin, Pmax, Epmin, Epmax and Hqmax
	has     uint16     // bit n: attribute n is there
	on      uint16     // bit n: attribute n, which is 0 or 1, is 1
}

// slots are the places of the attributes in Set.decimal or Set.whole.
var slots = [Count]uint8{Gt: 0, Lt: 1, St: 2, Pmin: 0, Pmax: 1, Epmin: 2, Epmax: 3, Hqmax: 4}

// Get returns the value of an attribute; false where the set does not have it.
func (s *Set) Get(a Attribute) (v float64, ok bool) {
	switch {
	case a.Decimal():
		v = s.decimal[slots[a]]
	case a == Edge || a == Con:
		v = float64(s.on >> a & 1)
	default:
		v = float64(s.whole[slots[a]])
	}
	return v, s.has&(1<<a) != 0
}

// Put sets the value of an attribute. That of an attribute that is no decimal number is a whole
// number, within the bounds of its definition.
func (s *Set) Put(a Attribute, v float64) {
	s.set(a, v)
	s.has |= 1 << a
}

// Remove removes an attribute.
func (s *Set) Remove(a Attribute) {
	s.set(a, 0)
	s.has &^= 1 << a
}

func (s *Set) set(a Attribute, v float64) {
	switch {
	case a.Decimal():
		s.decimal[slots[a]] = v
	case a != Edge && a != Con:
		s.whole[slots[a]] = uint32(v)
	case v != 0:
		s.on |= 1 << a
	default:
		s.on &^= 1 << a
	}
}

// Empty reports whether the set has no attribute.
func (s *Set) Empty() bool { return s.has == 0 }

// only returns those of the set's attributes that the mask has.
func (s Set) only(mask uint16) Set {
	for a := range Count {
		if mask&(1<<a) == 0 {
			s.Remove(a)
		}
	}
	return s
}

// The attributes that are compared with the value.
const valueMask = 1<<Gt | 1<<Lt | 1<<St | 1<<Edge

// Conditions returns the value conditions of the set: Gt, Lt, St and Edge.
func (s Set) Conditions() Set { return s.only(valueMask) }

// Over returns s with the attributes that it does not have taken from lower.
func (s Set) Over(lower Set) Set {
	for a := range Count {
		if v, ok := lower.Get(a); ok && s.has&(1<<a) == 0 {
			s.Put(a, v)
		}
	}
	return s
}
