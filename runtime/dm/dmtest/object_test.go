package dmtest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/generated/accesscontrol"
	"github.com/lwm2mgen/toolkit/generated/device"
	"github.com/lwm2mgen/toolkit/generated/firmwareupdate"
	"github.com/lwm2mgen/toolkit/generated/security"
	"github.com/lwm2mgen/toolkit/generated/server"
	"github.com/lwm2mgen/toolkit/generated/setpoint"
	"github.com/lwm2mgen/toolkit/generated/temperature"
	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/dm/dmtest"
)

// report is a testing.TB that keeps what is reported.
type report struct {
	testing.TB
	errors []string
}

func (r *report) Helper() {}

func (r *report) Errorf(format string, args ...any) {
	r.errors = append(r.errors, fmt.Sprintf(format, args...))
}

// judge runs the kit and returns what it reports.
func judge(obj dm.Object, options ...dmtest.Option) string {
	r := &report{}
	dmtest.Object(r, obj, options...)
	return strings.Join(r.errors, "\n")
}

func made[T any](t *testing.T, o *dm.TypedObject[T], err error) *dm.TypedObject[T] {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func add[T any](t *testing.T, o *dm.TypedObject[T], id dm.InstanceID, inst T) {
	t.Helper()
	if err := o.Add(id, inst); err != nil {
		t.Fatal(err)
	}
}

// valve is hardware that can be set and set back.
type valve struct {
	position, before float64
	moves            int
}

func (v *valve) read(context.Context) (float64, error) { return v.position, nil }

// newSetPoint returns an object whose value is the position of a valve.
func newSetPoint(t *testing.T, v *valve, change func(*setpoint.Hooks)) *setpoint.Object {
	t.Helper()
	hooks := setpoint.Hooks{
		Validate: func(_ context.Context, tx *setpoint.Tx) error {
			for c := range tx.Changes() {
				if goal, ok := c.New.SetPointValue.Get(); ok && goal > 90 {
					return dm.Errorf(dm.BadRequest, "the set point %.1f is above the limit of 90", goal)
				}
			}
			return nil
		},
		Begin: func(context.Context, *setpoint.Tx) error { v.before = v.position; return nil },
		Commit: func(_ context.Context, tx *setpoint.Tx) error {
			for c := range tx.Changes() {
				if goal, ok := c.New.SetPointValue.Get(); ok {
					v.position = goal
					v.moves++
				}
			}
			return nil
		},
		Rollback: func(context.Context, *setpoint.Tx) error { v.position = v.before; return nil },
	}
	if change != nil {
		change(&hooks)
	}
	o, err := setpoint.New(setpoint.Config{Hooks: hooks})
	o = made(t, o, err)
	add(t, o, 0, setpoint.Instance{SetPointValue: dm.Func(v.read), ApplicationType: dm.Str("boiler"), Colour: dm.Empty[string]()})
	return o
}

func TestGoodObjects(t *testing.T) {
	temp, err := temperature.New(temperature.Config{Template: temperature.Instance{SensorValue: dm.Float(0), ApplicationType: dm.Empty[string]()}})
	temp = made(t, temp, err)
	add(t, temp, 3, temperature.Instance{SensorValue: dm.Func(func(context.Context) (float64, error) { return 21.5, nil }), SensorUnits: dm.Str("Cel"), ApplicationType: dm.Str("a")})
	add(t, temp, 65534, temperature.Instance{SensorValue: dm.Float(3), MeasurementQualityLevel: dm.Int(5), Timestamp: dm.Time(time.Unix(5, 0))})
	dmtest.Object(t, temp)
	if temp.Len() != 2 {
		t.Errorf("there are %d instances", temp.Len())
	}
	dmtest.Object(t, temp) // it can be tested again, and be part of a Model

	v := &valve{position: 21}
	dmtest.Object(t, newSetPoint(t, v, nil))
	if v.moves == 0 {
		t.Error("the hardware was not used")
	}

	none, err := temperature.New(temperature.Config{Template: temperature.Instance{SensorValue: dm.Float(0)}})
	dmtest.Object(t, made(t, none, err)) // an instance is made from the template

	sec, err := security.New(security.Config{Template: security.Instance{ServerURI: dm.Empty[string]()}})
	dmtest.Object(t, made(t, sec, err))

	srv, err := server.New(server.Config{Template: server.Instance{
		Lifetime:                  dm.Int(60),
		RegistrationUpdateTrigger: func(context.Context, dm.Args) error { return errors.New("not in a test") },
	}})
	dmtest.Object(t, made(t, srv, err))

	acl, err := accesscontrol.New(accesscontrol.Config{Template: accesscontrol.Instance{ACL: dm.List[int64](1)}})
	dmtest.Object(t, made(t, acl, err))

	dev, err := device.New(device.Config{})
	dev = made(t, dev, err)
	add(t, dev, 0, device.Instance{
		Manufacturer: dm.Str("m"), Reboot: func(context.Context, dm.Args) error { t.Error("the kit executes"); return nil }, ErrorCode: dm.List[int64](0),
		SupportedBindingAndModes: dm.Str("U"), CurrentTime: dm.Time(time.Unix(0, 0)), UTCOffset: dm.Str("Z"), AvailablePowerSources: dm.List[int64](1, 5),
	})
	dmtest.Object(t, dev)

	fw, err := firmwareupdate.New(firmwareupdate.Config{})
	fw = made(t, fw, err)
	opened, aborted := 0, 0
	add(t, fw, 0, firmwareupdate.Instance{
		Package: dm.SinkFunc(func(context.Context) (dm.Sink, error) { opened++; return sink{&aborted}, nil }),
		Update:  func(context.Context, dm.Args) error { return nil }, State: dm.Int(0), UpdateResult: dm.Int(0), PackageURI: dm.Str(""),
		FirmwareUpdateDeliveryMethod: dm.Int(2),
	})
	dmtest.Object(t, fw)
	if opened == 0 || opened != aborted {
		t.Errorf("%d streams were opened, %d aborted", opened, aborted)
	}
}

type sink struct{ aborted *int }

func (sink) Write(b []byte) (int, error) { return len(b), nil }

func (sink) Commit(context.Context) error { return nil }

func (s sink) Abort() { *s.aborted++ }

// every has a resource of every kind, with ranges.
type every struct {
	Integer  dm.Res[int64]
	Unsigned dm.Res[uint64]
	Float    dm.Res[float64]
	Boolean  dm.Res[bool]
	Text     dm.Res[string]
	Opaque   dm.Res[[]byte]
	Time     dm.Res[time.Time]
	Link     dm.Res[dm.ObjectLink]
	Core     dm.Res[dm.CoreLink]
	Secret   dm.Res[dm.Secret]
	Password dm.Res[dm.SecretString]
	Many     dm.Multi[string]
	Run      dm.Exec
	ReadOnly dm.Res[int64]
	WriteOne dm.Res[int64]
}

func (e *every) cell(id dm.ResourceID) dm.Cell {
	cells := []dm.Cell{
		&e.Integer, &e.Unsigned, &e.Float, &e.Boolean, &e.Text, &e.Opaque, &e.Time, &e.Link, &e.Core, &e.Secret, &e.Password, &e.Many, &e.Run, &e.ReadOnly, &e.WriteOne,
	}
	if int(id) < len(cells) {
		return cells[id]
	}
	return nil
}

func everyDefinition() registry.Object {
	return registry.Object{ID: 33001, Name: "Every", Multiple: true, Resources: []registry.Resource{
		{ID: 0, Name: "Integer", Ops: registry.RW, Type: registry.Integer, Range: registry.Range{{Min: -10, Max: -5}, {Min: 5, Max: 10}}},
		{ID: 1, Name: "Unsigned", Ops: registry.RW, Type: registry.UnsignedInteger, Range: registry.Between(0, 100)},
		{ID: 2, Name: "Float", Ops: registry.RW, Type: registry.Float, Range: registry.AtLeast(-0.5)},
		{ID: 3, Name: "Boolean", Ops: registry.RW, Type: registry.Boolean},
		{ID: 4, Name: "Text", Ops: registry.RW, Type: registry.String, Range: registry.Between(2, 5)},
		{ID: 5, Name: "Opaque", Ops: registry.RW, Type: registry.Opaque, Range: registry.OneOf(0, 16)},
		{ID: 6, Name: "Time", Ops: registry.RW, Type: registry.Time, Range: registry.AtLeast(0)},
		{ID: 7, Name: "Link", Ops: registry.RW, Type: registry.Objlnk},
		{ID: 8, Name: "Core", Ops: registry.RW, Type: registry.Corelnk},
		{ID: 9, Name: "Secret", Type: registry.Opaque, Secret: true},
		{ID: 10, Name: "Password", Ops: registry.RW, Type: registry.String, Secret: true},
		{ID: 11, Name: "Many", Ops: registry.RW, Type: registry.String, Multiple: true, Range: registry.AtMost(10)},
		{ID: 12, Name: "Run", Ops: registry.E},
		{ID: 13, Name: "Read Only", Ops: registry.R, Type: registry.Integer},
		{ID: 14, Name: "Write Only", Ops: registry.W, Type: registry.Integer},
	}}
}

func fullEvery() every {
	return every{
		dm.Int(5), dm.Uint(0), dm.Float(1), dm.Bool(false), dm.Str("ab"), dm.Bytes(nil), dm.Time(time.Unix(1, 0)), dm.Link(dm.NullLink), dm.Core(""), dm.Key(nil), dm.Password(""),
		dm.List("x"), func(context.Context, dm.Args) error { return nil }, dm.Int(1), dm.Int(2),
	}
}

func newEvery[T any](t *testing.T, cell func(*T, dm.ResourceID) dm.Cell, inst T, c dm.ObjectConfig[T]) *dm.TypedObject[T] {
	t.Helper()
	def := everyDefinition()
	o, err := dm.NewObject(&def, cell, c)
	o = made(t, o, err)
	add(t, o, 0, inst)
	return o
}

func TestEveryKindOfResource(t *testing.T) {
	dmtest.Object(t, newEvery(t, (*every).cell, fullEvery(), dm.ObjectConfig[every]{Template: fullEvery()}))
	dmtest.Object(t, newEvery(t, (*every).cell, every{}, dm.ObjectConfig[every]{}))
	// At the edges of the object IDs there is one witness only.
	for _, id := range []uint16{0, 65534} {
		def := everyDefinition()
		def.ID = id
		o, err := dm.NewObject(&def, (*every).cell, dm.ObjectConfig[every]{})
		o = made(t, o, err)
		add(t, o, 0, fullEvery())
		dmtest.Object(t, o)
	}
}

// shared keeps two of its values outside of the instance, where no transaction can copy them.
type shared struct {
	every
	outside *dm.Res[int64]
}

func (s *shared) cell(id dm.ResourceID) dm.Cell {
	if id == 14 && s.outside != nil {
		return s.outside
	}
	return s.every.cell(id)
}

func TestBrokenObjects(t *testing.T) {
	broken := errors.New("broken")
	free := func(change func(*dm.ObjectConfig[every]), inst func(*every)) func(*testing.T) dm.Object {
		return func(t *testing.T) dm.Object {
			c, e := dm.ObjectConfig[every]{}, fullEvery()
			if change != nil {
				change(&c)
			}
			if inst != nil {
				inst(&e)
			}
			return newEvery(t, (*every).cell, e, c)
		}
	}
	tests := []struct {
		name string
		make func(*testing.T) dm.Object
		want string
	}{
		{"Rollback does not undo what Commit did", func(t *testing.T) dm.Object {
			return newSetPoint(t, &valve{}, func(h *setpoint.Hooks) { h.Rollback = nil })
		}, "/3308/0/5900 (live) was"},
		{"Rollback fails", func(t *testing.T) dm.Object {
			return newSetPoint(t, &valve{}, func(h *setpoint.Hooks) {
				undo := h.Rollback
				h.Rollback = func(ctx context.Context, tx *setpoint.Tx) error { _ = undo(ctx, tx); return broken }
			})
		}, "Rollback hooks failed, the last with: /3308: 5.00 Internal Server Error: broken"},
		{"Validate acts", func(t *testing.T) dm.Object {
			v := &valve{}
			return newSetPoint(t, v, func(h *setpoint.Hooks) {
				h.Validate, h.Commit, h.Rollback = h.Commit, func(context.Context, *setpoint.Tx) error { return nil }, nil
			})
		}, "not everything is as before"},
		{"Commit never succeeds", free(func(c *dm.ObjectConfig[every]) {
			c.Hooks.Commit = func(_ context.Context, tx *dm.Tx[every]) error {
				if tx.Origin() == dm.Application {
					return nil
				}
				return broken
			}
		}, nil), "no value that the definition allows can be written"},
		{"Validate changes what is written", free(func(c *dm.ObjectConfig[every]) {
			c.Hooks.Validate = func(_ context.Context, tx *dm.Tx[every]) error {
				for c := range tx.Changes() {
					c.New.Text.Set("amended"[:5])
				}
				return nil
			}
		}, nil), "/33001/0/4 (Text): written was the String"},
		{"a result that is different each time", func() func(*testing.T) dm.Object {
			n := int64(0)
			return free(func(c *dm.ObjectConfig[every]) {
				c.Hooks.Validate = func(_ context.Context, tx *dm.Tx[every]) error {
					for c := range tx.Changes() {
						n++
						c.New.ReadOnly.Set(n)
					}
					return nil
				}
			}, nil)
		}(), "writing the same values again gives something else: /33001/0/13 was"},
		{"a function that fails", free(nil, func(e *every) {
			e.ReadOnly = dm.Func(func(context.Context) (int64, error) { return 0, broken })
		}), "/33001/0/13 (Read Only): reading it fails"},
		{"two resources share a cell", func(t *testing.T) dm.Object {
			return newEvery(t, func(e *every, id dm.ResourceID) dm.Cell {
				if id == 14 {
					id = 13
				}
				return e.cell(id)
			}, fullEvery(), dm.ObjectConfig[every]{})
		}, "/33001/0/13 follows whatever is written to /33001/0/14"},
		{"a value outside of the instance", func(t *testing.T) dm.Object {
			outside := dm.Int(1)
			return newEvery(t, (*shared).cell, shared{fullEvery(), &outside}, dm.ObjectConfig[shared]{})
		}, "before the transaction is published this can be seen: /33001/0/14 was"},
		{"a definition with faults", func(t *testing.T) dm.Object {
			def := everyDefinition()
			def.Resources[3].Range = registry.Between(0, 1) // of a Boolean
			o, err := dm.NewObject(&def, (*every).cell, dm.ObjectConfig[every]{})
			o = made(t, o, err)
			add(t, o, 0, fullEvery())
			return o
		}, "the definition is wrong"},
		{"no instance, and none can be made", func(t *testing.T) dm.Object {
			def := everyDefinition()
			o, err := dm.NewObject(&def, (*every).cell, dm.ObjectConfig[every]{})
			return made(t, o, err)
		}, "Every has no instance, and the bootstrap server cannot make one"},
		{"part of a Model", func(t *testing.T) dm.Object {
			o := newEvery(t, (*every).cell, fullEvery(), dm.ObjectConfig[every]{})
			if _, err := dm.NewModel(dm.ModelConfig{}, o); err != nil {
				t.Fatal(err)
			}
			return o
		}, "part of a model already"},
		{"no object", func(*testing.T) dm.Object { return nil }, "the object cannot be part of a Model"},
		{"a stream that does not open", free(nil, func(e *every) {
			e.Opaque = dm.SinkFunc(func(context.Context) (dm.Sink, error) { return nil, broken })
		}), "/33001/0/5 (Opaque): an upload cannot start"},
		{"an instance that a server makes cannot be read", free(func(c *dm.ObjectConfig[every]) {
			c.Template = every{ReadOnly: dm.Func(func(context.Context) (int64, error) { return 0, broken })}
		}, nil), "an instance that a server makes cannot be read"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := judge(test.make(t)); !strings.Contains(got, test.want) {
				t.Errorf("the kit reports\n%s\nwant\n%s", got, test.want)
			}
		})
	}
}

