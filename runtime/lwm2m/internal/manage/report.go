package manage

import (
	"bytes"
	"slices"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/attr"
)

// reporter knows what one server observes of one device (Core 1.2.2 §6.4). It hears what changes
// and passes it to the observed nodes (part.go) that a change concerns; their observations
// (observation.go) sample them and notify.
type reporter struct {
	cfg    *Config
	reader *reader
	scope  *scope
	parts  partIndex
	// written are the observed nodes that the server itself has changed, while the change is
	// being published.
	written []*part
}

// observe answers an Observe or Observe-Composite with what was read, and begins the observation.
func (x *reporter) observe(q *request, rd *reading, carried *attr.Set, resp *coap.Response) {
	p := x.scope.peer
	o := &observation{
		scope: x.scope, format: rd.format, composite: rd.isComposite, carried: carried, values: int32(rd.count),
	}
	o.timer.Func = o.onDue
	o.addParts(rd)
	rel, err := q.r.RespondObserve(resp, o)
	if err != nil || rel == nil {
		for _, part := range o.parts {
			part.scope.device.watch(-1)
		}
		return
	}
	o.rel = rel
	o.place, p.observed = int32(len(p.observed)), append(p.observed, o)
	p.observations.used++
	p.values.used += int(o.values)
	for _, part := range o.parts {
		part.scope.reporter.parts.add(part)
	}
	o.schedule()
}

// addParts adds what was read as the nodes that the observation observes, and has their devices
// watched.
func (o *observation) addParts(rd *reading) {
	now := o.cfg().Sched.Now()
	begin := func(part *part, s *scope, read dm.Snapshot, p dm.Path) {
		sample := rd.observed.sampleOf(len(o.parts))
		part.o, part.scope, part.path, part.monitor = o, s, p, attr.NewMonitor(now, &sample)
		o.parts = append(o.parts, part)
		// From here on, publications are passed to the loop. No observation has heard of what was
		// published since the reading.
		s.device.watch(1)
		if read != s.snapshot() {
			part.monitor.Changed()
		}
	}
	if !rd.isComposite {
		begin(&o.own, o.scope, rd.snapshot, rd.path)
		return
	}
	for i := range rd.composite.parts {
		in := &rd.composite.parts[i]
		for _, p := range in.paths {
			begin(new(part), in.scope, in.snapshot, p)
		}
	}
}

// mayObserve reports whether the server may have another observation, of so many values. One with
// the token of an existing observation replaces that.
func (s *scope) mayObserve(r *coap.Request, values int) bool {
	if s.closed {
		return false
	}
	v := &s.peer.values
	full := s.peer.observations.full() || v.used > 0 && v.used+values > v.limit
	return !full || slices.ContainsFunc(s.peer.observed, func(o *observation) bool {
		return o.rel != nil && bytes.Equal(o.rel.Token(), r.Token())
	})
}

// close ends the observations of the device without notifying the server. An observation of several
// devices goes on without it.
func (x *reporter) close() {
	for len(x.parts.list) > 0 {
		p := x.parts.list[len(x.parts.list)-1]
		if p.o.isWithin(x.scope) {
			p.o.cancel()
		} else {
			p.o.removePart(p)
		}
	}
}

// attributesChanged has the observations use attributes that are attached at p. With other value
// conditions than before their nodes are evaluated again.
func (x *reporter) attributesChanged(p dm.Path, conditions bool) {
	x.parts.below(p, func(part *part) {
		if conditions && (part.o.carried == nil || part.o.composite) {
			part.markChanged(x.scope.snapshot())
		} else {
			part.o.schedule()
		}
	})
}

// markChanged marks the observed nodes that a change at p concerns, in a publication that led to a
// state. own says that the server itself made the change by a request, and is not to be notified of
// it.
func (x *reporter) markChanged(state dm.Snapshot, p dm.Path, own bool) {
	if len(x.parts.list) == 0 {
		return
	}
	live := state.Reporting(p)
	x.parts.concerned(p, func(part *part) {
		switch {
		case own:
			if !part.written {
				part.written = true
				x.written = append(x.written, part)
			}
		default:
			if live.Quiet || live.Moving && part.path.Level() < dm.ResourceLevel {
				// Its value is left out of the comparison, and this is a change of it.
				part.monitor.Forget()
			}
			part.markChanged(state)
		}
	})
}

// rebaseOwnWrites brings the observations in line with what the server has written itself.
func (x *reporter) rebaseOwnWrites() {
	for len(x.written) > 0 {
		n := len(x.written) - 1
		part := x.written[n]
		x.written[n], x.written = nil, x.written[:n]
		if part.written = false; !part.o.ended {
			x.cfg.guard(part.rebase, part.forget)
		}
	}
	x.cfg.Scratch.due.forget()
}
