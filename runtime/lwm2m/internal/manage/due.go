package manage

import (
	"slices"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/attr"
	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// due is the observations whose nodes are to be sampled now, of all Managers of a goroutine. It
// samples them in slices, between which requests are served. Servers take turns.
type due struct {
	turns []*Peer // with observations in Peer.due, in the order of their turns
	job   sched.Job
	slice uint64 // the number of the present one
	last  sample // that equal observations share
}

// A slice ends when it has cost that much. A sample is never divided.
const (
	sliceValues = 2000
	sliceTime   = 2 * time.Millisecond
)

// add has an observation sampled when its turn comes.
func (d *due) add(o *observation) {
	p := o.scope.peer
	o.queued = true
	first := p.due.empty()
	if p.due.push(o); first {
		d.turns = append(d.turns, p)
	}
	if d.job.Func == nil {
		s := o.cfg().Sched
		d.job.Func = func() { d.run(s) }
	}
	if len(d.turns) == 1 && first {
		o.cfg().Sched.After(&d.job, 0)
	}
}

// run samples the observations of one slice.
func (d *due) run(s *sched.Scheduler) {
	defer func() { // also where user code panics
		d.slice++
		if d.forget(); len(d.turns) > 0 {
			s.After(&d.job, 0)
		}
	}()
	cost, start := 0, time.Now()
	for len(d.turns) > 0 && cost < sliceValues && time.Since(start) < sliceTime {
		cost += d.next().takeTurn()
	}
}

// forget releases what was read where no observation is left that could share it.
func (d *due) forget() {
	if len(d.turns) == 0 {
		d.last.forget()
	}
}

// drop takes a server out.
func (d *due) drop(p *Peer) {
	p.due = line{}
	d.turns = slices.DeleteFunc(d.turns, func(x *Peer) bool { return x == p })
	if d.forget(); len(d.turns) == 0 {
		p.m.cfg.Sched.Cancel(&d.job)
	}
}

// next returns the observation whose turn it is. Its server is the last in turn now.
func (d *due) next() *observation {
	p := d.turns[0]
	d.turns = append(d.turns[:0], d.turns[1:]...)
	o := p.due.pop()
	if !p.due.empty() {
		d.turns = append(d.turns, p)
	}
	o.queued = false
	return o
}

// line is a queue of observations that keeps its memory. The zero value is empty.
type line struct {
	list []*observation
	head int // the place of the first one
}

func (l *line) empty() bool { return l.head == len(l.list) }

func (l *line) push(o *observation) { l.list = append(l.list, o) }

// pop removes the first observation. The others move up when half of the memory is free.
func (l *line) pop() *observation {
	o := l.list[l.head]
	l.list[l.head] = nil
	if l.head++; l.head*2 >= len(l.list) {
		n := copy(l.list, l.list[l.head:])
		clear(l.list[n:])
		l.list, l.head = l.list[:n], 0
	}
	return o
}

// sample is what was read of an observed node.
type sample struct {
	scope    *scope
	path     dm.Path
	format   content.Format
	snapshot dm.Snapshot
	slice    uint64

	body []byte
	err  error
	node attr.Sample
}

// keep keeps what was read for observations that are equal. It copies what the next reading
// changes.
func (x *sample) keep(rd *reading, body []byte, err error, slice uint64) {
	values := x.node.Values[:0]
	*x = sample{scope: rd.scope, path: rd.path, format: rd.format, snapshot: rd.snapshot, slice: slice, body: body, err: err}
	if x.node = rd.observed.sampleOf(0); cap(values) <= keptNumbers {
		x.node.Values = append(values, x.node.Values...)
	}
}

// forget releases what was read.
func (x *sample) forget() { *x = sample{node: attr.Sample{Values: x.node.Values[:0]}} }

// serves reports whether an observation can use the sample: what is observed is the same, in the
// same state of the data model, and the server has the same rights. Values of functions are good
// for one slice, and for the server for which they were read.
func (x *sample) serves(o *observation, slice uint64) bool {
	switch s := o.scope; {
	case x.scope == nil || x.err != nil || x.path != o.parts[0].path || x.format != o.format ||
		x.scope.device != s.device || x.snapshot != s.snapshot():
		return false
	case x.scope != s && (x.node.Live || x.scope.access.ask != nil || s.access.ask != nil):
		return false
	}
	return !x.node.Live || x.slice == slice
}
