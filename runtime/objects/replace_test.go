package objects_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/codec"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/objects/device"
	"github.com/lwm2mgen/toolkit/runtime/objects/security"
	"github.com/lwm2mgen/toolkit/runtime/objects/server"
)

// readyMade is a ready-made object with its instance 0, what a Replace names, and what was written
// before.
type readyMade struct {
	name    string
	who     dm.Origin
	id      dm.ObjectID
	make    func(t *testing.T) dm.Object
	replace []dm.Entry
	before  []dm.Entry
}

func entry(p dm.Path, v dm.Value) dm.Entry { return dm.Entry{Path: p, Value: v} }

func readyMadeObjects() []readyMade {
	dev := func(r dm.ResourceID) dm.Path { return dm.ResourcePath(3, 0, r) }
	srv := func(r dm.ResourceID) dm.Path { return dm.ResourcePath(1, 0, r) }
	sec := func(r dm.ResourceID) dm.Path { return dm.ResourcePath(0, 0, r) }
	return []readyMade{
		{
			"Device", dm.Server(1), 3,
			func(t *testing.T) dm.Object {
				d, err := device.New(device.Config{})
				if err != nil {
					t.Fatal(err)
				}
				return d
			},
			[]dm.Entry{entry(dev(14), dm.StringValue("+02:00"))},
			[]dm.Entry{
				entry(dev(13), dm.TimeValue(1_000_000_000)), entry(dev(14), dm.StringValue("-07:00")),
				entry(dev(15), dm.StringValue("America/Denver")),
			},
		},
		{
			"Server", dm.Server(1), 1,
			func(t *testing.T) dm.Object {
				o, err := server.New(server.Config{})
				if err != nil {
					t.Fatal(err)
				}
				i := server.Template()
				i.ShortServerID, i.Lifetime, i.Binding = dm.Int(1), dm.Int(60), dm.Str("U")
				i.NotificationStoringWhenDisabledOrOffline = dm.Bool(true)
				if err := o.Add(0, i); err != nil {
					t.Fatal(err)
				}
				return o
			},
			[]dm.Entry{entry(srv(1), dm.IntegerValue(86400)), entry(srv(6), dm.BooleanValue(true)), entry(srv(7), dm.StringValue("U"))},
			[]dm.Entry{
				entry(srv(2), dm.IntegerValue(5)), entry(srv(3), dm.IntegerValue(50)), entry(srv(5), dm.IntegerValue(500)),
				entry(srv(22), dm.StringValue("T")), entry(srv(23), dm.BooleanValue(true)),
			},
		},
		{
			"Security", dm.Bootstrap, 0,
			func(t *testing.T) dm.Object {
				o, err := security.New(security.Config{})
				if err != nil {
					t.Fatal(err)
				}
				return o
			},
			[]dm.Entry{
				entry(sec(0), dm.StringValue("coap://server")), entry(sec(1), dm.BooleanValue(false)), entry(sec(2), dm.IntegerValue(3)),
				entry(sec(3), dm.OpaqueValue(nil)), entry(sec(4), dm.OpaqueValue(nil)), entry(sec(5), dm.OpaqueValue(nil)),
				entry(sec(10), dm.IntegerValue(1)),
			},
			[]dm.Entry{entry(sec(11), dm.IntegerValue(7))},
		},
	}
}

// A Replace leaves nothing of what was written before, in every format (Core 1.2.2 §6.3.3): the
// instance is as if the Replace had been the only Write.
func TestReplaceLeavesNothing(t *testing.T) {
	for _, c := range readyMadeObjects() {
		for _, f := range []content.Format{
			content.TLV, content.SenMLJSON, content.SenMLCBOR, content.LwM2MCBOR, content.LwM2MJSON,
		} {
			t.Run(fmt.Sprint(c.name, " in ", f), func(t *testing.T) {
				fresh, used := c.model(t), c.model(t)
				c.write(t, fresh, f, dm.Replace, c.replace)
				c.write(t, used, f, dm.Replace, c.replace)
				c.write(t, used, f, dm.Update, c.before)
				if c.dump(t, used) == c.dump(t, fresh) {
					t.Fatal("the earlier Write changes nothing")
				}
				c.write(t, used, f, dm.Replace, c.replace)
				if got, want := c.dump(t, used), c.dump(t, fresh); got != want {
					t.Errorf("after the Replace\n%s, want\n%s", got, want)
				}
			})
		}
	}
}

func (c *readyMade) model(t *testing.T) *dm.Model {
	t.Helper()
	m, err := dm.NewModel(dm.ModelConfig{}, c.make(t))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// write writes the instance with a payload in the format.
func (c *readyMade) write(t *testing.T, m *dm.Model, f content.Format, mode dm.Mode, entries []dm.Entry) {
	t.Helper()
	base := dm.InstancePath(c.id, 0)
	payload, err := new(codec.Encoder).Encode(f, nil, content.Target{Base: base}, entries)
	if err != nil {
		t.Fatal(err)
	}
	var read []dm.Entry
	schema := func(id dm.ObjectID) *registry.Object { return m.Snapshot().Definition(id) }
	err = new(codec.Decoder).Decode(f, payload, content.Request{Base: base, Schema: schema}, func(e dm.Entry) error {
		read = append(read, e)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	tx, err := m.Begin(t.Context(), c.who)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if err := tx.Write(base, mode, read); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
}

// dump shows all values; of a time only the year.
func (c *readyMade) dump(t *testing.T, m *dm.Model) string {
	t.Helper()
	s := ""
	err := m.Snapshot().Read(t.Context(), dm.Application, dm.InstancePath(c.id, 0), func(p dm.Path, v dm.Value) error {
		if v.Type() == registry.Time {
			s += fmt.Sprintln(p, time.Unix(v.Seconds(), 0).UTC().Year())
		} else {
			s += fmt.Sprintln(p, v)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}
