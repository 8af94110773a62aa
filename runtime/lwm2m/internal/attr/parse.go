package attr

import (
	"math"
	"strconv"
	"strings"

	"github.com/lwm2mgen/toolkit/registry"
)

// Edit changes one attribute of a Set: it puts a value or, where the query has none, removes the
// attribute (Core 1.2.2 §6.3.4).
type Edit struct {
	Attribute Attribute
	Value     float64
	Remove    bool
}

// Parse reads one Uri-Query option of a Write-Attributes or an Observe, such as pmin=10. A bare
// name such as pmin removes the attribute; pmin= is an error. Errors are of type Error.
func Parse(query string) (Edit, error) {
	name, text, hasValue := strings.Cut(query, "=")
	a, ok := named(name)
	if !ok {
		return Edit{}, Error("unknown attribute")
	}
	if !hasValue {
		return Edit{Attribute: a, Remove: true}, nil
	}
	v, ok := a.parseValue(text)
	if !ok {
		return Edit{}, Error("the value of " + name + " is out of its range")
	}
	return Edit{Attribute: a, Value: v}, nil
}

// IsAttribute reports whether a Uri-Query option names an attribute, with a value or without.
func IsAttribute(query string) bool {
	name, _, _ := strings.Cut(query, "=")
	_, ok := named(name)
	return ok
}

// Add appends an edit to those of the same request, which must not name an attribute twice.
func Add(edits []Edit, e Edit) ([]Edit, error) {
	for i := range edits {
		if edits[i].Attribute == e.Attribute {
			return nil, Error("the attribute " + e.Attribute.String() + " is named twice")
		}
	}
	return append(edits, e), nil
}

func named(name string) (Attribute, bool) {
	for a := range Count {
		if definitions[a].name == name {
			return a, true
		}
	}
	return 0, false
}

func (a Attribute) parseValue(text string) (float64, bool) {
	d := &definitions[a]
	if d.number {
		v, ok := parseDecimal(text)
		return v, ok && (a != St || v > 0)
	}
	v, err := strconv.ParseUint(text, 10, 32)
	return float64(v), err == nil && v <= d.max
}

// parseDecimal reads a finite decimal number; strconv would accept more.
func parseDecimal(s string) (float64, bool) {
	if strings.Trim(s, "+-.0123456789eE") != "" || len(s) > 64 {
		return 0, false
	}
	v, err := strconv.ParseFloat(s, 64)
	return v, err == nil && !math.IsInf(v, 0) && !math.IsNaN(v)
}

// Apply returns the set with the edits of one request made. Edits that contradict each other are
// refused (Core 1.2.2 §5.1.2). Contradictions with what the set has already are allowed: they arise
// over several requests and levels, and then the contradicting attributes are not in force (see
// conditions). The definition of the resource is nil for a node above resources. Errors are of type
// Error.
func (s Set) Apply(edits []Edit, def *registry.Resource) (Set, error) {
	var own Set
	for _, e := range edits {
		if e.Remove {
			s.Remove(e.Attribute)
			continue
		}
		if err := e.Attribute.checkFor(def); err != nil {
			return s, err
		}
		s.Put(e.Attribute, e.Value)
		own.Put(e.Attribute, e.Value)
	}
	return s, own.check()
}

// check reports attributes of one request that contradict each other. A pmax below pmin is no
// error: that pmax is ignored.
func (s *Set) check() error {
	switch {
	case s.contradictory():
		return Error("lt must be less than gt, by more than twice st")
	case !s.hasEpmax() && s.has&(1<<Epmin) != 0 && s.has&(1<<Epmax) != 0:
		return Error("epmax must be greater than epmin")
	}
	return nil
}

// contradictory reports whether gt, lt and st contradict each other (Core 1.2.2 §5.1.2).
func (s *Set) contradictory() bool {
	gt, hasGt := s.Get(Gt)
	lt, hasLt := s.Get(Lt)
	st, _ := s.Get(St)
	return hasGt && hasLt && !(lt+2*st < gt)
}

// hasEpmax reports whether the set has an epmax that counts: one that is greater than epmin.
func (s *Set) hasEpmax() bool {
	epmin, _ := s.Get(Epmin)
	epmax, ok := s.Get(Epmax)
	return ok && epmax > epmin
}

// hasPmax reports whether the set has a pmax that counts. A pmax of 0 and one below pmin are
// ignored (Core 1.2.2 §5.1.2).
func (s *Set) hasPmax() bool {
	pmin, _ := s.Get(Pmin)
	pmax, ok := s.Get(Pmax)
	return ok && pmax > 0 && pmax >= pmin
}
