package lwm2m

import (
	"slices"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/corelink"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/objects/enrolment"
)

// hidden are the objects that management servers cannot access: Security, OSCORE and COSE (Core
// 1.2.2 §6.2.1), and the enrolled certificates.
var hidden = [...]dm.ObjectID{securityID, oscoreID, coseID, enrolment.ObjectID}

func isHidden(id dm.ObjectID) bool { return slices.Contains(hidden[:], id) }

// coreVersion returns the version that an object has in a registration with version v of LwM2M if
// the registration does not name a version (Core 1.2.2 §7.2.3 and Appendix E; for LwM2M 1.1 the
// versions of its objects as registered). Objects that are not part of LwM2M itself have version
// 1.0.
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

// The formats that a registration names in addition to plain text and octet stream, the preferred
// first.
var (
	formats10 = [...]content.Format{content.LwM2MJSON}
	formats11 = [...]content.Format{content.SenMLCBOR, content.SenMLJSON, content.CBOR, content.TLV, content.LwM2MJSON}
	formats12 = [...]content.Format{
		content.SenMLCBOR, content.LwM2MCBOR, content.SenMLJSON, content.CBOR, content.TLV, content.LwM2MJSON,
	}
)

// contentFormats returns the formats that a registration with version v names: those of
// Config.Formats that the version has, or all.
func contentFormats(chosen []content.Format, v registry.Version) []content.Format {
	switch {
	case chosen != nil:
		return slices.DeleteFunc(slices.Clone(chosen), func(f content.Format) bool {
			return v.Compare(formatSince(f)) < 0
		})
	case v.Compare(registry.V(1, 2)) >= 0:
		return formats12[:]
	case v.Compare(registry.V(1, 1)) >= 0:
		return formats11[:]
	}
	return formats10[:]
}

// formatSince returns the version of LwM2M that has introduced a format.
func formatSince(f content.Format) registry.Version {
	switch f {
	case content.LwM2MCBOR:
		return registry.V(1, 2)
	case content.CBOR, content.SenMLJSON, content.SenMLCBOR, content.SenMLETCHJSON, content.SenMLETCHCBOR:
		return registry.V(1, 1)
	}
	return registry.V(1, 0)
}

// canAnnounce reports whether a registration can name a format: one for values or paths.
func canAnnounce(f content.Format) bool {
	return f.Carries(content.Read, dm.ResourceLevel) || f.Carries(content.CompositePaths, dm.RootLevel)
}

// linkList returns the list of objects and instances for a registration with version v (Core 1.2.2
// §6.2.1), without those that profile contains. The root names the formats, unless there are none.
func linkList(
	s dm.Snapshot, v registry.Version, alternate string, profile *Profile, formats []content.Format,
) []byte {
	if profile != nil && len(profile.Objects) == 0 {
		return nil // the profile contains everything
	}
	l := links{s: s, version: v, profile: profile}
	l.e.Begin(nil, alternate)
	l.e.Root(formats...)
	for id := range s.Objects() {
		if !isHidden(id) {
			l.object(id)
		}
	}
	list, _ := l.e.Finish() // New has checked the alternate path, the only cause of an error
	return list
}

// links writes a list of links.
type links struct {
	e       corelink.Encoder
	s       dm.Snapshot
	version registry.Version
	profile *Profile
}

// covered reports whether the profile contains p.
func (l *links) covered(p dm.Path) bool {
	return l.profile != nil && slices.ContainsFunc(l.profile.Objects, func(q dm.Path) bool { return q.Contains(p) })
}

// object lists the instances of an object. It lists the object itself if it has no instance, or if
// its version has to be named.
func (l *links) object(id dm.ObjectID) {
	path := dm.ObjectPath(id)
	if l.covered(path) {
		return
	}
	all := 0
	var instances []dm.Path
	for i := range l.s.Instances(id) {
		all++
		if p := dm.InstancePath(id, i); !l.covered(p) {
			instances = append(instances, p)
		}
	}
	version := l.s.Definition(id).Version.OrDefault()
	named := version != coreVersion(id, l.version)
	if all == 0 || named && len(instances) > 0 {
		l.e.Link(path)
		if named {
			l.e.Version("ver", version)
		}
	}
	for _, p := range instances {
		l.e.Link(p)
	}
}
