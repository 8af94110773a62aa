package dmtest

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// tree is everything that a Model holds, and what its live writable resources read at a moment.
type tree struct {
	stored map[dm.Path]dm.Value
	live   map[dm.Path]dm.Value
}

// tree takes a copy of the Model as a snapshot shows it. Of live resources it takes those alone that
// are written: a sensor may well show something else a moment later.
func (k *kit) tree(s dm.Snapshot) tree {
	t := tree{map[dm.Path]dm.Value{}, map[dm.Path]dm.Value{}}
	for o := range s.Objects() {
		t.stored[dm.ObjectPath(o)] = dm.Value{}
		for i := range s.Instances(o) {
			t.stored[dm.InstancePath(o, i)] = dm.Value{}
		}
		_ = s.Stored(dm.ObjectPath(o), func(p dm.Path, v dm.Value) error { // of an object that is there
			t.stored[p] = v
			return nil
		})
	}
	for _, target := range k.targets {
		if target.live && s.Has(target.path.Up(dm.InstanceLevel)) {
			_ = s.Read(context.Background(), dm.Application, target.path, func(p dm.Path, v dm.Value) error {
				t.live[p] = v
				return nil
			}) // one that reads nothing is absent from the tree
		}
	}
	return t
}

// diff says in a few lines what differs between two trees, "" when nothing does. Secrets stay hidden.
func (t tree) diff(u tree) string {
	lines := append(differences(t.stored, u.stored, ""), differences(t.live, u.live, " (live)")...)
	if more := len(lines) - 5; more > 0 {
		lines = append(lines[:5], fmt.Sprintf("and %d more", more))
	}
	return strings.Join(lines, "; ")
}

func differences(a, b map[dm.Path]dm.Value, kind string) []string {
	var paths []dm.Path
	for p := range a {
		paths = append(paths, p)
	}
	for p := range b {
		if _, ok := a[p]; !ok {
			paths = append(paths, p)
		}
	}
	slices.SortFunc(paths, dm.Path.Compare)
	var lines []string
	for _, p := range paths {
		x, inA := a[p]
		y, inB := b[p]
		switch {
		case !inA:
			lines = append(lines, fmt.Sprintf("%v%s is new", p, kind))
		case !inB:
			lines = append(lines, fmt.Sprintf("%v%s is gone", p, kind))
		case !x.Equal(y):
			lines = append(lines, fmt.Sprintf("%v%s was %s and is %s", p, kind, text(x), text(y)))
		}
	}
	return lines
}

// text returns a value for a report; a long one is cut, and a secret one hidden.
func text(v dm.Value) string { return fmt.Sprintf("%.80q", v.String()) }
