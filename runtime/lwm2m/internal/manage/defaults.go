package manage

import "github.com/lwm2mgen/toolkit/runtime/dm"

// The Server object and its resources that say what observations do without attributes of their own.
const (
	serverObject dm.ObjectID   = 1
	shortIDRes   dm.ResourceID = 0
	defaultPmin  dm.ResourceID = 2
	defaultPmax  dm.ResourceID = 3
	defaultCon   dm.ResourceID = 26
)

// defaults returns the attributes that the server's own account gives to its observations.
func (p *Peer) defaults(s dm.Snapshot) Attributes {
	var a Attributes
	for i := range s.Instances(serverObject) {
		id, err := s.Value(p.fast, dm.Application, dm.ResourcePath(serverObject, i, shortIDRes))
		if err != nil || whole(id) != int64(p.cfg.ShortServerID) {
			continue
		}
		for _, d := range [...]struct {
			res  dm.ResourceID
			attr Attribute
		}{{defaultPmin, Pmin}, {defaultPmax, Pmax}, {defaultCon, Con}} {
			v, err := s.Value(p.fast, dm.Application, dm.ResourcePath(serverObject, i, d.res))
			if err == nil && whole(v) >= 0 {
				a.Set(d.attr, float64(whole(v)))
			}
		}
		break
	}
	return a
}

// whole returns a whole number of either type.
func whole(v dm.Value) int64 {
	if u := v.Unsigned(); u != 0 {
		return int64(min(u, 1<<62))
	}
	return v.Integer()
}
