package gen

import (
	"bytes"
	"errors"
	"fmt"
	"go/token"
	"slices"
	"strconv"
	"strings"

	"github.com/lwm2mgen/toolkit/gen/internal/goname"
	"github.com/lwm2mgen/toolkit/registry"
)

// Names holds the Go names and secrets that a names file chooses. It is never changed after
// ParseNames, so it is safe for concurrent use. A nil *Names chooses nothing.
type Names struct {
	entries map[nameKey]entry
}

// nameKey says what an entry is about. A version of zero stands for all versions, a resource of -1
// for the object itself.
type nameKey struct {
	object   uint16
	version  registry.Version
	resource int
	mark     bool // about whether the value may be shown, not about the name
}

// The marks of a resource, written where a name would stand.
const (
	markSecret = "secret"
	markPublic = "public"
)

type entry struct {
	name string
	line int
}

// ParseNames reads a names file. Each of its lines has one of the forms
//
//	OBJECTID package
//	OBJECTID/RESOURCEID Identifier
//	OBJECTID/RESOURCEID secret
//	OBJECTID/RESOURCEID public
//
// The first names the package of an object, the second the Go field of a resource. The third marks
// a String or Opaque resource as one whose value must never be shown; the fourth says that the value
// of one which would count as secret, because only the bootstrap server reaches it, may be shown.
// OBJECTID@VERSION in place of OBJECTID makes a line hold for one version of the object only, and go
// before a line without. What follows a # is a comment.
//
// The error names the file and the line of everything that is wrong.
func ParseNames(file string, text []byte) (*Names, error) {
	n := &Names{entries: make(map[nameKey]entry)}
	var errs []error
	for i, line := range bytes.Split(text, []byte("\n")) {
		code, _, _ := strings.Cut(string(line), "#")
		fields := strings.Fields(strings.TrimPrefix(code, "\ufeff"))
		if len(fields) == 0 {
			continue
		}
		if err := n.add(fields, i+1); err != nil {
			errs = append(errs, fmt.Errorf("%s:%d: %w", file, i+1, err))
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return n, nil
}

func (n *Names) add(fields []string, line int) error {
	if len(fields) != 2 {
		return errors.New("write an ID and a name, such as \"3303 temperature\" or \"3303/5700 SensorValue\"")
	}
	key, err := parseNameKey(fields[0])
	if err != nil {
		return err
	}
	name := fields[1]
	switch {
	case key.resource < 0:
		err = checkPackage(name)
	case name == markSecret || name == markPublic:
		key.mark = true
	default:
		err = checkIdentifier(name)
	}
	if err != nil {
		return err
	}
	if before, ok := n.entries[key]; ok {
		return fmt.Errorf("%s is named in line %d already, leave one of the two out", fields[0], before.line)
	}
	n.entries[key] = entry{name, line}
	return nil
}

// parseNameKey reads OBJECTID[@VERSION][/RESOURCEID].
func parseNameKey(s string) (nameKey, error) {
	key := nameKey{resource: -1}
	object, resource, hasResource := strings.Cut(s, "/")
	object, version, hasVersion := strings.Cut(object, "@")
	id, err := parseID(object)
	if err != nil {
		return key, fmt.Errorf("the object ID %w", err)
	}
	key.object = id
	if hasVersion {
		if key.version, err = registry.ParseVersion(version); err != nil {
			return key, err
		}
	}
	if hasResource {
		if id, err = parseID(resource); err != nil {
			return key, fmt.Errorf("the resource ID %w", err)
		}
		key.resource = int(id)
	}
	return key, nil
}

func parseID(s string) (uint16, error) {
	id, err := strconv.ParseUint(s, 10, 16)
	if err != nil || id == registry.ReservedID {
		return 0, fmt.Errorf("%q is not a number from 0 to 65534", s)
	}
	return uint16(id), nil
}

func checkPackage(name string) error {
	for i, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9' || i == 0) {
			return fmt.Errorf("%q is not a package name, use small letters and digits, a letter first", name)
		}
	}
	if token.IsKeyword(name) || goname.Reserved(name) {
		return fmt.Errorf("a package cannot be called %s in Go, choose another name", name)
	}
	return nil
}

func checkIdentifier(name string) error {
	if !token.IsIdentifier(name) || !token.IsExported(name) {
		return fmt.Errorf("%q is not an exported Go identifier, use letters and digits, a capital letter first", name)
	}
	return nil
}

// pkg returns the package name chosen for an object, "" for none, and whether it is chosen for
// this very version.
func (n *Names) pkg(object uint16, v registry.Version) (name string, exact bool) {
	e, exact := n.find(nameKey{object: object, version: v, resource: -1})
	return e.name, exact
}

// identifier returns the Go name chosen for a resource, "" for none.
func (n *Names) identifier(object uint16, v registry.Version, resource uint16) string {
	e, _ := n.find(nameKey{object: object, version: v, resource: int(resource)})
	return e.name
}

// mark returns what a resource is marked as: markSecret, markPublic, or "" for nothing.
func (n *Names) mark(object uint16, v registry.Version, resource uint16) string {
	e, _ := n.find(nameKey{object: object, version: v, resource: int(resource), mark: true})
	return e.name
}

func (n *Names) find(key nameKey) (e entry, exact bool) {
	if n == nil {
		return entry{}, false
	}
	key.version = key.version.OrDefault()
	if e, ok := n.entries[key]; ok {
		return e, true
	}
	key.version = registry.Version{}
	return n.entries[key], false
}

// unknown returns the lines, in ascending order, that are about resources which the object does not have.
func (n *Names) unknown(o *registry.Object) []int {
	if n == nil {
		return nil
	}
	var lines []int
	for key, e := range n.entries {
		about := key.object == o.ID && (key.version.IsZero() || key.version.Compare(o.Version) == 0)
		if about && key.resource >= 0 && o.Resource(uint16(key.resource)) == nil {
			lines = append(lines, e.line)
		}
	}
	slices.Sort(lines)
	return lines
}
