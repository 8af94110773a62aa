package gen

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/lwm2mgen/toolkit/gen/internal/goname"
	"github.com/lwm2mgen/toolkit/registry"
)

// plan holds the packages to generate, with their names, and the faults found before generation.
type plan struct {
	packages []pkg
	faults   []registry.Fault
}

// pkg is one package to generate.
type pkg struct {
	file      string
	object    registry.Object
	name      string
	newName   string // the name that the package gets instead
	chosen    bool   // whether the name is from the names file
	moved     bool   // whether the name is not the one made from the object's
	docs      Docs
	resources []resource
	faults    []registry.Fault
}

func (p *pkg) fault(resource int, s registry.Severity, what, do string) {
	line := p.object.Line
	if resource >= 0 {
		if r := p.object.Resource(uint16(resource)); r != nil {
			line = r.Line
		}
	}
	p.faults = append(p.faults, registry.Fault{
		File: p.file, Line: int(line), Object: int(p.object.ID), Resource: resource, Severity: s, What: what, Do: do,
	})
}

func newPlan(defs []Definition, o Options) *plan {
	var p plan
	for _, d := range defs {
		k := pkg{file: d.File, object: d.Object, docs: o.Docs}
		if k.valid() && p.isNew(&k) {
			p.packages = append(p.packages, k)
			continue
		}
		p.faults = append(p.faults, k.faults...)
	}
	p.namePackages(o)
	return &p
}

// valid collects the errors of the definition and reports whether there are none. Warnings are
// reported by the reader of the definition.
func (k *pkg) valid() bool {
	for _, f := range k.object.Validate() {
		if f.Severity == registry.Error {
			f.File = k.file
			k.faults = append(k.faults, f)
		}
	}
	return len(k.faults) == 0
}

// isNew reports whether no earlier definition is of the same object in the same version.
func (p *plan) isNew(k *pkg) bool {
	i := slices.IndexFunc(p.packages, func(other pkg) bool {
		return other.object.ID == k.object.ID && other.object.Version.Compare(k.object.Version) == 0
	})
	if i < 0 {
		return true
	}
	other := p.packages[i]
	what := fmt.Sprintf("%s already defines version %s of the object", other.file, k.object.Version)
	if reflect.DeepEqual(withoutLines(other.object), withoutLines(k.object)) {
		k.fault(-1, registry.Warning, what, "remove one of the two files")
	} else {
		k.fault(-1, registry.Error, what+" differently", "remove one of the two files")
	}
	return false
}

// withoutLines returns a copy of an object that does not say where in a file it is.
func withoutLines(o registry.Object) registry.Object {
	o.Line, o.Resources = 0, slices.Clone(o.Resources)
	for i := range o.Resources {
		o.Resources[i].Line = 0
	}
	return o
}

// plainName returns the name of the package, before a test whether it is unique, and whether the
// name is one of the names file without a suffix.
func (k *pkg) plainName(names *Names, latest bool) (name string, chosen bool) {
	o := &k.object
	if name, exact := names.pkg(o.ID, o.Version); name != "" {
		if exact || latest {
			return name, true
		}
		return name + versionSuffix(o.Version), false
	}
	name = goname.Package(o.Name)
	id := strconv.Itoa(int(o.ID))
	switch {
	case name == "":
		name = "object" + id
		k.rename(name, fmt.Sprintf("the name %q cannot become a package name", oneLine(o.Name)))
	case goname.Taken(name):
		k.rename(name+id, fmt.Sprintf("%s is a keyword, a predeclared identifier or a common package of Go", name))
		name = k.name
	}
	if !latest {
		name += versionSuffix(o.Version)
	}
	return name, false
}

// isLatest reports whether no other package has a higher version of the same object.
func (p *plan) isLatest(k *pkg) bool {
	return !slices.ContainsFunc(p.packages, func(other pkg) bool {
		return other.object.ID == k.object.ID && other.object.Version.Compare(k.object.Version) > 0
	})
}

// versionSuffix returns the suffix of the package of an older version.
func versionSuffix(v registry.Version) string {
	between := ""
	if v.OrDefault().Major > 9 || v.Minor > 9 { // 1.10 is not 11.0
		between = "_"
	}
	return "v" + strings.ReplaceAll(v.String(), ".", between)
}
