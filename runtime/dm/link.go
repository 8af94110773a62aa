package dm

import (
	"fmt"
	"strconv"
)

// ObjectLink is a reference to an object instance (Core 1.2.2 Appendix C, Objlnk). The zero value
// refers to instance 0 of object 0; NullLink refers to nothing.
type ObjectLink struct {
	Object   ObjectID
	Instance InstanceID
}

// NullLink is the link that refers to nothing, 65535:65535 on the wire. Do not change it.
var NullLink = ObjectLink{reserved, reserved}

// IsNull reports whether the link refers to nothing.
func (l ObjectLink) IsNull() bool { return l == NullLink }

// String returns the link in its wire form, such as "3303:0".
func (l ObjectLink) String() string { return string(l.Append(nil)) }

// Append appends the link in its wire form, such as "3303:0", to b.
func (l ObjectLink) Append(b []byte) []byte {
	b = strconv.AppendUint(b, uint64(l.Object), 10)
	b = append(b, ':')
	return strconv.AppendUint(b, uint64(l.Instance), 10)
}

// ParseObjectLink parses a link such as "3303:0": two decimal numbers 0..65535 without signs or
// leading zeros. An object ID of 65535 requires the instance ID 65535; the instance ID 65535 with
// another object ID names an object without an instance.
func ParseObjectLink(s string) (ObjectLink, error) {
	var ids [2]uint16
	rest := s
	for i := range ids {
		v, n := uint32(0), 0
		for n < len(rest) && rest[n] != ':' {
			c := rest[n] - '0'
			if c > 9 || n > 0 && v == 0 {
				return badLink(s)
			}
			if v = v*10 + uint32(c); v > reserved {
				return badLink(s)
			}
			n++
		}
		if n == 0 || (n < len(rest)) != (i == 0) {
			return badLink(s)
		}
		ids[i] = uint16(v)
		if i == 0 {
			rest = rest[n+1:]
		}
	}
	l := ObjectLink{ObjectID(ids[0]), InstanceID(ids[1])}
	if l.Object == reserved && l.Instance != reserved {
		return badLink(s)
	}
	return l, nil
}

func badLink(s string) (ObjectLink, error) {
	return NullLink, fmt.Errorf("object link %.32q: write it as object:instance, such as 3303:0, or 65535:65535 for none", s)
}

// CoreLink is a list of links in CoRE Link Format, such as "</3303/0>" (RFC 6690; Core 1.2.2
// Appendix C, Corelnk).
type CoreLink string
