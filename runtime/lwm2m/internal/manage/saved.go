package manage

// What a server has here outlives the process where its registration does: its attributes, its
// observations, and what is stored for them.

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/attr"
)

// SavedPeer is what a server has, in a form for encoding/json.
type SavedPeer struct {
	Attributes   []SavedAttributes  `json:"attributes,omitempty"`
	Observations []SavedObservation `json:"observations,omitempty"`
}

// SavedNode is a node of the device with a prefix.
type SavedNode struct {
	Prefix string `json:"prefix,omitempty"`
	Path   string `json:"path"`
}

// SavedSet is a set of attributes by their names.
type SavedSet map[string]float64

// SavedAttributes are those attached to a node.
type SavedAttributes struct {
	SavedNode
	Set SavedSet `json:"set"`
}

// SavedObservation is an observation.
type SavedObservation struct {
	Relation  []byte        `json:"relation"` // of coap.Observation.Save
	Nodes     []SavedNode   `json:"nodes"`
	Composite bool          `json:"composite,omitempty"`
	Format    uint16        `json:"format"`
	Values    int32         `json:"values"`
	Carried   *SavedSet     `json:"carried,omitempty"`
	Stored    []SavedMoment `json:"stored,omitempty"`
	Newest    bool          `json:"newest,omitempty"`
}

// SavedMoment is a notification that was stored.
type SavedMoment struct {
	Micros int64  `json:"at"` // since 1970
	Body   []byte `json:"body"`
}

func saveSet(s *attr.Set) SavedSet {
	saved := SavedSet{}
	for a := range attr.Count {
		if v, ok := s.Get(a); ok {
			saved[a.String()] = v
		}
	}
	return saved
}

// restore returns the set for a node. The definition of the resource is nil for a node above
// resources.
func (saved SavedSet) restore(def *registry.Resource) (s attr.Set, err error) {
	for a := range attr.Count {
		v, ok := saved[a.String()]
		switch {
		case !ok:
			continue
		case !a.Fits(v):
			return s, fmt.Errorf("%v cannot be %v", a, v)
		}
		if s, err = s.Apply([]attr.Edit{{Attribute: a, Value: v}}, def); err != nil {
			return s, err
		}
	}
	return s, nil
}

// Save returns what the server has. Call it where no request of the server is in progress.
func (p *Peer) Save() SavedPeer {
	var saved SavedPeer
	for _, s := range p.scopes {
		for path, set := range s.attributes.All() {
			saved.Attributes = append(saved.Attributes, SavedAttributes{SavedNode: nodeOf(s, path), Set: saveSet(&set)})
		}
	}
	for _, o := range p.observed {
		if x, err := o.save(); err != nil {
			o.logFailure(fmt.Errorf("the observation ends with the program: %w", err))
		} else {
			saved.Observations = append(saved.Observations, x)
		}
	}
	return saved
}

func nodeOf(s *scope, p dm.Path) SavedNode { return SavedNode{s.device.cfg.Prefix, p.String()} }

func (o *observation) save() (SavedObservation, error) {
	x := SavedObservation{Relation: o.saved, Composite: o.composite, Format: uint16(o.format), Values: o.values}
	if o.rel != nil {
		x.Relation = o.rel.Save()
	}
	if o.carried != nil {
		set := saveSet(o.carried)
		x.Carried = &set
	}
	for _, p := range o.parts {
		x.Nodes = append(x.Nodes, nodeOf(p.scope, p.path))
	}
	if st := o.store; st != nil {
		x.Newest = st.newest || st.replay || st.replaying
		for i := range st.moments {
			body, err := o.encodeMoments(st.moments[i : i+1])
			if err != nil {
				return x, err
			}
			x.Stored = append(x.Stored, SavedMoment{st.moments[i].at.UnixMicro(), slices.Clone(body)})
		}
	}
	return x, nil
}

