package attr

import (
	"math"
	"time"
)

// A Value is one number or boolean of a sample, which is compared by its size.
type Value struct {
	Key    uint64  // tells the values of a node apart, such as the IDs of the resource instance
	Number float64 // 0 or 1 for a boolean
	// Band is the dead band of the value: without value conditions, a difference below Band is no
	// change. The zero value means that any difference is one.
	Band float64
}

// A Sample is what was read of an observed node, as far as it matters for decisions.
type Sample struct {
	// Print is a fingerprint of all values that are compared for equality. It differs where what
	// would be sent differs.
	Print uint64
	// Values are compared by their size. They belong to the caller.
	Values []Value
	// Live says that functions give values of the node, which are sampled.
	Live bool
	// Every is the interval that the live values have of their own. The zero value means none.
	Every time.Duration
}

// known is what the server knows of one value.
type known struct {
	key    uint64
	told   float64 // what the server was told last, or wrote itself
	before float64 // what was seen last
}

// conditions are the value conditions in force.
type conditions struct{ set *Set }

// conditions returns the value conditions of the set, and whether some are in force. Where gt, lt
// and st contradict each other, none of the three is.
func (s *Set) conditions() (conditions, bool) {
	mask := uint16(valueMask)
	if s.contradictory() {
		mask = 1 << Edge
	}
	return conditions{s}, s.has&mask != 0
}

// met reports whether a value meets one of the conditions.
func (c conditions) met(k *known, now float64) bool {
	if gt, ok := c.set.Get(Gt); ok && (k.told > gt) != (now > gt) {
		return true
	}
	if lt, ok := c.set.Get(Lt); ok && (k.told < lt) != (now < lt) {
		return true
	}
	if st, ok := c.set.Get(St); ok && math.Abs(now-k.told) >= st {
		return true
	}
	edge, ok := c.set.Get(Edge)
	return ok && k.before != edge && now == edge
}

// find returns what the server knows of a value, nil where it knows nothing. at is where the value
// is, unless values have come or gone.
func find(list []known, key uint64, at int) *known {
	if at < len(list) && list[at].key == key {
		return &list[at]
	}
	for i := range list {
		if list[i].key == key {
			return &list[i]
		}
	}
	return nil
}

// anyMet reports whether a value of the sample meets a condition, or has come or gone. It takes
// note of what was seen.
func (c conditions) anyMet(list []known, s *Sample) bool {
	met := len(list) != len(s.Values)
	for i := range s.Values {
		v := &s.Values[i]
		k := find(list, v.Key, i)
		if k == nil {
			met = true
			continue
		}
		met = met || c.met(k, v.Number)
		k.before = v.Number
	}
	return met
}

// anyMoved reports whether a value differs by its dead band or more, or has come or gone.
func anyMoved(list []known, s *Sample) bool {
	if len(list) != len(s.Values) {
		return true
	}
	for i := range s.Values {
		v := &s.Values[i]
		k := find(list, v.Key, i)
		if k == nil || v.Band > 0 && math.Abs(v.Number-k.told) >= v.Band {
			return true
		}
	}
	return false
}

// see takes note of what was seen, for conditions that are attached later.
func see(list []known, s *Sample) {
	for i := range s.Values {
		if k := find(list, s.Values[i].Key, i); k != nil {
			k.before = s.Values[i].Number
		}
	}
}
