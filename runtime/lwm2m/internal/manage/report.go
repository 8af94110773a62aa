package manage

import (
	"bytes"
	"slices"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/attr"
)

// reporter holds the observations of one server at one device (Core 1.2.2 §6.4). It hears what
// changes and passes it to the observations that a change concerns; an observation (observation.go)
// samples its node and notifies.
type reporter struct {
	cfg    *Config
	reader *reader
	scope  *scope
	list   []*observation
}

// observe answers an Observe with what was read, and begins the observation.
func (x *reporter) observe(q *request, rd *reading, carried *attr.Set, resp *coap.Response) {
	o := &observation{x: x, path: q.path, format: rd.format, carried: carried, values: rd.found}
	o.monitor = attr.NewMonitor(x.cfg.Sched.Now(), rd.observed.sum(),
		rd.snapshot.Live(x.scope.peer.who, q.path))
	o.timer.Func = o.onDue
	rel, err := q.r.RespondObserve(resp, o)
	if err != nil || rel == nil {
		return
	}
	o.rel = rel
	x.list = append(x.list, o)
	x.scope.peer.observations.used++
	x.scope.peer.values.used += o.values
	x.scope.device.watch(1)
	// No observation has heard of what was published since the reading.
	if rd.snapshot != x.scope.snapshot() {
		o.monitor.Changed()
	}
	o.schedule()
}

// mayObserve reports whether the server may have another observation, of so many values. One with
// the token of an existing observation replaces that.
func (s *scope) mayObserve(r *coap.Request, values int) bool {
	if s.closed {
		return false
	}
	hasToken := func(o *observation) bool { return bytes.Equal(o.rel.Token(), r.Token()) }
	v := &s.peer.values
	full := s.peer.observations.full() || v.used > 0 && v.used+values > v.limit
	return !full || slices.ContainsFunc(s.peer.scopes, func(s *scope) bool {
		return slices.ContainsFunc(s.reporter.list, hasToken)
	})
}

// attach moves the observations to another connection.
func (x *reporter) attach(c *coap.Conn) {
	for _, o := range slices.Clone(x.list) {
		o.attach(c)
	}
}

// reset ends all observations without notifying the server.
func (x *reporter) reset() {
	for len(x.list) > 0 {
		x.list[0].cancel()
	}
}

// schedule sets the timers of all observations again.
func (x *reporter) schedule() {
	for _, o := range x.list {
		o.schedule()
	}
}

// attributesChanged sets the timers of the observations that attributes attached at p concern.
func (x *reporter) attributesChanged(p dm.Path) {
	for _, o := range x.list {
		if p.Contains(o.path) {
			o.schedule()
		}
	}
}

// markChanged marks the observations that a change at p concerns. own says that the server itself
// made the change by a request, and is not to be notified of it.
func (x *reporter) markChanged(p dm.Path, own bool) {
	if len(x.list) == 0 {
		return
	}
	moves := x.scope.snapshot().Moves(p)
	for _, o := range x.list {
		switch {
		case !o.concerns(p):
		case own:
			o.written = true
		default:
			if moves && o.path.Level() < dm.ResourceLevel {
				// Its value is left out of the fingerprint, and this is a change of it.
				o.monitor.Forget()
			}
			if !o.monitor.Pending() { // otherwise its sample is scheduled already
				o.monitor.Changed()
				o.schedule()
			}
		}
	}
}

// rebaseOwnWrites brings the observations in line with what the server has written itself.
func (x *reporter) rebaseOwnWrites() {
	for _, o := range slices.Clone(x.list) {
		if o.written {
			o.rebase()
		}
	}
	x.cfg.Scratch.due.forget()
}
