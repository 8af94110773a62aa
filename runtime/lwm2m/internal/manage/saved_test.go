package manage

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
)

// restored returns what is left out of a saved peer, restored to a server of its own.
func (r *rig) restored(saved SavedPeer) (*Peer, string) {
	r.t.Helper()
	p, err := r.m.AddPeer(PeerConfig{ShortServerID: 77})
	r.must(err)
	r.t.Cleanup(p.Close)
	var texts []string
	for _, err := range p.Restore(saved) {
		texts = append(texts, err.Error())
	}
	return p, strings.Join(texts, "\n")
}

// What no longer fits the device, or never did, is left out with a reason, and leaves nothing
// behind. The rest is restored.
func TestRestoreLeavesOut(t *testing.T) {
	node := func(path string) SavedNode { return SavedNode{Path: path} }
	carried := &SavedSet{"st": 1}
	good := SavedObservation{Nodes: []SavedNode{node("/3303/1/5750")}, Format: uint16(content.SenMLJSON), Values: 1}
	observation := func(edit func(*SavedObservation)) SavedPeer {
		o := good
		edit(&o)
		return SavedPeer{Observations: []SavedObservation{o, good}}
	}
	attributes := func(path string, set SavedSet) SavedPeer {
		return SavedPeer{Attributes: []SavedAttributes{{node(path), set}}, Observations: []SavedObservation{good}}
	}
	for name, test := range map[string]struct {
		saved SavedPeer
		want  string
	}{
		"attributes of a node that is gone":       {attributes("/3303/9/5700", SavedSet{"pmin": 1}), "/3303/9/5700: the node does not exist"},
		"attributes of no path":                   {attributes("3303", SavedSet{"pmin": 1}), "attributes of 3303"},
		"attributes of another type":              {attributes("/3303/1/5750", SavedSet{"gt": 1}), "gt does not fit"},
		"a negative time":                         {attributes("/3303", SavedSet{"pmin": -1}), "pmin cannot be -1"},
		"a long time":                             {attributes("/3303", SavedSet{"pmax": 1e18}), "pmax cannot be 1e+18"},
		"a broken second":                         {attributes("/3303", SavedSet{"epmin": 0.5}), "epmin cannot be 0.5"},
		"an observation without a node":           {observation(func(o *SavedObservation) { o.Nodes = nil }), "0 nodes"},
		"an observation of several nodes":         {observation(func(o *SavedObservation) { o.Nodes = append(o.Nodes, o.Nodes[0]) }), "2 nodes"},
		"an observation of no path":               {observation(func(o *SavedObservation) { o.Nodes = []SavedNode{node("x")} }), "observation: x"},
		"an observation of another device":        {observation(func(o *SavedObservation) { o.Nodes = []SavedNode{{"gone", "/3303/1"}} }), "no device"},
		"an observation of a negative number":     {observation(func(o *SavedObservation) { o.Values = -5 }), "-5 values"},
		"an observation with attributes in vain":  {observation(func(o *SavedObservation) { o.Carried = carried }), "st does not fit"},
		"a composite with attributes of a value":  {observation(func(o *SavedObservation) { o.Composite, o.Carried = true, carried }), "st belongs to"},
		"stored values that cannot be read again": {observation(func(o *SavedObservation) { o.Stored = []SavedMoment{{1, []byte(`[{"vs":"a"}]`)}, {2, []byte("[")}} }), "observation: "},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, device12)
			watched := r.self.watched.Load()
			p, faults := r.restored(test.saved)
			if !strings.Contains(faults, test.want) {
				t.Errorf("left out %q, want %q", faults, test.want)
			}
			if stored, dropped := p.Stored(); p.Observations() != 1 || p.values.used != 1 || p.attributes.used != 0 || stored != 0 || dropped != 0 {
				t.Errorf("%d observations of %d values, %d attributes, %d values stored, %d dropped", p.Observations(), p.values.used,
					p.attributes.used, stored, dropped)
			}
			if p.Close(); r.self.watched.Load() != watched {
				t.Errorf("watched %d times, before %d", r.self.watched.Load(), watched)
			}
		})
	}
}

// The limits of the device bound what is restored.
func TestRestoreWithinLimits(t *testing.T) {
	o := device12
	o.config = func(c *Config) { c.Limits.Observations, c.Limits.StoredValues, c.Limits.Attributes = 2, 3, 1 }
	r := newRig(t, o)
	var saved SavedPeer
	for _, path := range []string{"/3303/1/5750", "/3303/1/5700", "/3303/0/5750"} {
		saved.Attributes = append(saved.Attributes, SavedAttributes{SavedNode{Path: path}, SavedSet{"pmin": 1}})
		x := SavedObservation{Nodes: []SavedNode{{Path: path}}, Format: uint16(content.SenMLJSON), Values: 1}
		for i := range int64(2) {
			x.Stored = append(x.Stored, SavedMoment{1 + i, []byte(`[{"n":"` + path + `","v":1}]`)})
		}
		if strings.HasSuffix(path, "5750") {
			for i := range x.Stored {
				x.Stored[i].Body = []byte(`[{"n":"` + path + `","vs":"a"}]`)
			}
		}
		saved.Observations = append(saved.Observations, x)
	}
	p, faults := r.restored(saved)
	stored, dropped := p.Stored()
	if p.Observations() != 2 || p.attributes.used != 1 || stored != 3 || dropped != 1 || strings.Count(faults, "\n") != 2 {
		t.Errorf("%d observations, %d attributes, %d values stored, %d dropped: %s", p.Observations(), p.attributes.used, stored, dropped, faults)
	}
}

// What Save returns is restored as it was, attributes of resource instances that come and go
// included.
func TestSaveAndRestore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, device12)
		p := r.peers[0]
		for _, line := range []string{"PUT /3303?pmin=10&pmax=60", "PUT /3303/0/5700?gt=30&lt=10&st=2.5", "PUT /3/0/7/0?epmin=5&epmax=7&con=1&hqmax=3"} {
			if got := p.do(to(line)); got.code != coap.Changed {
				t.Fatalf("%s: %v", line, got.code)
			}
		}
		p.watch(to("GET /3303/1/5750").accepting(content.SenMLJSON))
		r.pass(time.Second)
		saved := p.peer.Save()
		_, faults := r.restored(saved)
		if faults != "" || len(saved.Attributes) != 3 || len(saved.Observations) != 1 {
			t.Errorf("saved %+v, left out %s", saved, faults)
		}
	})
}
