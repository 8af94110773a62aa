package fetch

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/lwm2mgen/toolkit/registry"
)

// Ref names a registered definition. The zero value means object 0 in its newest version.
type Ref struct {
	// ID is the object ID.
	ID uint16
	// Version is the object version. The zero value means the newest.
	Version registry.Version
}

// ParseRef reads a reference such as "3303" or "3303@1.0".
func ParseRef(s string) (Ref, error) {
	object, version, hasVersion := strings.Cut(s, "@")
	id, err := strconv.ParseUint(object, 10, 16)
	if err != nil || id == registry.ReservedID {
		return Ref{}, fmt.Errorf("%q is not an object, write ID or ID@VERSION with an ID from 0 to 65534", s)
	}
	ref := Ref{ID: uint16(id)}
	if hasVersion {
		if ref.Version, err = registry.ParseVersion(version); err != nil {
			return Ref{}, fmt.Errorf("object %d: %w", id, err)
		}
	}
	return ref, nil
}

// String returns the reference in the form that ParseRef reads.
func (r Ref) String() string {
	if r.Version.IsZero() {
		return strconv.Itoa(int(r.ID))
	}
	return fmt.Sprintf("%d@%s", r.ID, r.Version)
}

// File returns the name of the file, which is the name that OMA gives it: 3303.xml for the newest
// version, 3303-1_0.xml for a named one.
func (r Ref) File() string {
	if r.Version.IsZero() {
		return fmt.Sprintf("%d.xml", r.ID)
	}
	return fmt.Sprintf("%d-%d_%d.xml", r.ID, r.Version.Major, r.Version.Minor)
}

// refOfFile is the inverse of File.
func refOfFile(name string) (Ref, bool) {
	s, isXML := strings.CutSuffix(name, ".xml")
	s = strings.Replace(strings.Replace(s, "-", "@", 1), "_", ".", 1)
	ref, err := ParseRef(s)
	return ref, isXML && err == nil && ref.File() == name
}

// paths returns the paths that the definition may have in OMA's repository, the likeliest first.
// The newest version of each object is at the root, older versions are in a folder.
func (r Ref) paths() []string {
	newest := fmt.Sprintf("%d.xml", r.ID)
	if r.Version.IsZero() {
		return []string{newest}
	}
	return []string{"version_history/" + r.File(), newest}
}
