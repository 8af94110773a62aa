package attr

import (
	"maps"
	"math"
	"strings"

	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// The model keeps the whole history of a scenario: the values of every second, and every write of
// attributes. It shares no code with the package but the names of attributes.
type model struct {
	c      scenario
	values []state      // after the steps of each second
	writes map[int]bool // the seconds in which attributes are written
}

// imagine returns the notifications that the rules of the package documentation ask for.
func (c scenario) imagine() []report {
	m := &model{c: c, writes: map[int]bool{}}
	now := state{0: 0}
	steps := c.steps
	for second := range lastSecond {
		for ; len(steps) > 0 && steps[0].at == second; steps = steps[1:] {
			switch s := steps[0]; s.kind {
			case setValue, ownWrite, tellChange:
				now[s.ri] = s.value
			case removeValue:
				delete(now, s.ri)
			case attach:
				m.writes[second] = true
			}
		}
		m.values = append(m.values, copyOf(now))
	}
	var lists [][]report
	for _, s := range c.steps {
		if s.kind == begin {
			lists = append(lists, m.notifications(s))
		}
	}
	var all []report
	for second := range lastSecond { // in the order of time, then of observations
		for _, list := range lists {
			for _, r := range list {
				if r.at == second {
					all = append(all, r)
				}
			}
		}
	}
	return all
}

func copyOf(s state) state {
	d := state{}
	for k, v := range s {
		d[k] = v
	}
	return d
}

// valuesAt returns what an observation sees in a second.
func (m *model) valuesAt(second int, p dm.Path) state { return m.values[second].below(p) }

// inForce returns the attributes in force for an observation in a second, by name.
func (m *model) inForce(h *history, o step, second int) map[string]float64 {
	if h.inForce == nil || m.writes[second] { // otherwise they are those of the second before
		h.inForce = m.findInForce(o, second)
	}
	return h.inForce
}

func (m *model) findInForce(o step, second int) map[string]float64 {
	in := map[string]float64{}
	level := func(p dm.Path, own string) { // the level's attributes that are not there yet
		at := map[string]float64{}
		assign(at, own)
		for _, s := range m.c.steps {
			if s.kind == attach && s.server == o.server && s.at <= second && s.path == p && own == "" {
				assign(at, s.query)
			}
		}
		for name, v := range at {
			if _, ok := in[name]; !ok {
				in[name] = v
			}
		}
	}
	if o.query != "" {
		level(dm.ObjectPath(65000), o.query)
	} else {
		for l := o.path.Level(); l >= dm.ObjectLevel; l-- {
			level(o.path.Up(l), "")
		}
	}
	level(dm.Path{}, "")
	return in
}

// assign makes the edits of a query.
func assign(to map[string]float64, query string) {
	for _, q := range strings.Split(query, "&") {
		name, text, ok := strings.Cut(q, "=")
		if !ok {
			delete(to, name)
			continue
		}
		sign := 1.0
		if text[0] == '-' {
			sign, text = -1, text[1:]
		}
		whole, part, _ := strings.Cut(text, ".")
		v := 0.0
		for _, d := range whole {
			v = v*10 + float64(d-'0')
		}
		if part == "5" {
			v += 0.5
		}
		to[name] = sign * v
	}
}

// conditionsOf returns the value conditions that are in force.
func conditionsOf(in map[string]float64) map[string]float64 {
	got := map[string]float64{}
	for _, name := range []string{"gt", "lt", "st", "edge"} {
		if v, ok := in[name]; ok {
			got[name] = v
		}
	}
	gt, hasGt := in["gt"]
	lt, hasLt := in["lt"]
	if hasGt && hasLt && lt+2*in["st"] >= gt {
		delete(got, "gt")
		delete(got, "lt")
		delete(got, "st")
	}
	return got
}

// evaluation is one evaluation of an observed node.
type evaluation struct {
	at          int
	values      state
	conditional bool
	differs     bool // a reason to notify
	sent        bool // the server was notified
}

// history is an observation with all that has happened to it.
type history struct {
	reports     []int        // seconds, the first of the answer
	evaluations []evaluation // the first of the answer
	told        state        // what the server knows
	unsure      bool         // it cannot be told what the server knows
	seen        state        // of the last evaluation, or what the server wrote itself
	changes     []int        // seconds of changes that are not evaluated yet
	inForce     map[string]float64
}

// notifications returns the notifications of one observation.
func (m *model) notifications(o step) []report {
	first := m.valuesAt(o.at, o.path)
	h := &history{reports: []int{o.at}, told: first, seen: first, evaluations: []evaluation{{at: o.at, values: first}}}
	var list []report
	for t := o.at; t < lastSecond; t++ {
		for i, s := range m.c.steps {
			if s.at == t && t > o.at || s.at == t && i > m.index(o) {
				m.happens(h, o, s, t)
			}
		}
		for m.looks(h, o, t) {
			if m.evaluate(h, o, t); m.notifies(h, o, t) {
				h.reports = append(h.reports, t)
				h.evaluations[len(h.evaluations)-1].sent = true
				h.told, h.unsure = m.valuesAt(t, o.path), false
				h.seen = h.told
				list = append(list, report{t, o.server, o.at, h.told.String()})
			}
		}
	}
	return list
}

func (m *model) index(o step) int {
	for i, s := range m.c.steps {
		if s == o {
			return i
		}
	}
	return -1
}

// happens takes note of a step that may concern the observation.
func (m *model) happens(h *history, o, s step, t int) {
	concerned := o.path.Contains(dm.ResourceInstancePath(9, 0, 1, dm.ResourceInstanceID(s.ri)))
	before := state{0: 0}
	if t > 0 {
		before = m.values[t-1]
	}
	old, was := before[s.ri]
	changed := false
	switch s.kind {
	case setValue, ownWrite:
		changed = concerned && (!was || old != s.value) && !m.c.live
	case removeValue:
		changed = concerned && was && !m.c.live
	case tellChange:
		changed = concerned
	case attach:
		if s.server != o.server || o.query != "" || s.path.IsRoot() || !s.path.Contains(o.path) || t == 0 {
			return
		}
		for _, name := range []string{"gt", "lt", "st", "edge"} {
			was, had := m.attachedBefore(o.server, s, name)
			is, has := m.attachedBefore(o.server, step{at: s.at + 1, path: s.path}, name)
			changed = changed || had != has || was != is
		}
	case begin:
		return
	}
	if !changed {
		return
	}
	if s.kind == ownWrite && s.server == o.server {
		if len(h.changes) > 0 {
			h.unsure = true
			return
		}
		h.told, h.unsure = m.valuesAt(t, o.path), false
		h.seen = h.told
		return
	}
	h.changes = append(h.changes, t)
}

// attachedBefore returns an attribute that is attached to the path of a step before it.
func (m *model) attachedBefore(server int, s step, name string) (float64, bool) {
	at := map[string]float64{}
	for _, w := range m.c.steps {
		if w.kind == attach && w.server == server && w.path == s.path && w.at < s.at {
			assign(at, w.query)
		}
	}
	v, ok := at[name]
	return v, ok
}

func (h *history) lastReport() int            { return h.reports[len(h.reports)-1] }
func (h *history) lastEvaluation() evaluation { return h.evaluations[len(h.evaluations)-1] }

// met reports whether a condition was met since the last notification.
func (h *history) met() bool {
	for i := len(h.evaluations) - 1; i > 0 && !h.evaluations[i].sent; i-- {
		if e := h.evaluations[i]; e.conditional && e.differs {
			return true
		}
	}
	return false
}

// looks reports whether the node is to be evaluated now.
func (m *model) looks(h *history, o step, t int) bool {
	in := m.inForce(h, o, t)
	last := h.lastEvaluation()
	pminOver := float64(t) >= float64(h.lastReport())+in["pmin"]
	epminOver := float64(t) >= float64(last.at)+in["epmin"]
	conditional := len(conditionsOf(in)) > 0
	// A change.
	pending := len(h.changes) > 0
	if !conditional && pending && pminOver && epminOver || conditional && pending && epminOver {
		return true
	}
	// A difference that had to wait for pmin.
	waits := last.differs && !last.conditional && !last.sent
	if waits && pminOver {
		return true
	}
	if h.met() && pminOver {
		return true
	}
	// A live value at its interval.
	if m.c.live && t >= last.at+m.interval(in, h, conditional) {
		return true
	}
	return m.pmaxOver(h, in, t)
}

func (m *model) pmaxOver(h *history, in map[string]float64, t int) bool {
	pmax, ok := in["pmax"]
	return ok && pmax > 0 && pmax >= in["pmin"] && float64(t) >= float64(h.lastReport())+pmax
}

// interval returns the seconds between two samples of a live value.
func (m *model) interval(in map[string]float64, h *history, conditional bool) int {
	_, hasEpmin := in["epmin"]
	_, hasPmin := in["pmin"]
	_, hasPmax := in["pmax"]
	n := math.MaxInt32
	switch {
	case hasEpmin:
		n = int(in["epmin"])
	case m.c.every > 0:
		n = m.c.every
		if wait := h.lastReport() + int(in["pmin"]) - h.lastEvaluation().at; !conditional && wait > n {
			n = wait
		}
	case hasPmin:
		n = int(in["pmin"])
	case !hasPmax:
		n = 1
	}
	if epmax, ok := in["epmax"]; ok && epmax > in["epmin"] && int(epmax) < n {
		n = int(epmax)
	}
	return max(n, m.c.every, 1)
}

// evaluate compares the values of now with what the server knows.
func (m *model) evaluate(h *history, o step, t int) {
	h.changes = nil
	now := m.valuesAt(t, o.path)
	want := conditionsOf(m.inForce(h, o, t))
	e := evaluation{at: t, values: now, conditional: len(want) > 0}
	e.differs = h.unsure
	for ri := range 3 {
		v, is := now[ri]
		told, was := h.told[ri]
		switch seen := h.seen[ri]; {
		case is != was:
			e.differs = true
		case !is:
		case e.conditional:
			e.differs = e.differs || fulfils(want, told, seen, v)
		case m.c.band > 0:
			e.differs = e.differs || math.Abs(v-told) >= m.c.band
		default:
			e.differs = e.differs || v != told
		}
	}
	h.seen = mergeSeen(h.seen, now)
	h.evaluations = append(h.evaluations, e)
}

// mergeSeen returns the values that were seen last. One that is gone for the moment keeps its last
// value: where it comes back, an edge is a change from that.
func mergeSeen(before, now state) state {
	seen := maps.Clone(before)
	maps.Copy(seen, now)
	return seen
}

// fulfils reports whether a value meets one of the conditions.
func fulfils(want map[string]float64, told, seen, v float64) bool {
	if gt, ok := want["gt"]; ok && (told <= gt && v > gt || told > gt && v <= gt) {
		return true
	}
	if lt, ok := want["lt"]; ok && (told >= lt && v < lt || told < lt && v >= lt) {
		return true
	}
	if st, ok := want["st"]; ok && (v >= told+st || v <= told-st) {
		return true
	}
	edge, ok := want["edge"]
	return ok && v == edge && seen == 1-edge
}

// notifies reports whether the server is notified of the last evaluation.
func (m *model) notifies(h *history, o step, t int) bool {
	in := m.inForce(h, o, t)
	last := h.lastEvaluation()
	if m.pmaxOver(h, in, t) {
		return true
	}
	return (last.differs || h.met()) && float64(t) >= float64(h.lastReport())+in["pmin"]
}
