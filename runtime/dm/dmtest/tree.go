package dmtest

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// tree is everything that a Model holds, and what its live writable resources read at one moment.
type tree struct {
	stored map[dm.Path]dm.Value
	live   map[dm.Path]dm.Value
}

// tree copies the Model from a snapshot. It includes only those live resources that can be written,
// because a sensor may have another value a moment later.
func (k *kit) tree(s dm.Snapshot) tree {
	t := tree{map[dm.Path]dm.Value{}, map[dm.Path]dm.Value{}}
	for o := range s.Objects() {
		t.stored[dm.ObjectPath(o)] = dm.Value{}
		for i := range s.Instances(o) {
			t.stored[dm.InstancePath(o, i)] = dm.Value{}
		}
		_ = s.Stored(dm.ObjectPath(o), func(p dm.Path, v dm.Value) error { // the object exists
			t.stored[p] = v
			return nil
		})
	}
	for _, target := range k.targets {
		if target.live && s.Has(target.path.Up(dm.InstanceLevel)) {
			_ = s.Read(context.Background(), dm.Application, target.path, func(p dm.Path, v dm.Value) error {
				t.live[p] = v
				return nil
			}) // a resource without a value is not in the tree
		}
	}
	return t
}

// diff describes the differences between two trees in a few lines, "" if there are none. Secrets
// stay hidden.
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

// text returns a value for a report, cut if it is long and hidden if it is secret.
func text(v dm.Value) string { return fmt.Sprintf("%.80q", v.String()) }
