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

// Names holds the Go names, the marks of secrets and the ranges of a names file. It does not change
// after ParseNames and is safe for concurrent use. A nil *Names has no entries.
type Names struct {
	entries map[nameKey]entry
}

// nameKey identifies the object or resource of an entry. The zero version means all versions, the
// resource -1 means the object itself.
type nameKey struct {
	object   uint16
	version  registry.Version
	resource int
	kind     entryKind
}

// entryKind says what an entry gives to an object or resource. A resource may have one of each.
type entryKind uint8

const (
	kindName  entryKind = iota
	kindMark            // secret or public
	kindRange           // the allowed values
)

// The marks of a resource, which a line has instead of a name.
const (
	markSecret = "secret"
	markPublic = "public"
)

// The range of a resource is the word rangeWord and the range, or anyValue.
const (
	rangeWord = "range"
	anyValue  = "any"
)

type entry struct {
	name    string // or the mark
	span    registry.Range
	strings registry.StringSet
	line    int
}

// ParseNames reads a names file. Each of its lines has one of the forms
//
//	OBJECTID package
//	OBJECTID/RESOURCEID Identifier
//	OBJECTID/RESOURCEID secret
//	OBJECTID/RESOURCEID public
//	OBJECTID/RESOURCEID range 0..100
//	OBJECTID/RESOURCEID range "A", "B"
//	OBJECTID/RESOURCEID range any
//
// The first names the package of an object, the second the Go field of a resource. The third marks
// the value of a String or Opaque resource as secret: it is never shown. The fourth marks a value
// as public: it may be shown, although only the bootstrap server can access it, which makes a
// resource secret by default. A range replaces the one of the definition, in the form that
// [registry.ParseRange] and [registry.ParseStringSet] read; any drops it. OBJECTID@VERSION instead
// of OBJECTID limits a line to one version of the object; such a line overrides one without a
// version. A # starts a comment.
//
// The error lists all faults, each with file and line.
func ParseNames(file string, text []byte) (*Names, error) {
	n := &Names{entries: make(map[nameKey]entry)}
	var errs []error
	for i, line := range bytes.Split(text, []byte("\n")) {
		code := cutComment(string(line))
		fields := strings.Fields(strings.TrimPrefix(code, "\ufeff"))
		if len(fields) == 0 {
			continue
		}
		if err := n.add(fields, code, i+1); err != nil {
			errs = append(errs, fmt.Errorf("%s:%d: %w", file, i+1, err))
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return n, nil
}

// cutComment removes a comment, which starts with a # outside of quotes.
func cutComment(line string) string {
	quoted := false
	for i := 0; i < len(line); i++ {
		switch {
		case line[i] == '"':
			quoted = !quoted
		case line[i] == '\\' && quoted:
			i++
		case line[i] == '#' && !quoted:
			return line[:i]
		}
	}
	return line
}

// add adds the entry of a line, whose code is split into fields.
func (n *Names) add(fields []string, code string, line int) error {
	isRange := len(fields) > 2 && fields[1] == rangeWord
	if len(fields) != 2 && !isRange {
		return errors.New("write an ID and a name, such as \"3303 temperature\" or \"3303/5700 SensorValue\"")
	}
	key, err := parseNameKey(fields[0])
	if err != nil {
		return err
	}
	e := entry{name: fields[1], line: line}
	switch {
	case isRange:
		key.kind = kindRange
		if key.resource < 0 {
			return errors.New("an object has no range, write OBJECTID/RESOURCEID")
		}
		err = e.parseRange(strings.TrimSpace(code[strings.Index(code, rangeWord)+len(rangeWord):]))
	case key.resource < 0:
		err = checkPackage(e.name)
	case e.name == markSecret || e.name == markPublic:
		key.kind = kindMark
	case e.name == rangeWord:
		err = errors.New("the range is missing, write it after the word, such as \"range 0..100\" or \"range any\"")
	default:
		err = checkIdentifier(e.name)
	}
	if err != nil {
		return err
	}
	if before, ok := n.entries[key]; ok {
		return fmt.Errorf("line %d already names %s, remove one of the two lines", before.line, fields[0])
	}
	n.entries[key] = e
	return nil
}

func (e *entry) parseRange(s string) (err error) {
	switch {
	case s == anyValue:
	case strings.HasPrefix(s, `"`):
		e.strings, err = registry.ParseStringSet(s)
	default:
		e.span, err = registry.ParseRange(s)
	}
	return err
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
		return fmt.Errorf("a package cannot be named %s in Go, choose another name", name)
	}
	return nil
}

func checkIdentifier(name string) error {
	if !token.IsIdentifier(name) || !token.IsExported(name) {
		return fmt.Errorf("%q is not an exported Go identifier, use letters and digits, a capital letter first", name)
	}
	return nil
}

// pkg returns the package name for an object, or "" without an entry, and whether the entry is for
// this version.
func (n *Names) pkg(object uint16, v registry.Version) (name string, exact bool) {
	e, exact := n.find(nameKey{object: object, version: v, resource: -1})
	return e.name, exact
}

// identifier returns the Go name for a resource, or "" without an entry.
func (n *Names) identifier(object uint16, v registry.Version, resource uint16) string {
	e, _ := n.find(nameKey{object: object, version: v, resource: int(resource)})
	return e.name
}

// mark returns the mark of a resource: markSecret, markPublic, or "" without an entry.
func (n *Names) mark(object uint16, v registry.Version, resource uint16) string {
	e, _ := n.find(nameKey{object: object, version: v, resource: int(resource), kind: kindMark})
	return e.name
}

// limits returns the range of a resource, and false without an entry.
func (n *Names) limits(object uint16, v registry.Version, resource uint16) (entry, bool) {
	e, _ := n.find(nameKey{object: object, version: v, resource: int(resource), kind: kindRange})
	return e, e.line > 0
}

// Settles reports whether the names file answers a fault of a definition: a warning about the range
// of a resource for which the file has a range.
func (n *Names) Settles(f registry.Fault) bool {
	if n == nil || f.Element != "RangeEnumeration" || f.Severity != registry.Warning {
		return false
	}
	for key := range n.entries {
		if key.kind == kindRange && int(key.object) == f.Object && key.resource == f.Resource {
			return true
		}
	}
	return false
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

// unknown returns the numbers of the lines that name resources which the object does not have, in
// ascending order.
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
