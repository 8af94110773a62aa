package sink

import (
	"errors"

	"github.com/lwm2mgen/toolkit/runtime/content/internal/fault"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// MaxName is the longest name of a node in a payload, in bytes. A path has at most 24, the rest is
// for a gateway prefix.
const MaxName = 256

var (
	errName   = errors.New("a name must be a path such as /3303/0/5700, of up to four IDs 0..65534 without leading zeros")
	errPrefix = errors.New("a name does not start with the gateway prefix of the device")
)

// Path reads a name as a path. A name that starts with a slash is absolute and begins with the
// gateway prefix, if the request has one. Any other name continues the request's base. In a Create,
// an absolute name may leave out the instance ID (/3303//5700), and a relative name of a single ID
// is a resource: both name a resource of the new instance.
func (s *Sink) Path(name []byte) (dm.Path, error) {
	p, err := s.path(name)
	if err != nil {
		return dm.Path{}, fault.BadRequest(s.Req.Base, "%w", err)
	}
	return p, nil
}

func (s *Sink) path(name []byte) (dm.Path, error) {
	switch {
	case len(name) == 0:
		return s.Req.Base, nil
	case name[0] != '/':
		p := s.Req.Base
		if s.Req.Create && countIDs(name) == 1 {
			p = dm.InstancePath(p.Object(), s.Req.NewInstance)
		}
		return appendIDs(p, name)
	}
	name, err := s.device(name)
	if err != nil {
		return dm.Path{}, err
	}
	if len(name) == 1 {
		return dm.Path{}, nil
	}
	if s.Req.Create {
		if object, rest, ok := cutEmpty(name); ok {
			p, err := appendIDs(dm.Path{}, object)
			if err != nil || p.Level() != dm.ObjectLevel {
				return p, errName
			}
			return appendIDs(dm.InstancePath(p.Object(), s.Req.NewInstance), rest)
		}
	}
	return appendIDs(dm.Path{}, name[1:])
}

// device returns an absolute name without its gateway prefix, which must be that of the request, or
// one that the request selects.
func (s *Sink) device(name []byte) ([]byte, error) {
	if s.Req.Select == nil {
		name, ok := cutPrefix(name, s.Req.Prefix)
		if !ok {
			return nil, errPrefix
		}
		return name, nil
	}
	prefix, name := splitPrefix(name)
	s.cached = false // another device may define the object differently
	return name, s.Req.Select(prefix)
}

// splitPrefix returns the gateway prefix of an absolute name, empty where it has none, and the
// rest.
func splitPrefix(name []byte) (prefix, rest []byte) {
	end, digits := 1, true
	for ; end < len(name) && name[end] != '/'; end++ {
		digits = digits && name[end]-'0' <= 9
	}
	switch {
	case digits:
		return nil, name
	case end == len(name):
		return name[1:], name[:1]
	}
	return name[1:end], name[end:]
}

// cutPrefix returns an absolute name without the gateway prefix, and whether the name has it.
func cutPrefix(name []byte, prefix string) ([]byte, bool) {
	if prefix == "" {
		return name, true
	}
	n := 1 + len(prefix)
	if len(name) < n || string(name[1:n]) != prefix {
		return nil, false
	}
	if len(name) == n {
		return name[:1], true
	}
	return name[n:], name[n] == '/'
}

// cutEmpty splits /o//r into o and r. It reports whether the name has that form.
func cutEmpty(name []byte) (before, after []byte, ok bool) {
	for i := 1; i+1 < len(name); i++ {
		if name[i] == '/' {
			return name[1:i], name[i+2:], name[i+1] == '/'
		}
	}
	return nil, nil, false
}

// countIDs returns the number of IDs in a relative name.
func countIDs(name []byte) int {
	n := 1
	for _, c := range name {
		if c == '/' {
			n++
		}
	}
	return n
}

// appendIDs returns the path of the node with a name such as 0/5700 below p.
func appendIDs(p dm.Path, name []byte) (dm.Path, error) {
	for {
		v, n := uint32(0), 0
		for ; n < len(name) && name[n] != '/'; n++ {
			c := name[n] - '0'
			if c > 9 || n > 0 && v == 0 {
				return p, errName
			}
			if v = v*10 + uint32(c); v > 0xffff {
				return p, errName
			}
		}
		child, ok := p.Child(uint16(v))
		if n == 0 || !ok {
			return p, errName
		}
		if p = child; n == len(name) {
			return p, nil
		}
		name = name[n+1:]
	}
}
