package attr

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

var (
	full    = flag.Bool("full", false, "check 100,000 random scenarios instead of 2,000")
	theSeed = flag.Uint64("seed", 0, "check the scenario of this seed alone")
)

// A scenario is one resource with up to three resource instances, observed by several servers, and
// what happens to it. At most one thing happens in a second.
type scenario struct {
	live    bool
	boolean bool
	every   int     // seconds, the pace of the live value
	band    float64 // its dead band
	servers int
	steps   []step
}

// A step is one thing that happens.
type step struct {
	at     int // seconds
	kind   stepKind
	server int
	ri     int     // resource instance
	value  float64 // NaN-free; of set and own
	path   dm.Path // of write and observe
	query  string  // likewise
}

type stepKind int

const (
	setValue    stepKind = iota // the application sets a resource instance
	removeValue                 // the application removes one
	tellChange                  // the application tells of a live change
	ownWrite                    // a server sets a resource instance
	// a server writes attributes, or its defaults where the path is the root
	attach
	begin // a server begins an observation
	kinds
)

func (k stepKind) String() string {
	return [...]string{"set", "remove", "tell", "own", "write", "observe"}[k]
}

func (s step) String() string {
	switch s.kind {
	case setValue, ownWrite:
		return fmt.Sprintf("%ds: %v %d of server %d to %v", s.at, s.kind, s.ri, s.server, s.value)
	case attach, begin:
		return fmt.Sprintf("%ds: server %d: %v %v?%s", s.at, s.server, s.kind, s.path, s.query)
	}
	return fmt.Sprintf("%ds: %v %d", s.at, s.kind, s.ri)
}

const lastSecond = 200

// node is the resource of all scenarios.
var observed = dm.ResourcePath(9, 0, 1)

// report is a notification.
type report struct {
	at     int
	server int
	began  int // when the observation began
	values string
}

// A state is the values of the resource instances.
type state map[int]float64

func (s state) String() string {
	var b strings.Builder
	for ri := range 3 {
		if v, ok := s[ri]; ok {
			fmt.Fprintf(&b, "%d=%v ", ri, v)
		}
	}
	return b.String()
}

// below returns what an observation of a node sees.
func (s state) below(p dm.Path) state {
	seen := state{}
	for ri, v := range s {
		if p.Contains(dm.ResourceInstancePath(9, 0, 1, dm.ResourceInstanceID(ri))) {
			seen[ri] = v
		}
	}
	return seen
}

// newScenario returns the scenario of a seed.
func newScenario(seed uint64) scenario {
	r := rand.New(rand.NewPCG(seed, 1))
	c := scenario{live: r.IntN(2) == 0, boolean: r.IntN(4) == 0, servers: 1 + r.IntN(3)}
	if c.live {
		c.every = []int{0, 0, 1, 7, 20}[r.IntN(5)]
		if !c.boolean {
			c.band = []float64{0, 0, 1, 2.5}[r.IntN(4)]
		}
	}
	levels := []dm.Path{dm.ObjectPath(9), dm.InstancePath(9, 0), observed, dm.ResourceInstancePath(9, 0, 1, 0)}
	busy := 2 + r.IntN(8)
	for at := range lastSecond - 20 {
		if at > 3 && r.IntN(busy) > 0 {
			continue
		}
		s := step{at: at, kind: stepKind(r.IntN(int(kinds))), server: r.IntN(c.servers), ri: r.IntN(3)}
		if at < 3 || at > 50 && s.kind == begin {
			s.kind = []stepKind{setValue, attach, begin}[at%3]
		}
		switch s.kind {
		case setValue, ownWrite, tellChange:
			if s.value = float64(r.IntN(21)-10) / 2; c.boolean {
				s.value = float64(r.IntN(2))
			}
			if c.live && s.kind == ownWrite {
				s.kind = tellChange
			}
		case removeValue:
			if s.ri == 0 {
				continue // the observation of it would end
			}
		case attach, begin:
			s.path = levels[r.IntN(len(levels))]
			if s.kind == begin {
				s.path = levels[1+r.IntN(3)]
			}
			if s.kind == attach && r.IntN(6) == 0 {
				s.path = dm.Path{}
			}
			s.query = randomQuery(r, s.path, c.boolean)
			if s.kind == begin && r.IntN(3) > 0 {
				s.query = ""
			}
			if s.kind == attach && s.query == "" {
				continue
			}
		}
		c.steps = append(c.steps, s)
	}
	return c
}

