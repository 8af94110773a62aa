package omaxml

import (
	"cmp"
	"fmt"
	"io"
	"slices"

	"github.com/beevik/etree"

	"github.com/lwm2mgen/toolkit/registry"
)

// Limits of one file. The largest file of the public registry has 34 kB and 1 200 tags; all of its
// definitions in one file would have 63 000 tags.
const (
	// MaxSize is the largest size of a file in bytes.
	MaxSize = 4 << 20
	// maxTags is the largest number of '<' in a file: of tags, comments and instructions.
	maxTags = 1 << 17
	// maxAttributes is the largest number of '=' in a file, in attributes and text together.
	maxAttributes = 1 << 16
	// maxDepth is the largest depth of nested elements. Definitions need five levels.
	maxDepth = 16
	// maxText is the largest length of the text of one element in bytes. The longest description of
	// the public registry has 3 kB.
	maxText = 1 << 16
	// maxValues is the largest number of values that the ranges and enumerations of a file list.
	// All of the public registry lists 2000. Each value costs 2 kB in the generator.
	maxValues = 1 << 15
	// maxFaults is the largest number of faults that are reported.
	maxFaults = 1000
	// maxName is the largest length of a name in bytes.
	maxName = 255
)

// Read reads all object definitions of one file from r. The name appears in faults as their source;
// Read does not open it.
//
// Read returns the usable objects in the order of the file, and everything that is wrong with the
// file; each [registry.Fault] is an error or a warning. It leaves out objects with an error and
// returns the others. If r fails, Read returns only the error.
func Read(name string, r io.Reader) ([]registry.Object, []registry.Fault, error) {
	data, err := io.ReadAll(io.LimitReader(r, MaxSize+1))
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", name, err)
	}
	objects, faults := ReadBytes(name, data)
	return objects, faults, nil
}

// ReadBytes is [Read] for a file that is already in memory. It does not keep data.
func ReadBytes(name string, data []byte) ([]registry.Object, []registry.Fault) {
	f := &file{name: name, seen: make(map[objectVersion]bool)}
	f.startObject(-1)
	if root := f.parse(data); root != nil {
		f.readRoot(root)
	}
	slices.SortStableFunc(f.faults, registry.Fault.Compare)
	return f.objects, f.faults
}

// file collects the objects and faults of one file.
type file struct {
	name     string
	objects  []registry.Object
	seen     map[objectVersion]bool // every object of the file, including broken ones
	faults   []registry.Fault
	lines    map[*etree.Element]int32
	texts    map[*etree.CharData]int32 // the lines of text that is not blank
	line     int                       // the line of the next fault, 0 if it has none
	home     int                       // the line of the object or the resource that is being read
	object   int                       // the object of the next fault, -1 for the whole file
	own      bool                      // whether the object is one that OMA has not registered
	resource int
	values   int  // the number of values that were listed so far
	broken   bool // an error was found since the last startObject
}

// objectVersion identifies an object within a file.
type objectVersion struct {
	id      uint16
	version registry.Version
}

// startObject makes the following faults refer to the object with the given ID, or to no object if
// it is -1.
func (f *file) startObject(object int) { f.object, f.resource, f.broken = object, -1, false }

// at makes the following faults refer to the line of an element.
func (f *file) at(e *etree.Element) { f.line = int(f.lines[e]) }

// atField makes the following faults refer to the line of a field, or to its object or resource if
// the field is missing.
func (f *file) atField(v field) { f.line = cmp.Or(v.line, f.home) }

// repair reports a mistake whose meaning is clear: a warning in a definition that OMA has
// registered, which nobody can correct, and an error in one's own.
func (f *file) repair(what, do string) {
	if f.own {
		f.fail(what, do)
		return
	}
	f.warn(what, do)
}

func (f *file) warn(what, do string) { f.add(registry.Warning, what, do) }

func (f *file) fail(what, do string) { f.add(registry.Error, what, do) }

func (f *file) add(s registry.Severity, what, do string) {
	f.broken = f.broken || s == registry.Error
	switch {
	case len(f.faults) > maxFaults:
		return
	case len(f.faults) == maxFaults:
		s, what, do = registry.Error, fmt.Sprintf("the file has more than %d faults", maxFaults), "correct these first"
	}
	f.faults = append(f.faults, registry.Fault{
		File: f.name, Line: f.line, Object: f.object, Resource: f.resource, Severity: s, What: what, Do: do,
	})
}

// readRoot reads the objects within the root element.
func (f *file) readRoot(root *etree.Element) {
	f.at(root)
	f.checkAttributes(root)
	if root.Tag != "LWM2M" {
		f.fail(fmt.Sprintf("the root element is %s", tag(root.Tag)), "let it be <LWM2M>, as LWM2M.xsd has it")
		return
	}
	found := false
	for e := range root.ChildElementsSeq() {
		f.startObject(-1)
		if f.checkElement(e, "LWM2M", inRoot) != "" {
			found = true
			f.readObject(e)
		}
	}
	if !found {
		f.startObject(-1)
		f.at(root)
		f.fail("the file defines no object", "let <LWM2M> hold an <Object> element")
	}
}
