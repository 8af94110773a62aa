package manage

import (
	"slices"

	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// RightsChanged says that PeerConfig.Authorize may decide differently now. An observation whose
// node its server may not read any more ends at once with a notification that says so; those of
// several nodes or instances are sampled again, and go on with what is still open to the server.
func (m *Manager) RightsChanged() {
	for _, p := range m.peers {
		if p.cfg.Authorize == nil {
			continue
		}
		for _, o := range slices.Clone(p.observed) {
			o.rightsChanged()
		}
	}
}

func (o *observation) rightsChanged() {
	if o.ended {
		return
	}
	if !o.composite && o.own.path.Level() > dm.ObjectLevel {
		if err := o.scope.access.authorize(Observe, o.own.path.Up(dm.InstanceLevel)); err != nil {
			o.dropStored(false)
			o.finish(o.cfg().Sched.Now(), err)
		}
		return
	}
	o.dropClosed()
	for _, p := range o.parts {
		if !p.monitor.Pending() {
			p.monitor.Changed()
		}
	}
	o.schedule()
}

// dropClosed drops the stored values that the server may not read any more (Core 1.2.2 §8.2: a
// Notify needs the right to read when it is sent). A message that is on its way is not stopped.
func (o *observation) dropClosed() {
	if !o.hasStored() {
		return
	}
	st, dropped := o.store, 0
	for i := range st.moments {
		m := &st.moments[i]
		before := m.values
		m.values = 0
		for j := range m.groups {
			g := &m.groups[j]
			open := instanceAccess{access: &g.scope.access, op: Observe}
			g.entries = slices.DeleteFunc(g.entries, func(e dm.Entry) bool { return open.check(e.Path) != nil })
			m.values += len(g.entries)
		}
		dropped += before - m.values
	}
	// Those on their way are released with the outcome of their message.
	waiting := slices.DeleteFunc(st.moments[st.sending:], func(m moment) bool { return m.values == 0 })
	st.moments = st.moments[:st.sending+len(waiting)]
	o.scope.peer.storedValues.Add(-int64(dropped))
	o.scope.peer.CountDropped(dropped)
}