// randomQuery returns attributes that may stand in one request for the node.
func randomQuery(r *rand.Rand, p dm.Path, boolean bool) string {
	names := []Attribute{Pmin, Pmax, Epmin, Epmax}
	switch {
	case p.IsRoot():
		names = []Attribute{Pmin, Pmax}
	case p.Level() >= dm.ResourceLevel && boolean:
		names = append(names, Edge, Edge)
	case p.Level() >= dm.ResourceLevel:
		names = append(names, Gt, Lt, St, Gt, Lt, St)
	}
	for range 20 {
		var parts []string
		var named Set
		for range r.IntN(4) {
			a := names[r.IntN(len(names))]
			if _, ok := named.Get(a); ok {
				continue
			}
			text := a.String()
			if !p.IsRoot() && r.IntN(5) == 0 {
				named.Put(a, 0)
				parts = append(parts, text)
				continue
			}
			v := float64(r.IntN(30))
			switch a {
			case Gt, Lt:
				v = float64(r.IntN(17)-8) / 2
			case St:
				v = float64(1+r.IntN(8)) / 2
			case Edge:
				v = float64(r.IntN(2))
			case Epmin, Epmax:
				v = float64(r.IntN(15))
			}
			named.Put(a, v)
			parts = append(parts, fmt.Sprintf("%s=%v", text, v))
		}
		query := strings.Join(parts, "&")
		if _, err := (Set{}).Apply(edits(query), resourceOf(boolean)); err == nil {
			return query
		}
	}
	return ""
}

func resourceOf(boolean bool) *registry.Resource {
	if boolean {
		return &registry.Resource{Type: registry.Boolean}
	}
	return &registry.Resource{Type: registry.Float}
}

// edits parses a query.
func edits(query string) []Edit {
	var list []Edit
	for q := range strings.SplitSeq(query, "&") {
		if q == "" {
			continue
		}
		e, err := Parse(q)
		if err != nil {
			panic(err)
		}
		list = append(list, e)
	}
	return list
}

// TestMonitorAgainstModel compares the notifications of the package with those of a model that
// keeps everything that has ever happened and reads the rules literally.
func TestMonitorAgainstModel(t *testing.T) {
	runs := 2000
	if *full {
		runs = 100_000
	}
	first := rand.Uint64()
	if *theSeed != 0 {
		runs, first = 1, *theSeed
	}
	t.Logf("seeds %d and the next %d", first, runs-1)
	reports := 0
	for i := range runs {
		seed := first + uint64(i)
		c := newScenario(seed)
		got, want := c.play(), c.imagine()
		if reports += len(got); slices.Equal(got, want) {
			continue
		}
		c = c.shrink()
		t.Fatalf("seed %d: the notifications differ (run it with -seed %d)\n%v\nnotified %v\nwant     %v",
			seed, seed, c, c.play(), c.imagine())
	}
	if reports < runs {
		t.Errorf("%d scenarios have %d notifications: they show little", runs, reports)
	}
}

func (c scenario) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "live %t every %d s, boolean %t, band %v, %d servers", c.live, c.every, c.boolean, c.band, c.servers)
	for _, s := range c.steps {
		fmt.Fprintf(&b, "\n  %v", s)
	}
	return b.String()
}

// shrink removes the steps without which a scenario fails still.
func (c scenario) shrink() scenario {
	for smaller := true; smaller; {
		smaller = false
		for i := range c.steps {
			d := c
			d.steps = slices.Delete(slices.Clone(c.steps), i, i+1)
			if !slices.Equal(d.play(), d.imagine()) {
				c, smaller = d, true
				break
			}
		}
	}
	return c
}
