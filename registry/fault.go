package registry

import (
	"cmp"
	"fmt"
	"strings"
)

// Severity says what a fault prevents.
type Severity uint8

const (
	// Warning marks a fault after which the definition is usable: the faulty part is left out or
	// repaired.
	Warning Severity = iota
	// Error marks a fault that makes the definition unusable.
	Error
)

// String returns "warning" or "error".
func (s Severity) String() string {
	if s == Error {
		return "error"
	}
	return "warning"
}

// Fault is one fault of a definition: where it is, what is wrong, and what to do about it.
type Fault struct {
	// File is the file of the definition. The zero value means that it did not come from a file.
	File string
	// Line is the line of the file. The zero value means that the line is not known.
	Line int
	// Object is the ID of the object, or -1 if the fault concerns no object or an object without an
	// ID.
	Object int
	// Resource is the ID of the resource, or -1 if the fault concerns no resource.
	Resource int
	// Element is the XML element that the fault is about, such as RangeEnumeration. The zero value
	// means none in particular.
	Element string
	// Severity says whether the definition is still usable.
	Severity Severity
	// What says what is wrong, and Do what the author of the definition can do about it.
	What, Do string
}

// Error returns "file:line: object/resource: what is wrong, what to do". It leaves out unknown
// parts.
func (f Fault) Error() string {
	var b strings.Builder
	switch {
	case f.File != "" && f.Line > 0:
		fmt.Fprintf(&b, "%s:%d: ", f.File, f.Line)
	case f.File != "":
		fmt.Fprintf(&b, "%s: ", f.File)
	}
	switch {
	case f.Object >= 0 && f.Resource >= 0:
		fmt.Fprintf(&b, "%d/%d: ", f.Object, f.Resource)
	case f.Object >= 0:
		fmt.Fprintf(&b, "%d: ", f.Object)
	}
	b.WriteString(f.What)
	if f.Do != "" {
		b.WriteString(", ")
		b.WriteString(f.Do)
	}
	return b.String()
}

// Compare orders faults by file, line, object, resource and text.
func (f Fault) Compare(g Fault) int {
	return cmp.Or(
		strings.Compare(f.File, g.File),
		cmp.Compare(f.Line, g.Line),
		cmp.Compare(f.Object, g.Object),
		cmp.Compare(f.Resource, g.Resource),
		strings.Compare(f.What, g.What),
	)
}
