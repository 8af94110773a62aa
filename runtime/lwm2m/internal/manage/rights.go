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
			o.finish(o.cfg().Sched.Now(), err)
		}
		return
	}
	for _, p := range o.parts {
		if !p.monitor.Pending() {
			p.monitor.Changed()
		}
	}
	o.schedule()
}
