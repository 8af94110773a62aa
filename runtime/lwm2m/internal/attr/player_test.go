package attr

import (
	"hash/maphash"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// A player plays a scenario with the package's Nodes and Monitors, as a device does.
type player struct {
	scenario
	now      sched.Time
	values   state
	attached []Nodes
	defaults []Set
	all      []*observer
	reports  []report
}

type observer struct {
	p       *player
	server  int
	path    dm.Path
	carried *Set
	began   int
	m       Monitor
}

var printSeed = maphash.MakeSeed()

// play returns the notifications of a scenario.
func (c scenario) play() []report {
	p := &player{scenario: c, values: state{0: 0}, attached: make([]Nodes, c.servers), defaults: make([]Set, c.servers)}
	steps := c.steps
	for second := range lastSecond {
		p.now = sched.Time(time.Duration(second) * time.Second)
		for ; len(steps) > 0 && steps[0].at == second; steps = steps[1:] {
			p.take(steps[0])
		}
		for _, o := range p.all {
			o.run(second)
		}
	}
	return p.reports
}

// inForce returns the attributes in force.
func (o *observer) inForce() Set {
	defaults := o.p.defaults[o.server]
	if o.carried != nil {
		return o.carried.Over(defaults)
	}
	return o.p.attached[o.server].InForce(o.path).Over(defaults)
}

// sample reads the node.
func (o *observer) sample() *Sample {
	s := &Sample{Live: o.p.live, Every: time.Duration(o.p.every) * time.Second}
	var h maphash.Hash
	h.SetSeed(printSeed)
	for ri := range 3 {
		v, ok := o.p.values.below(o.path)[ri]
		if !ok {
			continue
		}
		_ = h.WriteByte(byte(ri))
		if o.p.band == 0 {
			maphash.WriteComparable(&h, v)
		}
		if o.path.Level() >= dm.ResourceLevel || o.p.band > 0 {
			s.Values = append(s.Values, Value{Key: uint64(ri), Number: v, Band: o.p.band})
		}
	}
	s.Print = h.Sum64()
	return s
}

// run does what is due.
func (o *observer) run(second int) {
	for turns := 0; ; turns++ {
		in := o.inForce()
		if o.m.Next(&in) > o.p.now || turns > 100 { // a fault, which makes a difference
			return
		}
		o.m.Sampling()
		s := o.sample()
		if o.m.Decide(o.p.now, &in, s).Notifies() {
			o.m.Notified(o.p.now, s)
			o.p.reports = append(o.p.reports, report{second, o.server, o.began, o.p.values.below(o.path).String()})
		}
	}
}

// changed has an observer evaluate a change, or note it.
func (o *observer) changed() {
	in := o.inForce()
	if o.p.live || !o.m.EvaluatesChanges(o.p.now, &in) {
		o.m.Changed()
		return
	}
	o.m.Sampling()
	o.m.Decide(o.p.now, &in, o.sample())
}

// take does one step.
func (p *player) take(s step) {
	ri := dm.ResourceInstancePath(9, 0, 1, dm.ResourceInstanceID(s.ri))
	switch s.kind {
	case attach:
		p.write(s)
		return
	case begin:
		o := &observer{p: p, server: s.server, path: s.path, began: s.at}
		if list := edits(s.query); len(list) > 0 {
			set, err := Set{}.Apply(list, resourceOf(p.boolean))
			if err != nil {
				panic(err)
			}
			o.carried = &set
		}
		o.m = NewMonitor(p.now, o.sample())
		p.all = append(p.all, o)
		return
	case removeValue:
		if _, ok := p.values[s.ri]; !ok {
			return
		}
		delete(p.values, s.ri)
	default:
		if v, ok := p.values[s.ri]; ok && v == s.value && s.kind != tellChange {
			return
		}
		p.values[s.ri] = s.value
	}
	for _, o := range p.all {
		switch {
		case !o.path.Contains(ri):
		case s.kind == ownWrite && o.server == s.server:
			if o.m.Pending() {
				o.m.Forget()
			} else {
				o.m.Rebase(o.sample())
			}
		case p.live && s.kind != tellChange:
		default:
			o.changed()
		}
	}
}

// write writes attributes.
func (p *player) write(s step) {
	if s.path.IsRoot() {
		p.defaults[s.server], _ = p.defaults[s.server].Apply(edits(s.query), nil)
		return
	}
	nodes := &p.attached[s.server]
	before := nodes.At(s.path)
	after, err := before.Apply(edits(s.query), resourceOf(p.boolean))
	if err != nil {
		panic(err)
	}
	nodes.Put(s.path, after)
	if before.Conditions() == after.Conditions() {
		return
	}
	for _, o := range p.all {
		if o.server == s.server && o.carried == nil && s.path.Contains(o.path) {
			o.changed()
		}
	}
}
