package attr

import (
	"strings"
	"testing"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// query makes a set of a query such as pmin=1&pmax=2.
func query(t testing.TB, text string) Set {
	t.Helper()
	var s Set
	for q := range strings.SplitSeq(text, "&") {
		if q == "" {
			continue
		}
		e, err := Parse(q)
		if err != nil {
			t.Fatal(err)
		}
		s.Put(e.Attribute, e.Value)
	}
	return s
}

func TestSet(t *testing.T) {
	var s Set
	if _, ok := s.Get(Pmin); ok || !s.Empty() {
		t.Error("the zero value has an attribute")
	}
	s.Put(Pmin, 0)
	if v, ok := s.Get(Pmin); v != 0 || !ok || s.Empty() {
		t.Error("an attribute of value 0 is not there")
	}
	s.Remove(Pmin)
	if !s.Empty() || s != (Set{}) {
		t.Error("a removed attribute leaves something")
	}
	got := query(t, "pmin=1&gt=5").Over(query(t, "pmin=2&pmax=3"))
	if want := query(t, "pmin=1&pmax=3&gt=5"); got != want {
		t.Errorf("one set over another is %v, want %v", got, want)
	}
}

func TestNamesAreThoseOfTheSpecification(t *testing.T) {
	var names []string
	decimals := ""
	for a := range Count {
		names = append(names, a.String())
		if a.Decimal() {
			decimals += a.String()
		}
	}
	if got, want := strings.Join(names, " "), "pmin pmax gt lt st epmin epmax edge con hqmax"; got != want {
		t.Errorf("the attributes are %s, want %s", got, want)
	}
	if decimals != "gtltst" {
		t.Errorf("decimal are %s", decimals)
	}
}

func TestParse(t *testing.T) {
	for query, want := range map[string]Edit{
		"pmin=10": {Attribute: Pmin, Value: 10}, "pmax=4294967295": {Attribute: Pmax, Value: 4294967295},
		"gt=-1.5e1": {Attribute: Gt, Value: -15},
		"lt=.5":     {Attribute: Lt, Value: 0.5}, "st=0.1": {Attribute: St, Value: 0.1}, "edge=1": {Attribute: Edge, Value: 1},
		"con=0":   {Attribute: Con},
		"hqmax=7": {Attribute: Hqmax, Value: 7}, "epmin": {Attribute: Epmin, Remove: true},
		"epmax":                               {Attribute: Epmax, Remove: true},
		"gt=" + strings.Repeat("0", 63) + "1": {Attribute: Gt, Value: 1},
	} {
		if got, err := Parse(query); got != want || err != nil {
			t.Errorf("%s is %+v (%v), want %+v", query, got, err, want)
		}
	}
	for query, want := range map[string]string{
		"": "unknown", "=": "unknown", "color=red": "unknown", "PMIN=1": "unknown", "count=1": "unknown",
		"pmin=-1": "value of pmin", "pmin=1.5": "value of pmin", "pmin=4294967296": "value of pmin",
		"edge=2": "value of edge", "con=2": "value of con",
		"st=-1": "value of st", "st=0": "value of st", "st=-0": "value of st", "gt=NaN": "value of gt", "gt=Inf": "value of gt", "gt=0x10": "value of gt",
		"gt=": "value of gt", "pmin=": "value of pmin", "edge=": "value of edge", "epmax=": "value of epmax",
		"gt=1e999": "value of gt", "lt=1_0": "value of lt",
		"gt=" + strings.Repeat("0", 64) + "1": "value of gt",
	} {
		if _, err := Parse(query); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", query, err)
		}
	}
	edits, err := Add(nil, Edit{Attribute: Pmin})
	if err == nil {
		edits, err = Add(edits, Edit{Attribute: Pmax})
	}
	if err != nil || len(edits) != 2 {
		t.Errorf("%v, %v", edits, err)
	}
	if _, err := Add(edits, Edit{Attribute: Pmin, Remove: true}); err == nil {
		t.Error("an attribute can be named twice")
	}
}

