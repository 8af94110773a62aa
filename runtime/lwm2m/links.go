package lwm2m

import (
	"strconv"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// hidden are the objects that no management server sees: Security, OSCORE and COSE (Core 1.2.2 §6.2.1).
var hidden = [...]dm.ObjectID{securityID, oscoreID, coseID}

func isHidden(id dm.ObjectID) bool {
	for _, h := range hidden {
		if id == h {
			return true
		}
	}
	return false
}

// coreVersion is the version of a core object that a registration with the enabler's version v means when it does not name
// another (Core 1.2.2 §7.2.3 and Appendix E; for 1.1 the versions of its objects as registered). Objects that are not part of
// the enabler are 1.0 then.
func coreVersion(id dm.ObjectID, v registry.Version) registry.Version {
	switch {
	case v.Compare(registry.V(1, 2)) >= 0:
		switch id {
		case 1, 3:
			return registry.V(1, 2)
		case 2, 5:
			return registry.V(1, 1)
		case 4:
			return registry.V(1, 3)
		}
	case v.Compare(registry.V(1, 1)) >= 0:
		switch id {
		case 1, 3:
			return registry.V(1, 1)
		case 4:
			return registry.V(1, 2)
		}
	}
	return registry.V(1, 0)
}

// contentFormats is the `ct` of the root: the formats beyond plain text and octet stream.
func contentFormats(v registry.Version) string {
	switch {
	case v.Compare(registry.V(1, 2)) >= 0:
		return `"60 110 112 11542 11543 11544"`
	case v.Compare(registry.V(1, 1)) >= 0:
		return `"60 110 112 11542 11543"`
	}
	return "11543"
}

// linkList appends the objects and instances of a registration with the enabler's version v (Core 1.2.2 §6.2.1), without
// those that profile covers.
func linkList(b []byte, s dm.Snapshot, v registry.Version, alternate string, profile *Profile) []byte {
	if profile != nil && len(profile.Objects) == 0 {
		return b // the profile says it all
	}
	b = append(b, "<"...)
	if alternate == "" {
		b = append(b, "/"...)
	}
	b = append(b, alternate...)
	b = append(b, `>;rt="oma.lwm2m";ct=`...)
	b = append(b, contentFormats(v)...)
	for id := range s.Objects() {
		if !isHidden(id) {
			b = objectLinks(b, s, id, v, alternate, profile)
		}
	}
	return b
}

func objectLinks(b []byte, s dm.Snapshot, id dm.ObjectID, v registry.Version, alternate string, profile *Profile) []byte {
	path := dm.ObjectPath(id)
	covered := func(p dm.Path) bool {
		if profile == nil {
			return false
		}
		for _, q := range profile.Objects {
			if q.Contains(p) {
				return true
			}
		}
		return false
	}
	if covered(path) {
		return b
	}
	instances, listed := 0, 0
	for i := range s.Instances(id) {
		instances++
		if !covered(dm.InstancePath(id, i)) {
			listed++
		}
	}
	version := s.Definition(id).Version.OrDefault()
	named := version != coreVersion(id, v)
	if instances == 0 || named && listed > 0 {
		b = append(b, ",<"...)
		b = path.Append(append(b, alternate...))
		b = append(b, '>')
		if named {
			b = append(b, ";ver="...)
			b = strconv.AppendUint(b, uint64(version.Major), 10)
			b = append(b, '.')
			b = strconv.AppendUint(b, uint64(version.Minor), 10)
		}
	}
	for i := range s.Instances(id) {
		if p := dm.InstancePath(id, i); !covered(p) {
			b = append(b, ",<"...)
			b = p.Append(append(b, alternate...))
			b = append(b, '>')
		}
	}
	return b
}
