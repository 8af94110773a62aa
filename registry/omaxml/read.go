package omaxml

import (
	"bytes"
	"errors"
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
	object   int // the object of the next fault, -1 for the whole file
	resource int
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

func (f *file) warn(what, do string) { f.add(registry.Warning, what, do) }

func (f *file) fail(what, do string) { f.add(registry.Error, what, do) }

func (f *file) add(s registry.Severity, what, do string) {
	f.broken = f.broken || s == registry.Error
	f.faults = append(f.faults, registry.Fault{
		File: f.name, Object: f.object, Resource: f.resource, Severity: s, What: what, Do: do,
	})
}

// parse checks the limits and returns the root element, or nil after a fault.
func (f *file) parse(data []byte) *etree.Element {
	switch {
	case len(data) > MaxSize:
		f.fail(fmt.Sprintf("the file is larger than %d bytes", MaxSize), "split it into one file per object")
		return nil
	case bytes.Count(data, []byte{'<'}) > maxTags || bytes.Count(data, []byte{'='}) > maxAttributes:
		f.fail("the file has more tags or attributes than any object definition needs",
			"split it into one file per object")
		return nil
	}
	data, ok := f.cutMark(data)
	if !ok {
		return nil
	}
	doc := etree.NewDocument()
	var encoding charset
	doc.ReadSettings = etree.ReadSettings{CharsetReader: encoding.reader, MaxDepth: maxDepth}
	err := doc.ReadFromBytes(data)
	if hasDoctype(doc) {
		f.fail("the file has a document type declaration",
			"remove it: definitions need none, and entities are not expanded")
		return nil
	}
	if encoding.refused {
		f.fail("the file declares the encoding "+quote(encoding.declared), "save it as UTF-8")
		return nil
	}
	if err != nil {
		f.malformed(err)
		return nil
	}
	return f.rootElement(doc)
}

// cutMark removes a byte-order mark, and refuses the marks of encodings other than UTF-8.
func (f *file) cutMark(data []byte) ([]byte, bool) {
	if bytes.HasPrefix(data, []byte{0xFF, 0xFE}) || bytes.HasPrefix(data, []byte{0xFE, 0xFF}) {
		f.fail("the file is in UTF-16", "save it as UTF-8")
		return nil, false
	}
	return bytes.TrimPrefix(data, []byte("\uFEFF")), true
}

func (f *file) malformed(err error) {
	switch {
	case errors.Is(err, etree.ErrMaxDepth):
		f.fail(fmt.Sprintf("elements are nested more than %d deep", maxDepth), "follow the structure of LWM2M.xsd")
	case errors.Is(err, etree.ErrXML):
		f.fail("the file is not well-formed XML: a tag is not closed, or closed twice",
			"let every element have one start and one end tag")
	default:
		f.fail("the file is not well-formed XML: "+shorten(err.Error()), "correct it")
	}
}

// rootElement returns the document's one root element.
func (f *file) rootElement(doc *etree.Document) *etree.Element {
	var root *etree.Element
	for _, t := range doc.Child {
		e, ok := t.(*etree.Element)
		switch {
		case !ok:
		case root == nil:
			root = e
		default:
			f.fail(fmt.Sprintf("there is a second root element %s", quote(e.Tag)),
				"put everything into one <LWM2M> element")
			return nil
		}
	}
	if root == nil {
		f.fail("the file has no elements", "let it hold a <LWM2M> element with <Object> elements")
	}
	return root
}

// hasDoctype reports whether a document type declaration comes before the root element, which is
// the only place where XML allows one.
func hasDoctype(doc *etree.Document) bool {
	return slices.ContainsFunc(doc.Child, func(t etree.Token) bool {
		_, ok := t.(*etree.Directive)
		return ok
	})
}

// readRoot reads the objects within the root element.
func (f *file) readRoot(root *etree.Element) {
	if root.Tag != "LWM2M" {
		f.fail(fmt.Sprintf("the root element is %s", quote(root.Tag)), "let it be <LWM2M>, as LWM2M.xsd has it")
		return
	}
	found := false
	for e := range root.ChildElementsSeq() {
		f.startObject(-1)
		if e.Tag != "Object" {
			f.warn(fmt.Sprintf("the element %s is unknown and left out", quote(e.Tag)),
				"let <LWM2M> hold <Object> elements only")
			continue
		}
		found = true
		f.readObject(e)
	}
	if !found {
		f.startObject(-1)
		f.fail("the file defines no object", "let <LWM2M> hold an <Object> element")
	}
}
