package omaxml

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"github.com/lwm2mgen/toolkit/registry"
)

// registered lists the objects of OMA's registry: after a comment, one "ID name" on each line.
//
//go:embed registered.txt
var registered string

// registeredName returns the name of the object that OMA has registered with the ID, or "".
func registeredName(id uint16) string {
	_, rest, _ := strings.Cut(registered, "\n"+strconv.Itoa(int(id))+" ")
	name, _, _ := strings.Cut(rest, "\n")
	return strings.TrimSuffix(name, "\r")
}

// idClasses are the classes of object IDs of OMA's naming authority, up to the given last ID. IDs
// of a class without a text are free to use: those of companies and those for tests.
var idClasses = []struct {
	last uint16
	text string
}{
	{1023, "OMA keeps the IDs from 0 to 1023 for its own objects"},
	{2047, "OMA keeps the IDs from 1024 to 2047 for the future"},
	{10240, "OMA registers the IDs from 2048 to 10240 for standards organisations"},
	{32768, "OMA registers the IDs from 10241 to 32768 on request"},
	{42800, ""},
	{65534, "OMA keeps the IDs from 42801 to 65534 for the future"},
}

const (
	lastPrivateResource = 32768
	useTestID           = "use an ID from 42769 to 42800 for tests, or ask OMA for one"
)

// CheckIDs returns a warning for each ID of a definition that OMA's naming authority has given to
// another object or keeps for registration. The package knows the objects that were registered when
// it was released. IDs from 32769 to 42768 are in blocks of companies and are not checked; those
// from 42769 to 42800 are for tests.
func CheckIDs(o registry.Object) []registry.Fault {
	var faults []registry.Fault
	warn := func(resource int, line int32, what, do string) {
		faults = append(faults, registry.Fault{Line: int(line), Object: int(o.ID), Resource: resource, What: what, Do: do})
	}
	name := registeredName(o.ID)
	switch {
	case name != "" && sameName(name, o.Name):
		return nil
	case name != "":
		warn(-1, o.Line, fmt.Sprintf("OMA has registered the ID %d for the object %s", o.ID, name), useTestID)
	default:
		for _, class := range idClasses {
			if o.ID <= class.last {
				if class.text != "" {
					warn(-1, o.Line, fmt.Sprintf("%s, and %d is not registered", class.text, o.ID), useTestID)
				}
				break
			}
		}
	}
	for i := range o.Resources {
		if r := &o.Resources[i]; r.ID > lastPrivateResource {
			warn(int(r.ID), r.Line, fmt.Sprintf("OMA keeps the resource IDs above %d for the future", lastPrivateResource),
				"use an ID from 0 to 2047, or from 26241 to 32768")
		}
	}
	return faults
}

// sameName reports whether two names of objects differ at most in the case of letters, in blanks
// and punctuation, and in the name of the enabler before them.
func sameName(a, b string) bool {
	bare := func(s string) string {
		s = strings.Map(func(r rune) rune {
			if unicode.IsLetter(r) || unicode.IsDigit(r) {
				return unicode.ToLower(r)
			}
			return -1
		}, s)
		return strings.TrimPrefix(s, "lwm2m")
	}
	return bare(a) == bare(b)
}
