package omaxml

import (
	"fmt"
	"strings"

	"github.com/beevik/etree"
)

// The elements that each kind of element may hold.
var (
	inRoot      = []string{"Object"}
	inResources = []string{"Item"}
	inObject    = []string{"Name", "Description1", "ObjectID", "ObjectURN", "LWM2MVersion", "ObjectVersion",
		"MultipleInstances", "Mandatory", "Resources", "Description2"}
	inItem = []string{"Name", "Operations", "MultipleInstances", "Mandatory", "Type", "RangeEnumeration", "Units",
		"Description"}
)

// checkElement checks the name and the attributes of an element within parent, which may hold the
// given elements, and returns the name that is meant, or "" if the element is left out. A misspelt
// element is an error. It is read nevertheless, so that its own faults are reported, too.
func (f *file) checkElement(e *etree.Element, parent string, names []string) string {
	f.at(e)
	f.checkAttributes(e)
	for _, name := range names {
		if e.Tag == name {
			return name
		}
	}
	if name := closestName(e.Tag, names); name != "" {
		f.fail(fmt.Sprintf("the element %s is misspelt", tag(e.Tag)), fmt.Sprintf("write <%s>", name))
		return name
	}
	if home := homeOf(e.Tag); home != "" {
		f.fail(fmt.Sprintf("the element %s is within <%s>", tag(e.Tag), parent), fmt.Sprintf("let <%s> hold it", home))
		return ""
	}
	f.warn(fmt.Sprintf("the element %s is unknown and left out", tag(e.Tag)), "remove it")
	return ""
}

// checkAttributes reports an attribute that occurs twice, which XML does not allow (XML 1.0 §3.1).
func (f *file) checkAttributes(e *etree.Element) {
	if len(e.Attr) < 2 {
		return
	}
	seen := make(map[[2]string]bool, len(e.Attr))
	for i := range e.Attr {
		key := [2]string{e.Attr[i].Space, e.Attr[i].Key}
		if seen[key] {
			f.fail(fmt.Sprintf("the attribute %s of %s occurs twice", shortName(key[1]), tag(e.Tag)), "remove one")
			return
		}
		seen[key] = true
	}
}

// checkMarkup reports an element of a definition within the text of another: a tag is missing, and
// what it holds would be lost.
func (f *file) checkMarkup(e *etree.Element) {
	for c := range e.ChildElementsSeq() {
		if home := homeOf(c.Tag); home != "" {
			f.at(c)
			f.fail(fmt.Sprintf("the element %s is within %s", tag(c.Tag), tag(e.Tag)), fmt.Sprintf("let <%s> hold it", home))
			return
		}
		f.checkMarkup(c)
	}
}

// homeOf returns the element that may hold elements of the given name, or "".
func homeOf(name string) string {
	for _, home := range []struct {
		name  string
		holds []string
	}{{"LWM2M", inRoot}, {"Object", inObject}, {"Resources", inResources}, {"Item", inItem}} {
		for _, held := range home.holds {
			if held == name {
				return home.name
			}
		}
	}
	return ""
}

// closestName returns the one of names that a misspelt name is meant to be: it differs in the case
// of letters, or in at most two letters. It returns "" if there is none.
func closestName(name string, names []string) string {
	if len(name) > maxSpelling {
		return ""
	}
	best, least := "", 3
	for _, n := range names {
		if strings.EqualFold(name, n) {
			return n
		}
		if d := distance(strings.ToLower(name), strings.ToLower(n)); d < least && d*3 < len(n) {
			best, least = n, d
		}
	}
	return best
}

// maxSpelling is the length of the longest name that is compared with the names of elements.
const maxSpelling = 32

// distance returns the number of letters to insert, remove, replace or swap with the next one to
// get from a to b.
func distance(a, b string) int {
	var rows [3][maxSpelling + 1]int
	before, last, row := &rows[0], &rows[1], &rows[2]
	for j := range len(b) + 1 {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, last, row = last, row, before
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
	}
	return row[len(b)]
}
