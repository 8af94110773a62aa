package dm_test

import (
	"testing"

	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// A Bootstrap-Write to an object may name an instance without resources, like the TLV 08 00 00.
func TestBootstrapWritesBareInstance(t *testing.T) {
	newObjects := func() (*dm.TypedObject[meter], *dm.Model) {
		o := newMeters(t, dm.ObjectConfig[meter]{Template: meter{Level: dm.Float(1), Mode: dm.Int(0),
			Label: dm.Str("new")}})
		return o, newModel(t, dm.ModelConfig{}, o)
	}
	bare := func(id dm.InstanceID) dm.Entry { return dm.Entry{Path: dm.InstancePath(meterID, id)} }

	o, m := newObjects()
	if err := write(m, dm.Bootstrap, dm.ObjectPath(meterID), dm.Replace, bare(2)); err != nil {
		t.Fatal(err)
	}
	if inst, ok := o.Get(2); !ok || inst.Label.Or("") != "new" {
		t.Errorf("instance 2 is %v, %v, want one made from the template", inst, ok)
	}

	o, m = newObjects()
	full := fullMeter()
	full.Mode = dm.Int(5)
	if err := o.Add(3, full); err != nil {
		t.Fatal(err)
	}
	if err := write(m, dm.Bootstrap, dm.ObjectPath(meterID), dm.Replace, bare(3)); err != nil {
		t.Fatal(err)
	}
	if inst, _ := o.Get(3); inst.Mode.Or(9) != 0 || inst.Label.Or("") != "" {
		t.Errorf("instance 3 is %v, want the template's mandatory Mode and no Label", inst)
	}
	if err := write(m, dm.Server(1), dm.InstancePath(meterID, 3), dm.Update, bare(3)); err != nil {
		t.Errorf("a server's update with nothing in it: %v", err)
	}
	if inst, _ := o.Get(3); inst.Mode.Or(9) != 0 {
		t.Errorf("Mode is %v, want 0 still", inst.Mode)
	}
}

// A value of a resource that the device does not have is skipped in a new instance, too, however
// wrong it is. Leshan writes an empty SMS Binding Secret Key, whose range is 16, 32 and 48 bytes.
func TestNewInstanceSkipsAbsentResources(t *testing.T) {
	goal := dm.Entry{Path: dm.ResourcePath(meterID, 2, 1), Value: dm.FloatValue(1e6)} // at most 100
	label := dm.Entry{Path: dm.ResourcePath(meterID, 2, 2), Value: dm.StringValue("too long a label")}
	objects := func() (*dm.TypedObject[meter], *dm.Model) {
		o := newMeters(t, dm.ObjectConfig[meter]{Template: meter{Level: dm.Float(1), Mode: dm.Int(0), Label: dm.Str("new")}})
		return o, newModel(t, dm.ModelConfig{}, o)
	}
	for _, p := range []dm.Path{dm.ObjectPath(meterID), dm.InstancePath(meterID, 2)} {
		o, m := objects()
		if err := write(m, dm.Bootstrap, p, dm.Replace, goal); err != nil {
			t.Errorf("write %v: %v", p, err)
		}
		if inst, ok := o.Get(2); !ok || inst.Goal.Supported() {
			t.Errorf("write %v: instance 2 is %v, %v, want one without Goal", p, inst, ok)
		}
		if err := write(m, dm.Bootstrap, p, dm.Replace, label); err == nil {
			t.Errorf("write %v: a wrong value of a resource that the device has is accepted", p)
		}
	}
	_, m := objects()
	if err := write(m, dm.Bootstrap, dm.ResourcePath(meterID, 2, 1), dm.Replace, goal); err == nil {
		t.Error("a wrong value of a resource that the request names is accepted")
	}
}
