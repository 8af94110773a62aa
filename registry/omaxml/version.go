package omaxml

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/lwm2mgen/toolkit/registry"
)

// version reads a version element. An empty element, which the first schema uses, means no version.
// One that is not a version is named together with the version that is used instead.
func (f *file) version(element string, field field, instead registry.Version) registry.Version {
	s := line(field.text)
	if s == "" {
		return instead
	}
	if v, err := registry.ParseVersion(s); err == nil {
		return v
	}
	f.atField(field)
	if v, err := registry.ParseVersion(s + ".0"); err == nil {
		f.warn(fmt.Sprintf("the %s %s has no minor number and is read as %s", element, quote(s), v),
			"write major.minor, such as 1.0")
		return v
	}
	f.repair(fmt.Sprintf("the %s %s is not a version, %s is used instead", element, quote(s), instead),
		"write major.minor, such as 1.0")
	return instead
}

// urn is the content of an object's registered name: urn:oma:lwm2m:{oma,ext,x}:ID[:version] (Core
// 1.2.2 Appendix D.1). A name without a version means version 1.0.
type urn struct {
	id      uint16
	version registry.Version
}

func parseURN(s string) (urn, bool) {
	part := strings.Split(s, ":")
	if len(part) != 5 && len(part) != 6 {
		return urn{}, false
	}
	if !strings.EqualFold(part[0], "urn") || !strings.EqualFold(part[1], "oma") ||
		!strings.EqualFold(part[2], "lwm2m") {
		return urn{}, false
	}
	id, err := strconv.ParseUint(part[4], 10, 16)
	if err != nil {
		return urn{}, false
	}
	u := urn{id: uint16(id)}
	if len(part) == 6 {
		if u.version, err = registry.ParseVersion(part[5]); err != nil {
			return urn{}, false
		}
	}
	return u, true
}

// readVersion reads the version of an object and compares the registered name with it and with the
// ID. A definition without a version has the version of the name.
func (f *file) readVersion(o *registry.Object, name, version field) {
	u, valid := parseURN(o.URN)
	agrees := valid && u.id == o.ID
	var instead registry.Version
	if agrees {
		instead = u.version
	}
	o.Version = f.version("ObjectVersion", version, instead)
	if f.object < 0 {
		return
	}
	f.atField(name)
	switch {
	case o.URN == "":
		f.warn("the object has no URN", fmt.Sprintf("write urn:oma:lwm2m:...:%d:%s into <ObjectURN>", o.ID, o.Version))
	case !valid:
		f.warn(fmt.Sprintf("the URN %s is not of the form urn:oma:lwm2m:...:ID:version", quote(o.URN)), "correct it")
	case !agrees:
		f.warn(fmt.Sprintf("the URN %s names object %d", quote(o.URN), u.id), "let <ObjectURN> and <ObjectID> agree")
	case u.version.Compare(o.Version) != 0:
		f.warn(fmt.Sprintf("the URN %s names version %s but the object has version %s, which is used", quote(o.URN),
			u.version, o.Version),
			"let <ObjectURN> and <ObjectVersion> agree")
	}
}
