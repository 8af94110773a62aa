package dm_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// discover returns the result of Discover on one line.
func discover(s dm.Snapshot, who dm.Origin, p dm.Path, depth int) (string, error) {
	var b strings.Builder
	err := s.Discover(context.Background(), who, p, depth, func(n dm.Node) error {
		fmt.Fprintf(&b, " %v", n.Path)
		if n.Version != (registry.Version{}) {
			fmt.Fprintf(&b, ";ver=%v", n.Version)
		}
		if n.Dim >= 0 {
			fmt.Fprintf(&b, ";dim=%d", n.Dim)
		}
		return nil
	})
	return strings.TrimSpace(b.String()), err
}

func discoverModel(t *testing.T) *dm.Model {
	t.Helper()
	meters := newMeters(t, dm.ObjectConfig[meter]{})
	inst := meter{
		Level: dm.Float(1), Mode: dm.Int(1), Label: dm.Empty[string](), Key: dm.Key(nil), Tags: dm.List("a", "b"),
		Counts: dm.EmptyMulti[int64](),
		Reset:  func(context.Context, dm.Args) error { return nil },
		Goal:   dm.Empty[float64](),
	}
	if err := meters.Add(3, inst); err != nil {
		t.Fatal(err)
	}
	panels := newPanels(t, dm.ObjectConfig[panel]{})
	return newModel(t, dm.ModelConfig{}, meters, panels)
}

func TestDiscover(t *testing.T) {
	const (
		resources = "/33001/3/0 /33001/3/1 /33001/3/2 /33001/3/3 /33001/3/4;dim=2 /33001/3/5;dim=0 /33001/3/9"
		deep      = "/33001/3/0 /33001/3/1 /33001/3/2 /33001/3/3 /33001/3/4;dim=2 /33001/3/4/0 /33001/3/4/1 /33001/3/5;dim=0 /33001/3/9"
		object    = "/33001;ver=1.2"
		other     = "/33002;ver=1.0"
	)
	s := discoverModel(t).Snapshot()
	tests := []struct {
		path  string
		depth int
		want  string
	}{
		{"/33001", dm.DefaultDepth, object + " /33001/3 " + resources},
		{"/33001", 0, object},
		{"/33001", 1, object + " /33001/3"},
		{"/33001", 2, object + " /33001/3 " + resources},
		{"/33001", 3, object + " /33001/3 " + deep},
		{"/33001", 4, object + " /33001/3 " + deep},
		{"/33001", 1 << 30, object + " /33001/3 " + deep},
		{"/33001/3", dm.DefaultDepth, "/33001/3 " + resources},
		{"/33001/3", 0, "/33001/3"},
		{"/33001/3", 1, "/33001/3 " + resources},
		{"/33001/3", 2, "/33001/3 " + deep},
		{"/33001/3/4", dm.DefaultDepth, "/33001/3/4;dim=2 /33001/3/4/0 /33001/3/4/1"},
		{"/33001/3/4", 0, "/33001/3/4;dim=2"},
		{"/33001/3/4", 1, "/33001/3/4;dim=2 /33001/3/4/0 /33001/3/4/1"},
		{"/33001/3/0", dm.DefaultDepth, "/33001/3/0"},
		{"/33001/3/3", dm.DefaultDepth, "/33001/3/3"},
		{"/33001/3/4/1", dm.DefaultDepth, "/33001/3/4/1"},
		{"/33002", dm.DefaultDepth, other},
		{"/", 1, object + " " + other},
		{"/", 2, object + " /33001/3 " + other},
		{"/", 3, object + " /33001/3 " + resources + " " + other},
		{"/", 4, object + " /33001/3 " + deep + " " + other},
	}
	for _, test := range tests {
		got, err := discover(s, dm.Server(1), path(t, test.path), test.depth)
		if err != nil || got != test.want {
			t.Errorf("Discover of %s, depth %d: %v\n %s, want\n %s", test.path, test.depth, err, got, test.want)
		}
	}
	// Only the bootstrap server and the application see all resources.
	for _, who := range []dm.Origin{dm.Bootstrap, dm.Application} {
		got, err := discover(s, who, path(t, "/33001/3"), 1)
		if err != nil || !strings.Contains(got, "/33001/3/7") {
			t.Errorf("%v discovers %s, %v", who, got, err)
		}
	}
}

func TestDiscoverRefuses(t *testing.T) {
	s := discoverModel(t).Snapshot()
	for _, p := range []string{"/1", "/1/0", "/33001/0", "/33002/0", "/33001/3/99",
		"/33001/3/7", "/33001/3/8", "/33001/3/4/2", "/33001/3/0/0", "/33001/3/5/0"} {
		if got, err := discover(s, dm.Server(1), path(t, p), dm.DefaultDepth); !errors.Is(err,
			dm.NotFound) || got != "" {
			t.Errorf("Discover of %s: %q, %v, want 4.04", p, got, err)
		}
	}
}

func TestDiscoverLive(t *testing.T) {
	o := newMeters(t, dm.ObjectConfig[meter]{})
	var fault error
	inst := meter{Mode: dm.Int(1), Level: dm.Func(func(context.Context) (float64, error) {
		t.Error("Discover called the function of a single resource")
		return 0, nil
	}), Counts: dm.FuncMulti(func(context.Context) (map[dm.ResourceInstanceID]int64, error) {
		return map[dm.ResourceInstanceID]int64{4: 1, 2: 1}, fault
	})}
	if err := o.Add(0, inst); err != nil {
		t.Fatal(err)
	}
	s := newModel(t, dm.ModelConfig{}, o).Snapshot()
	for _, test := range []struct {
		fault error
		want  string
	}{
		{nil, "/33001/0 /33001/0/0 /33001/0/5;dim=2 /33001/0/5/2 /33001/0/5/4 /33001/0/9"},
		{dm.ErrNoValue, "/33001/0 /33001/0/0 /33001/0/5;dim=0 /33001/0/9"},
	} {
		fault = test.fault
		if got, err := discover(s, dm.Server(1), dm.InstancePath(meterID, 0), 2); err != nil || got != test.want {
			t.Errorf("with %v: %v\n%s, want\n%s", test.fault, err, got, test.want)
		}
	}
	fault = errors.New("broken")
	if _, err := discover(s, dm.Server(1), dm.InstancePath(meterID, 0), 2); !errors.Is(err, fault) {
		t.Errorf("with a broken function: %v", err)
	}
	fault = dm.ErrSlow
	if _, err := discover(s, dm.Server(1), dm.ResourceInstancePath(meterID, 0, countsID, 2),
		0); !errors.Is(err, dm.ErrSlow) {
		t.Errorf("Discover with a slow function: %v, want ErrSlow", err)
	}
}

func TestDiscoverStopsWithYield(t *testing.T) {
	s, enough := discoverModel(t).Snapshot(), errors.New("enough")
	for limit := range 7 {
		n := 0
		err := s.Discover(context.Background(), dm.Server(1), dm.ObjectPath(meterID), 3, func(dm.Node) error {
			if n++; n > limit {
				return enough
			}
			return nil
		})
		if !errors.Is(err, enough) || n != limit+1 {
			t.Errorf("stopped after %d nodes: %v after %d", limit, err, n)
		}
	}
}
