package dm

import (
	"cmp"
	"fmt"
	"strconv"
)

// ObjectID, InstanceID, ResourceID and ResourceInstanceID are the four parts of a Path. Each is in
// 0..65534; 65535 is reserved and refused everywhere (Core 1.2.2 §7.2).
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

// reserved is the ID that nothing has.
const reserved = 65535

// Level is how deep a Path goes.
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
// instance. It is a plain comparable value, usable as a map key. The zero value is the root.
type Path struct {
	level Level
	ids   [4]uint16
}

// ObjectPath returns /o.
func ObjectPath(o ObjectID) Path {
	return Path{ObjectLevel, [4]uint16{uint16(o)}}
}

// InstancePath returns /o/i.
func InstancePath(o ObjectID, i InstanceID) Path {
	return Path{InstanceLevel, [4]uint16{uint16(o), uint16(i)}}
}

// ResourcePath returns /o/i/r.
func ResourcePath(o ObjectID, i InstanceID, r ResourceID) Path {
	return Path{ResourceLevel, [4]uint16{uint16(o), uint16(i), uint16(r)}}
}

// ResourceInstancePath returns /o/i/r/ri.
func ResourceInstancePath(o ObjectID, i InstanceID, r ResourceID, ri ResourceInstanceID) Path {
	return Path{ResourceInstanceLevel, [4]uint16{uint16(o), uint16(i), uint16(r), uint16(ri)}}
}

// Level returns how deep the path goes.
func (p Path) Level() Level { return p.level }

// IsRoot reports whether the path names the root.
func (p Path) IsRoot() bool { return p.level == RootLevel }

// Object returns the object ID; it is 0 for the root.
func (p Path) Object() ObjectID { return ObjectID(p.ids[0]) }

// Instance returns the instance ID; it is 0 where the path is shorter.
func (p Path) Instance() InstanceID { return InstanceID(p.ids[1]) }

// Resource returns the resource ID; it is 0 where the path is shorter.
func (p Path) Resource() ResourceID { return ResourceID(p.ids[2]) }

// ResourceInstance returns the resource instance ID; it is 0 where the path is shorter.
func (p Path) ResourceInstance() ResourceInstanceID { return ResourceInstanceID(p.ids[3]) }

// Child returns the path one level deeper. It returns false where the path names a resource
// instance already, or id is reserved.
func (p Path) Child(id uint16) (Path, bool) {
	if p.level == ResourceInstanceLevel || id == reserved {
		return p, false
	}
	return p.child(id), true
}

// child is Child for callers that know the level and the ID to be good.
func (p Path) child(id uint16) Path {
	p.ids[p.level] = id
	p.level++
	return p
}

// Up returns the path cut to the given level; a path that is not longer is returned as it is.
func (p Path) Up(to Level) Path {
	for p.level > to {
		p.level--
		p.ids[p.level] = 0
	}
	return p
}

// Contains reports whether q is p or lies below it.
func (p Path) Contains(q Path) bool {
	return p.level <= q.level && q.Up(p.level) == p
}

// Compare orders paths as a walk of the data model meets them: a node comes before what is below it.
func (p Path) Compare(q Path) int {
	for i := range min(p.level, q.level) {
		if c := cmp.Compare(p.ids[i], q.ids[i]); c != 0 {
			return c
		}
	}
	return cmp.Compare(p.level, q.level)
}

// valid reports whether no part of the path is reserved.
func (p Path) valid() bool {
	for _, id := range p.ids[:p.level] {
		if id == reserved {
			return false
		}
	}
	return true
}

// ParsePath reads a path such as "/3303/0/5700"; "/" is the root. IDs are decimal numbers 0..65534
// without signs or leading zeros; a path has up to four and no slash at its end.
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

// parseID reads an ID that ends at a slash or at the end of s. It returns how many bytes it took,
// 0 where there is none.
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

// Append appends the path as text, such as "/3303/0/5700", to b; the root is "/".
func (p Path) Append(b []byte) []byte {
	if p.level == RootLevel {
		return append(b, '/')
	}
	for _, id := range p.ids[:p.level] {
		b = append(b, '/')
		b = strconv.AppendUint(b, uint64(id), 10)
	}
	return b
}

// Len returns the length of the path as text.
func (p Path) Len() int {
	if p.level == RootLevel {
		return 1
	}
	n := int(p.level)
	for _, id := range p.ids[:p.level] {
		for n++; id >= 10; id /= 10 {
			n++
		}
	}
	return n
}

// String returns the path as text, such as "/3303/0/5700".
func (p Path) String() string {
	return string(p.Append(make([]byte, 0, 24)))
}
