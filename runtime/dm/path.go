package dm

import (
	"cmp"
	"fmt"
	"strconv"
)

// ObjectID, InstanceID, ResourceID and ResourceInstanceID are the four parts of a Path, each
// 0..65534. The ID 65535 is reserved and refused everywhere (Core 1.2.2 §7.2).
type (
	// ObjectID identifies an object.
	ObjectID uint16
	// InstanceID identifies an object instance within its object.
	InstanceID uint16
	// ResourceID identifies a resource within its object.
	ResourceID uint16
	// ResourceInstanceID identifies a resource instance within its resource.
	ResourceInstanceID uint16
)

// reserved is the reserved ID.
const reserved = 65535

// Level is the depth of a Path.
type Level uint8

// The levels, from the root to a resource instance.
const (
	RootLevel Level = iota
	ObjectLevel
	InstanceLevel
	ResourceLevel
	ResourceInstanceLevel
)

// Path names a node of the data model: the root, an object, an instance, a resource or a resource
// instance. It is a plain comparable value, usable as a map key. The zero value means the root.
type Path struct {
	ids   uint64 // 16 bits each, the object ID highest, 0 below level; fits a register
	level Level
}

const idBits = 16

// shift returns the bit position of a level's ID in ids.
func (l Level) shift() uint { return idBits * uint(ResourceInstanceLevel-l) & 63 }

// ObjectPath returns /o.
func ObjectPath(o ObjectID) Path {
	return Path{uint64(o) << (3 * idBits), ObjectLevel}
}

// InstancePath returns /o/i.
func InstancePath(o ObjectID, i InstanceID) Path {
	return Path{uint64(o)<<(3*idBits) | uint64(i)<<(2*idBits), InstanceLevel}
}

// ResourcePath returns /o/i/r.
func ResourcePath(o ObjectID, i InstanceID, r ResourceID) Path {
	return Path{uint64(o)<<(3*idBits) | uint64(i)<<(2*idBits) | uint64(r)<<idBits, ResourceLevel}
}

// ResourceInstancePath returns /o/i/r/ri.
func ResourceInstancePath(o ObjectID, i InstanceID, r ResourceID, ri ResourceInstanceID) Path {
	return Path{uint64(o)<<(3*idBits) | uint64(i)<<(2*idBits) | uint64(r)<<idBits | uint64(ri), ResourceInstanceLevel}
}

// Level returns the depth of the path.
func (p Path) Level() Level { return p.level }

// IsRoot reports whether the path names the root.
func (p Path) IsRoot() bool { return p.level == RootLevel }

// Object returns the object ID, 0 for the root.
func (p Path) Object() ObjectID { return ObjectID(p.ids >> (3 * idBits)) }

// Instance returns the instance ID, 0 if the path is shorter.
func (p Path) Instance() InstanceID { return InstanceID(p.ids >> (2 * idBits)) }

// Resource returns the resource ID, 0 if the path is shorter.
func (p Path) Resource() ResourceID { return ResourceID(p.ids >> idBits) }

// ResourceInstance returns the resource instance ID, 0 if the path is shorter.
func (p Path) ResourceInstance() ResourceInstanceID { return ResourceInstanceID(p.ids) }

// ID returns the ID of a level from ObjectLevel to ResourceInstanceLevel, 0 if the path is shorter.
func (p Path) ID(l Level) uint16 { return uint16(p.ids >> l.shift()) }

// Child returns the path one level deeper. It returns false if the path already names a resource
// instance, or if id is reserved.
func (p Path) Child(id uint16) (Path, bool) {
	if p.level == ResourceInstanceLevel || id == reserved {
		return p, false
	}
	return p.child(id), true
}

// child is Child for callers that have checked the level and the ID.
func (p Path) child(id uint16) Path {
	p.level++
	p.ids |= uint64(id) << p.level.shift()
	return p
}

// Up returns the path cut to the given level. A path that is not longer is returned unchanged.
func (p Path) Up(to Level) Path {
	if p.level <= to {
		return p
	}
	if to == RootLevel {
		return Path{}
	}
	return Path{p.ids >> to.shift() << to.shift(), to}
}

// Contains reports whether q equals p or lies below it.
func (p Path) Contains(q Path) bool {
	return p.level <= q.level && p.Shares(q, p.level)
}

// Shares reports whether both paths have the same IDs down to the given level.
func (p Path) Shares(q Path, down Level) bool {
	return down == RootLevel || (p.ids^q.ids)>>down.shift() == 0
}

// Compare orders paths in the order of a walk through the data model: a node comes before what is
// below it.
func (p Path) Compare(q Path) int {
	if p.ids != q.ids {
		return cmp.Compare(p.ids, q.ids)
	}
	return cmp.Compare(p.level, q.level)
}

// firstInstance returns the lowest instance ID at or below p.
func (p Path) firstInstance() uint32 {
	if p.level < InstanceLevel {
		return 0
	}
	return uint32(p.Instance())
}

// valid reports whether the path contains no reserved ID.
func (p Path) valid() bool {
	for l := ObjectLevel; l <= p.level; l++ {
		if p.ID(l) == reserved {
			return false
		}
	}
	return true
}

// ParsePath parses a path such as "/3303/0/5700"; "/" is the root. IDs are decimal numbers 0..65534
// without signs or leading zeros. A path has at most four IDs and no slash at its end.
func ParsePath(s string) (Path, error) {
	var p Path
	if s == "/" {
		return p, nil
	}
	if s == "" || s[0] != '/' {
		return p, fmt.Errorf("path %.64q: it must start with a slash, such as /3303/0/5700", s)
	}
	for rest := s; rest != ""; {
		if p.level == ResourceInstanceLevel {
			return Path{}, fmt.Errorf("path %.64q: it has more than four IDs", s)
		}
		id, n := parseID(rest[1:])
		if n == 0 {
			return Path{}, fmt.Errorf("path %.64q: each ID must be a decimal number 0..65534 without leading zeros", s)
		}
		p = p.child(id)
		rest = rest[1+n:]
	}
	return p, nil
}

// parseID parses an ID that ends at a slash or at the end of s. n is the number of bytes, 0 if
// there is no ID.
func parseID(s string) (id uint16, n int) {
	v := uint32(0)
	for n < len(s) && s[n] != '/' {
		c := s[n] - '0'
		if c > 9 || n > 0 && v == 0 {
			return 0, 0
		}
		if v = v*10 + uint32(c); v >= reserved {
			return 0, 0
		}
		n++
	}
	return uint16(v), n
}

// Append appends the path in text form, such as "/3303/0/5700", to b. The root is "/".
func (p Path) Append(b []byte) []byte {
	b = append(b, '/')
	return p.AppendIDs(b, ObjectLevel, p.level)
}

// AppendIDs appends the IDs from one level to another in text form, such as "0/5700". It appends
// nothing if from is deeper than to.
func (p Path) AppendIDs(b []byte, from, to Level) []byte {
	for l := from; l <= to; l++ {
		if l > from {
			b = append(b, '/')
		}
		b = strconv.AppendUint(b, uint64(p.ID(l)), 10)
	}
	return b
}

// Len returns the length of the path in text form.
func (p Path) Len() int {
	n := max(int(p.level), 1)
	for l := ObjectLevel; l <= p.level; l++ {
		id := p.ID(l)
		for n++; id >= 10; id /= 10 {
			n++
		}
	}
	return n
}

// String returns the path in text form, such as "/3303/0/5700".
func (p Path) String() string {
	return string(p.Append(make([]byte, 0, 24)))
}
