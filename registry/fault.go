package registry

import (
	"cmp"
	"fmt"
	"strings"
)

// Severity says what a fault prevents.
type Severity uint8

const (
	// Warning marks a fault that a reader can live with: the definition is used, with what the fault
	// says left out or repaired.
	Warning Severity = iota
	// Error marks a fault that leaves the definition unusable.
	Error
)

// Fault is one thing that is wrong with a definition: where, what, and what to do about it.
type Fault struct {
	// File is where the definition was read. Empty means that it came from no file.
	File string
	// Object is the ID of the object, or -1 where the fault concerns none or it has none.
	Object int
	// Resource is the ID of the resource, or -1 where the fault concerns none.
	Resource int
	// Severity says whether the definition can be used all the same.
	Severity Severity
	// What says what is wrong, and Do what the author of the definition can do about it.
	What, Do string
}

// Error returns "file: object/resource: what is wrong, what to do"; parts that are not known are left out.
func (f Fault) Error() string {
	var b strings.Builder
	if f.File != "" {
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

// Compare orders faults by file, object, resource and text.
func (f Fault) Compare(g Fault) int {
	return cmp.Or(
		strings.Compare(f.File, g.File),
		cmp.Compare(f.Object, g.Object),
		cmp.Compare(f.Resource, g.Resource),
		strings.Compare(f.What, g.What),
	)
}