// Hooks may refuse values, together or alone.
func TestHooksMayRefuse(t *testing.T) {
	for name, refuse := range map[string]func(c dm.Change[every]) bool{
		"two of a kind":      func(c dm.Change[every]) bool { return c.Wrote(0) && c.Wrote(1) },
		"some values":        func(c dm.Change[every]) bool { return c.New.Integer.Or(0) < 0 },
		"what is half":       func(c dm.Change[every]) bool { return c.New.Float.Or(0) > 1 && !c.Wrote(3) },
		"deleting instances": func(dm.Change[every]) bool { return false },
		"making instances":   func(c dm.Change[every]) bool { return c.Created && c.Wrote(0) },
	} {
		o := newEvery(t, (*every).cell, fullEvery(), dm.ObjectConfig[every]{Template: fullEvery(), Hooks: dm.Hooks[every]{
			Validate: func(_ context.Context, tx *dm.Tx[every]) error {
				if tx.Origin() == dm.Application {
					return nil
				}
				for c := range tx.Changes() {
					if refuse(c) {
						return dm.Errorf(dm.BadRequest, "refused")
					}
				}
				return nil
			},
			Delete: func(context.Context, dm.InstanceID) error {
				if name == "deleting instances" {
					return dm.Forbidden
				}
				return nil
			},
		}})
		if got := judge(o); got != "" {
			t.Errorf("%s: the kit reports\n%s", name, got)
		}
	}
}

func TestExcept(t *testing.T) {
	o := newEvery(t, (*every).cell, fullEvery(), dm.ObjectConfig[every]{Hooks: dm.Hooks[every]{Validate: func(_ context.Context, tx *dm.Tx[every]) error {
		for c := range tx.Changes() {
			c.New.Text.Set("fixed")
		}
		return nil
	}}})
	if got := judge(o, dmtest.Except(4)); got != "" {
		t.Errorf("the kit reports\n%s", got)
	}
	if inst, _ := o.Get(0); inst.Text.Or("") != "fixed" {
		t.Errorf("the text is %v", inst.Text)
	}
}
