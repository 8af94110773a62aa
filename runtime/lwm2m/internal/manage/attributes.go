package manage

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/content/corelink"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// Attribute is one of the notification attributes (Core 1.2.2 §5.1.2).
type Attribute uint8

// The attributes, in the order in which Discover shows them.
const (
	Pmin  Attribute = iota // minimum period in seconds
	Pmax                   // maximum period in seconds
	Gt                     // greater than
	Lt                     // less than
	St                     // step
	Epmin                  // minimum evaluation period in seconds
	Epmax                  // maximum evaluation period in seconds
	Edge                   // rising (1) or falling (0) edge
	Con                    // confirmable notifications (1)
	Hqmax                  // how many notifications are kept
	attributeCount
)

var attributeNames = [attributeCount]string{"pmin", "pmax", "gt", "lt", "st", "epmin", "epmax", "edge", "con", "hqmax"}

// String returns the attribute's name.
func (a Attribute) String() string { return attributeNames[a] }

// Attributes is a set of attributes with their values. The zero value has none.
type Attributes struct {
	has    uint16 // bit n: attribute n is there
	values [attributeCount]float64
}

// Get returns the value of an attribute; false where it is not there.
func (a *Attributes) Get(n Attribute) (float64, bool) {
	return a.values[n], a.has&(1<<n) != 0
}

// Set sets an attribute.
func (a *Attributes) Set(n Attribute, v float64) {
	a.has |= 1 << n
	a.values[n] = v
}

// Unset takes an attribute out.
func (a *Attributes) Unset(n Attribute) {
	a.has &^= 1 << n
	a.values[n] = 0
}

// over returns a, with what it does not have taken from b.
func (a Attributes) over(b Attributes) Attributes {
	for n := range attributeCount {
		if v, ok := b.Get(n); ok && a.has&(1<<n) == 0 {
			a.Set(n, v)
		}
	}
	return a
}

// append adds the attributes to a link.
func (a *Attributes) append(e *corelink.Encoder) {
	for n := range attributeCount {
		v, ok := a.Get(n)
		switch {
		case !ok:
		case n == Gt || n == Lt || n == St:
			e.Float(attributeNames[n], v)
		default:
			e.Int(attributeNames[n], int64(v))
		}
	}
}

// attached is the attributes of one node.
type attached struct {
	path dm.Path
	set  Attributes
}

func search(all []attached, p dm.Path) (int, bool) {
	return slices.BinarySearchFunc(all, p, func(a attached, p dm.Path) int { return a.path.Compare(p) })
}

// at returns the attributes attached to a node itself.
func at(all []attached, p dm.Path) Attributes {
	if i, ok := search(all, p); ok {
		return all[i].set
	}
	return Attributes{}
}

// inForce returns the attributes in force at a node: of each the one attached at the deepest level.
func inForce(all []attached, p dm.Path) Attributes {
	var a Attributes
	if len(all) == 0 {
		return a
	}
	for l := p.Level(); l >= dm.ObjectLevel; l-- {
		a = a.over(at(all, p.Up(l)))
	}
	return a
}

// edit is one attribute of a query: to set or, without a value, to take out.
type edit struct {
	name  Attribute
	value float64
	unset bool
}

// parseAttribute reads one Uri-Query option of a Write-Attributes or an Observe, such as pmin=10. An
// attribute without a value is taken out (Core 1.2.2 §6.3.4).
func parseAttribute(query string) (edit, error) {
	name, text, _ := strings.Cut(query, "=")
	i := slices.Index(attributeNames[:], name)
	if i < 0 {
		return edit{}, refuse(dm.BadRequest, "unknown attribute")
	}
	e := edit{name: Attribute(i)}
	if text == "" {
		e.unset = true
		return e, nil
	}
	bad := refuse(dm.BadRequest, "the value of "+name+" is out of its range")
	switch e.name {
	case Gt, Lt, St:
		v, ok := parseDecimal(text)
		if !ok || e.name == St && v < 0 {
			return edit{}, bad
		}
		e.value = v
	default:
		v, err := strconv.ParseUint(text, 10, 32)
		if err != nil || (e.name == Edge || e.name == Con) && v > 1 {
			return edit{}, bad
		}
		e.value = float64(v)
	}
	return e, nil
}

// parseDecimal reads a finite decimal number; strconv would take more.
func parseDecimal(s string) (float64, bool) {
	if strings.Trim(s, "+-.0123456789eE") != "" || len(s) > 64 {
		return 0, false
	}
	v, err := strconv.ParseFloat(s, 64)
	return v, err == nil && !math.IsInf(v, 0) && !math.IsNaN(v)
}

// apply makes the edits, and checks the whole against the node it is for (Core 1.2.2 §5.1.2); def is nil for a node above
// resources.
func (a Attributes) apply(edits []edit, def *registry.Resource) (Attributes, error) {
	for _, e := range edits {
		if e.unset {
			a.Unset(e.name)
			continue
		}
		if err := fits(e.name, def); err != nil {
			return a, err
		}
		a.Set(e.name, e.value)
	}
	gt, hasGt := a.Get(Gt)
	lt, hasLt := a.Get(Lt)
	st, _ := a.Get(St)
	epmin, _ := a.Get(Epmin)
	epmax, hasMax := a.Get(Epmax)
	switch {
	case hasGt && hasLt && !(lt+2*st < gt):
		return a, refuse(dm.BadRequest, "lt must be less than gt, by more than twice st")
	case hasMax && epmax < epmin:
		return a, refuse(dm.BadRequest, "epmax must not be less than epmin")
	}
	return a, nil
}

// fits reports why an attribute cannot be attached to a node.
func fits(n Attribute, def *registry.Resource) error {
	switch n {
	case Gt, Lt, St, Edge:
	default:
		return nil
	}
	if def == nil {
		return refuse(dm.BadRequest, n.String()+" belongs to a resource or a resource instance")
	}
	switch def.Type {
	case registry.Integer, registry.UnsignedInteger, registry.Float, registry.Time:
		if n != Edge {
			return nil
		}
	case registry.Boolean:
		if n == Edge {
			return nil
		}
	}
	return refuse(dm.BadRequest, n.String()+" does not fit the type of the resource")
}
