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
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/dm/dmtest"
)

// report is a testing.TB that keeps the reported errors.
type report struct {
	testing.TB
	errors []string
}

func (r *report) Helper() {}

func (r *report) Errorf(format string, args ...any) {
	r.errors = append(r.errors, fmt.Sprintf(format, args...))
}

// reports runs the kit and returns its errors.
func reports(obj dm.Object, options ...dmtest.Option) string {
	r := &report{}
	dmtest.Object(r, obj, options...)
	return strings.Join(r.errors, "\n")
}

// must returns a new object.
func must[T any](t *testing.T, o *dm.TypedObject[T], err error) *dm.TypedObject[T] {
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

// valve is hardware that can be set and reset.
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
	o = must(t, o, err)
	add(t, o, 0, setpoint.Instance{SetPointValue: dm.Func(v.read), ApplicationType: dm.Str("boiler"),
		Colour: dm.Empty[string]()})
	return o
}

func TestGoodObjects(t *testing.T) {
	temp, err := temperature.New(temperature.Config{Template: temperature.Instance{SensorValue: dm.Float(0),
		ApplicationType: dm.Empty[string]()}})
	temp = must(t, temp, err)
	add(t, temp, 3, temperature.Instance{SensorValue: dm.Func(func(context.Context) (float64, error) { return 21.5, nil }), SensorUnits: dm.Str("Cel"), ApplicationType: dm.Str("a")})
	add(t, temp, 65534, temperature.Instance{SensorValue: dm.Float(3), MeasurementQualityLevel: dm.Int(5),
		Timestamp: dm.Time(time.Unix(5, 0))})
	dmtest.Object(t, temp)
	if temp.Len() != 2 {
		t.Errorf("there are %d instances", temp.Len())
	}
	dmtest.Object(t, temp) // an object can be tested again

	v := &valve{position: 21}
	dmtest.Object(t, newSetPoint(t, v, nil))
	if v.moves == 0 {
		t.Error("the hardware was not used")
	}

	none, err := temperature.New(temperature.Config{Template: temperature.Instance{SensorValue: dm.Float(0)}})
	dmtest.Object(t, must(t, none, err)) // the kit creates an instance from the template

	sec, err := security.New(security.Config{Template: security.Instance{ServerURI: dm.Empty[string]()}})
	dmtest.Object(t, must(t, sec, err))

	srv, err := server.New(server.Config{Template: server.Instance{
		Lifetime:                  dm.Int(60),
		RegistrationUpdateTrigger: func(context.Context, dm.Args) error { return errors.New("not in a test") },
	}})
	dmtest.Object(t, must(t, srv, err))

	acl, err := accesscontrol.New(accesscontrol.Config{Template: accesscontrol.Instance{ACL: dm.Ints(1)}})
	dmtest.Object(t, must(t, acl, err))

	dev, err := device.New(device.Config{})
	dev = must(t, dev, err)
	add(t, dev, 0, device.Instance{
		Manufacturer: dm.Str("m"), Reboot: func(context.Context, dm.Args) error { t.Error("the kit executes"); return nil }, ErrorCode: dm.Ints(0),
		SupportedBindingAndModes: dm.Str("U"), CurrentTime: dm.Time(time.Unix(0, 0)), UTCOffset: dm.Str("Z"),
		AvailablePowerSources: dm.Ints(1, 5),
	})
	dmtest.Object(t, dev)

	fw, err := firmwareupdate.New(firmwareupdate.Config{})
	fw = must(t, fw, err)
	opened, aborted := 0, 0
	add(t, fw, 0, firmwareupdate.Instance{
		Package: dm.SinkFunc(func(context.Context) (dm.Sink, error) { opened++; return sink{&aborted}, nil }),
		Update:  func(context.Context, dm.Args) error { return nil }, State: dm.Int(0), UpdateResult: dm.Int(0),
		PackageURI:                   dm.Str(""),
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

// Hooks may refuse single values and combinations of values.
func TestHooksMayRefuse(t *testing.T) {
	for name, refuse := range map[string]func(c dm.Change[every]) bool{
		"two resources together":  func(c dm.Change[every]) bool { return c.Wrote(0) && c.Wrote(1) },
		"some values":             func(c dm.Change[every]) bool { return c.New.Integer.Or(0) < 0 },
		"a value without another": func(c dm.Change[every]) bool { return c.New.Float.Or(0) > 1 && !c.Wrote(3) },
		"deleting instances":      func(dm.Change[every]) bool { return false },
		"creating instances":      func(c dm.Change[every]) bool { return c.Created && c.Wrote(0) },
	} {
		o := newEvery(t, (*every).cell, fullEvery(),
			dm.ObjectConfig[every]{Template: fullEvery(), Hooks: dm.Hooks[every]{
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
		if got := reports(o); got != "" {
			t.Errorf("%s: the kit reports\n%s", name, got)
		}
	}
}

func TestExcept(t *testing.T) {
	o := newEvery(t, (*every).cell, fullEvery(),
		dm.ObjectConfig[every]{Hooks: dm.Hooks[every]{Validate: func(_ context.Context, tx *dm.Tx[every]) error {
			for c := range tx.Changes() {
				c.New.Text.Set("fixed")
			}
			return nil
		}}})
	if got := reports(o, dmtest.Except(4)); got != "" {
		t.Errorf("the kit reports\n%s", got)
	}
	if inst, _ := o.Get(0); inst.Text.Or("") != "fixed" {
		t.Errorf("the text is %v", inst.Text)
	}
}