func TestApply(t *testing.T) {
	number, flag, text := &registry.Resource{Type: registry.Float}, &registry.Resource{Type: registry.Boolean}, &registry.Resource{Type: registry.String}
	for _, c := range []struct {
		before, edits string
		def           *registry.Resource
		want          string // the set, or the error after "!"
	}{
		{"", "pmin=1&pmax=2", nil, "pmin=1&pmax=2"},
		{"pmin=1&pmax=2", "pmin&pmax=3", nil, "pmax=3"},
		{"", "pmin=60&pmax=10", nil, "pmin=60&pmax=10"},
		{"", "gt=5&lt=-1&st=2.9", number, "gt=5&lt=-1&st=2.9"},
		{"", "edge=1", flag, "edge=1"},
		{"", "epmin=5&epmax=6", nil, "epmin=5&epmax=6"},
		{"", "epmax=0", nil, "epmax=0"},
		{"gt=5&lt=-1", "st=3", number, "gt=5&lt=-1&st=3"},
		{"gt=5", "lt=6", number, "gt=5&lt=6"},
		{"epmin=5", "epmax=4", nil, "epmin=5&epmax=4"},
		{"", "gt=5", nil, "!gt belongs to a resource"},
		{"", "gt=5", text, "!gt does not fit"},
		{"", "gt=5", flag, "!gt does not fit"},
		{"", "edge=1", number, "!edge does not fit"},
		{"", "gt=5&lt=5", number, "!lt must be less than gt"},
		{"", "gt=5&lt=-1&st=3", number, "!lt must be less than gt"},
		{"", "gt=5&lt=6", number, "!lt must be less than gt"},
		{"", "epmin=5&epmax=4", nil, "!epmax must be greater"},
		{"", "epmin=5&epmax=5", nil, "!epmax must be greater"},
		{"", "epmin=0&epmax=0", nil, "!epmax must be greater"},
		{"gt=5", "gt", nil, ""},
	} {
		var edits []Edit
		for q := range strings.SplitSeq(c.edits, "&") {
			e, err := Parse(q)
			if err != nil {
				t.Fatal(err)
			}
			edits = append(edits, e)
		}
		got, err := query(t, c.before).Apply(edits, c.def)
		if refusal, ok := strings.CutPrefix(c.want, "!"); ok {
			if err == nil || !strings.Contains(err.Error(), refusal) {
				t.Errorf("%s after %s: %v", c.edits, c.before, err)
			}
			continue
		}
		if want := query(t, c.want); got != want || err != nil {
			t.Errorf("%s after %s is %v (%v), want %v", c.edits, c.before, got, err, want)
		}
	}
}

func TestNodes(t *testing.T) {
	var n Nodes
	n.Put(dm.ObjectPath(3), query(t, "pmin=1&pmax=10"))
	n.Put(dm.ResourcePath(3, 0, 9), query(t, "pmax=40&gt=5"))
	n.Put(dm.InstancePath(3, 0), query(t, "pmax=20"))
	n.Put(dm.InstancePath(3, 1), Set{})
	if n.Len() != 3 {
		t.Errorf("%d nodes", n.Len())
	}
	for path, want := range map[dm.Path]string{
		dm.ObjectPath(3): "pmin=1&pmax=10", dm.InstancePath(3, 0): "pmin=1&pmax=20",
		dm.ResourcePath(3, 0, 9):                      "pmin=1&pmax=40&gt=5",
		dm.ResourcePath(3, 0, 9).Up(dm.InstanceLevel): "pmin=1&pmax=20", dm.ResourcePath(3, 0, 1): "pmin=1&pmax=20",
		dm.ObjectPath(4): "", {}: "",
	} {
		if got := n.InForce(path); got != query(t, want) {
			t.Errorf("in force at %v is %v, want %s", path, got, want)
		}
	}
	if got := n.At(dm.ResourcePath(3, 0, 1)); !got.Empty() {
		t.Errorf("attached are %v", got)
	}
	c := n.Clone()
	n.Put(dm.InstancePath(3, 0), query(t, "pmax=21"))
	n.Put(dm.ObjectPath(3), Set{})
	n.Remove(func(p dm.Path) bool { return p.Level() == dm.ResourceLevel })
	if got := n.At(dm.InstancePath(3, 0)); n.Len() != 1 || got != query(t, "pmax=21") {
		t.Errorf("%d nodes, %v", n.Len(), got)
	}
	if got := c.InForce(dm.ResourcePath(3, 0, 9)); c.Len() != 3 || got != query(t, "pmin=1&pmax=40&gt=5") {
		t.Errorf("the copy has changed: %v", got)
	}
}