// Restore brings back what Save has returned, before the first Attach. It leaves out what no longer
// fits the device, with an error that says what.
func (p *Peer) Restore(saved SavedPeer) []error {
	var faults []error
	for _, a := range saved.Attributes {
		if err := p.restoreAttributes(&a); err != nil {
			faults = append(faults, fmt.Errorf("attributes of %s: %w", a.Path, err))
		}
	}
	for i := range saved.Observations {
		if err := p.restoreObservation(&saved.Observations[i]); err != nil {
			faults = append(faults, fmt.Errorf("observation: %w", err))
		}
	}
	p.boundStore()
	return faults
}

func (p *Peer) restoreAttributes(a *SavedAttributes) error {
	s, path, err := p.find(a.SavedNode)
	if err != nil {
		return err
	}
	if !s.mayHaveAttributes(path) {
		return errors.New("the node does not exist any more")
	}
	set, err := a.Set.restore(definition(s.snapshot(), path))
	if err != nil {
		return err
	}
	return s.attachAttributes(path, set)
}

// find returns a node that was saved.
func (p *Peer) find(n SavedNode) (*scope, dm.Path, error) {
	path, err := dm.ParsePath(n.Path)
	s := p.scope([]byte(n.Prefix))
	if err == nil && s == nil {
		err = errNoDevice
	}
	return s, path, err
}

func (p *Peer) restoreObservation(x *SavedObservation) error {
	if len(x.Nodes) == 0 || !x.Composite && len(x.Nodes) > 1 {
		return fmt.Errorf("it has %d nodes", len(x.Nodes))
	}
	if x.Values < 0 || p.observations.full() {
		return fmt.Errorf("it has %d values, and there are %d observations already", x.Values, p.observations.used)
	}
	o := &observation{saved: x.Relation, composite: x.Composite, format: content.Format(x.Format), values: x.Values}
	o.timer.Func = o.onDue
	now := p.m.cfg.Sched.Now()
	for _, n := range x.Nodes {
		s, path, err := p.find(n)
		if err != nil {
			return fmt.Errorf("%s: %w", n.Path, err)
		}
		x := &o.own
		if o.composite {
			x = new(part)
		}
		x.o, x.scope, x.path = o, s, path
		x.monitor = attr.NewMonitor(now, &attr.Sample{Live: s.snapshot().Live(p.who, path)})
		x.monitor.Forget() // nobody knows what has changed since
		x.monitor.Changed()
		o.parts = append(o.parts, x)
	}
	o.scope = o.parts[0].scope
	if err := o.restoreCarried(x.Carried); err != nil {
		return err
	}
	if err := o.restoreStored(x); err != nil {
		return err
	}
	o.place, p.observed = int32(len(p.observed)), append(p.observed, o)
	p.observations.used++
	p.values.used += int(o.values)
	for _, part := range o.parts {
		part.scope.reporter.parts.add(part)
		part.scope.device.watch(1)
	}
	o.dropClosed() // the rights may have changed since
	return nil
}

// restoreCarried brings back the attributes that the request has carried. Those of an
// Observe-Composite are about no value.
func (o *observation) restoreCarried(saved *SavedSet) error {
	if saved == nil {
		return nil
	}
	var def *registry.Resource
	if !o.composite {
		def = definition(o.scope.snapshot(), o.own.path)
	}
	set, err := saved.restore(def)
	o.carried = &set
	return err
}

// restoreStored brings back the notifications that were stored.
func (o *observation) restoreStored(x *SavedObservation) error {
	values := 0
	for _, saved := range x.Stored {
		m, err := o.moment(saved.Body)
		if err != nil {
			return err
		}
		m.at = time.UnixMicro(saved.Micros)
		st := o.stored()
		st.moments = append(st.moments, m)
		values += m.values
	}
	o.scope.peer.storedValues.Add(int64(values))
	if x.Newest {
		o.stored().newest = true
	}
	return nil
}
