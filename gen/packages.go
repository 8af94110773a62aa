package gen

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"github.com/lwm2mgen/toolkit/registry"
)

// maxPackage is the length of the longest name of a package: the names of files end at 255 bytes on
// most systems, and a temporary file has a longer one.
const maxPackage = 200

// namePackages gives each package a unique name. It drops the packages that have none.
func (p *plan) namePackages(o Options) {
	for i := range p.packages {
		k := &p.packages[i]
		k.name, k.chosen = k.plainName(o.Names, p.isLatest(k))
	}
	p.separatePackages(o.Packages)
	for i := range p.packages {
		k := &p.packages[i]
		if owner, exists := o.Packages[k.name]; exists && owner != k.object.ID && !p.defines(owner) {
			k.fault(-1, registry.Error, fmt.Sprintf("the package %s exists and is the one of object %d", k.name, owner),
				"name the definitions of both objects in one call, or choose another name with -names, "+
					"or delete the package if its object is gone")
		}
		if len(k.name) > maxPackage {
			k.fault(-1, registry.Error, fmt.Sprintf("the package name %s has %d letters, too many for the name of a file",
				cut(k.name, maxRange), len(k.name)), "choose another name with -names")
		}
	}
	p.packages = slices.DeleteFunc(p.packages, func(k pkg) bool {
		if !failed(k.faults) {
			return false
		}
		p.faults = append(p.faults, k.faults...)
		return true
	})
}

// defines reports whether one of the definitions is of the given object.
func (p *plan) defines(object uint16) bool {
	return slices.ContainsFunc(p.packages, func(k pkg) bool { return k.object.ID == object })
}

// separatePackages renames packages that share a name. A name from the names file stays. Otherwise
// the package that exists keeps it, or the one of the lowest object ID, so that no package moves
// because another object is added.
func (p *plan) separatePackages(existing map[string]uint16) {
	name := func(k *pkg) string { return k.name }
	why := func(k *pkg) string { return fmt.Sprintf("several objects have the package name %s", k.name) }
	for i := range p.packages {
		if k := &p.packages[i]; !k.chosen && k.exists(existing, k.withID()) && !k.exists(existing, k.name) {
			k.name, k.moved = k.withID(), true
		}
	}
	for _, k := range clashing(p.packages, name) {
		if !k.chosen && !k.moved && p.keeper(k.name, existing) != k {
			k.newName = k.withID()
		}
	}
	p.rename(why)
	for _, k := range clashing(p.packages, name) {
		switch {
		case k.chosen:
			k.fault(-1, registry.Error, why(k), "choose another name in the names file")
		case p.keeper(k.name, existing) != k:
			k.newName = fmt.Sprintf("%s_%d%s", k.name, k.object.ID, versionSuffix(k.object.Version))
		}
	}
	p.rename(why)
}

// keeper returns the package that keeps a name that several have, or nil if the names file gives it
// to one of them.
func (p *plan) keeper(name string, existing map[string]uint16) *pkg {
	var best *pkg
	for i := range p.packages {
		k := &p.packages[i]
		switch {
		case k.name != name:
		case k.chosen:
			return nil
		case best == nil || k.rank(existing, best) < 0:
			best = k
		}
	}
	return best
}

// rank orders packages by their right to keep a name.
func (k *pkg) rank(existing map[string]uint16, other *pkg) int {
	later := func(k *pkg) int {
		switch {
		case k.exists(existing, k.name):
			return 0
		case k.moved: // its name already ends in its ID
			return 2
		}
		return 1
	}
	return cmp.Or(cmp.Compare(later(k), later(other)), cmp.Compare(k.object.ID, other.object.ID),
		other.object.Version.Compare(k.object.Version))
}

// exists reports whether the package of the object exists under the given name.
func (k *pkg) exists(existing map[string]uint16, name string) bool {
	owner, ok := existing[name]
	return ok && owner == k.object.ID
}

func (k *pkg) withID() string { return k.name + strconv.Itoa(int(k.object.ID)) }

// rename gives packages their new names.
func (p *plan) rename(why func(*pkg) string) {
	for i := range p.packages {
		if k := &p.packages[i]; k.newName != "" {
			k.rename(k.newName, why(k))
			k.newName, k.moved = "", true
		}
	}
}

func (k *pkg) rename(name, why string) {
	k.fault(-1, registry.Warning, fmt.Sprintf("%s, so this package is named %s", why, name),
		fmt.Sprintf("add a line \"%d name\" to the names file to choose another name", k.object.ID))
	k.name = name
}
