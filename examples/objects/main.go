// Objects shows typed objects and their transactions without a network: a live sensor, a set point
// whose writes move fake hardware, a write that is refused and changes nothing, and a write that
// fails in the hardware and is undone. docs/objects.md explains it.
//
//	go run ./examples/objects
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/lwm2mgen/toolkit/generated/setpoint"
	"github.com/lwm2mgen/toolkit/generated/temperature"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

func main() {
	if err := run(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "objects:", err)
		os.Exit(1)
	}
}

// boiler is the fake hardware: its valve follows the set point, and the water follows the valve.
type boiler struct {
	goal    float64
	jammed  bool
	history []float64
}

func (b *boiler) celsius(context.Context) (float64, error) { return b.goal - 0.5, nil }

func (b *boiler) move(goal float64) error {
	if b.jammed {
		return errors.New("the valve is jammed")
	}
	b.history = append(b.history, b.goal)
	b.goal = goal
	return nil
}

// back undoes the last move.
func (b *boiler) back() {
	if n := len(b.history); n > 0 {
		b.goal, b.history = b.history[n-1], b.history[:n-1]
	}
}

// newSetPoint returns object 3308 with hooks: Validate checks the change, Commit moves the valve,
// and Rollback moves it back when a later step of the same transaction fails.
func newSetPoint(b *boiler, out io.Writer) (*setpoint.Object, error) {
	moved := 0
	return setpoint.New(setpoint.Config{Hooks: setpoint.Hooks{
		Begin: func(context.Context, *setpoint.Tx) error { moved = 0; return nil },
		Validate: func(_ context.Context, tx *setpoint.Tx) error {
			for c := range tx.Changes() {
				unit := c.New.SensorUnits.Or("Cel")
				if goal := c.New.SetPointValue.Or(0); unit == "Cel" && goal > 90 {
					return dm.Errorf(dm.BadRequest, "%g %s is above the boiler's limit of 90", goal, unit)
				}
			}
			return nil
		},
		Commit: func(_ context.Context, tx *setpoint.Tx) error {
			for c := range tx.Changes() {
				goal, ok := c.New.SetPointValue.Get()
				if !ok {
					continue
				}
				if err := b.move(goal); err != nil {
					return err
				}
				moved++
			}
			return nil
		},
		Rollback: func(context.Context, *setpoint.Tx) error {
			for ; moved > 0; moved-- {
				b.back()
			}
			return nil
		},
		Changed: func(_ context.Context, tx *setpoint.Tx) {
			for c := range tx.Changes() {
				fmt.Fprintf(out, "  published, by %v: set point %v\n", tx.Origin(), c.New.SetPointValue)
			}
		},
	}})
}

func run(out io.Writer) error {
	ctx := context.Background()
	b := &boiler{goal: 21}
	water, goals, err := objects(out, b)
	if err != nil {
		return err
	}
	model, err := dm.NewModel(dm.ModelConfig{}, water, goals)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "What a server reads:")
	if err := show(ctx, out, model, temperature.ObjectID, setpoint.ObjectID); err != nil {
		return err
	}
	state := func() {
		t, _ := water.Get(0)
		g, _ := goals.Get(0)
		fmt.Fprintf(out, "  the set point is %v, the application type %v, the valve is at %g\n", g.SetPointValue, t.ApplicationType, b.goal)
	}
	if err := writes(ctx, out, model, b, state); err != nil {
		return err
	}
	fmt.Fprintln(out, "The application changes its own object in the same way:")
	err = goals.Update(ctx, 0, func(i *setpoint.Instance) error {
		i.SetPointValue.Set(55)
		return nil
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "The valve is at %g, and a server reads:\n", b.goal)
	return show(ctx, out, model, temperature.ObjectID, setpoint.ObjectID)
}

// objects returns the objects of the device: the water's temperature and its set point.
func objects(out io.Writer, b *boiler) (*temperature.Object, *setpoint.Object, error) {
	water, err := temperature.New(temperature.Config{})
	if err != nil {
		return nil, nil, err
	}
	fmt.Fprintln(out, "A missing mandatory resource is an error that names it:")
	fmt.Fprintln(out, " ", water.Add(0, temperature.Instance{SensorUnits: dm.Str("Cel")}))

	err = water.Add(0, temperature.Instance{
		SensorValue:     dm.Func(b.celsius), // live
		SensorUnits:     dm.Str("Cel"),      // stored
		ApplicationType: dm.Empty[string](), // no value yet; a server may write one
	})
	if err != nil {
		return nil, nil, err
	}
	goals, err := newSetPoint(b, out)
	if err != nil {
		return nil, nil, err
	}
	err = goals.Add(0, setpoint.Instance{SetPointValue: dm.Float(21), SensorUnits: dm.Str("Cel")})
	return water, goals, err
}

// writes writes to both objects at once, as a server: a write that Validate refuses, one that moves
// the valve, and one that the valve refuses. After each it calls state, which prints the result.
func writes(ctx context.Context, out io.Writer, model *dm.Model, b *boiler, state func()) error {
	goal := dm.ResourcePath(setpoint.ObjectID, 0, setpoint.SetPointValueID)
	use := dm.ResourcePath(temperature.ObjectID, 0, temperature.ApplicationTypeID)
	write := func(value float64, label string) error { // as a Write-Composite
		tx, err := model.Begin(ctx, dm.Server(101))
		if err != nil {
			return err
		}
		defer tx.Rollback()
		err = tx.Write(dm.Path{}, dm.Update, []dm.Entry{
			{Path: use, Value: dm.StringValue(label)},
			{Path: goal, Value: dm.FloatValue(value)},
		})
		if err != nil {
			return err
		}
		return tx.Commit()
	}
	fmt.Fprintln(out, "A write to two objects, which one of them refuses, changes neither:")
	err := write(95, "shower")
	fmt.Fprintf(out, "  %v: %v\n", dm.CodeOf(err), err)
	state()
	fmt.Fprintln(out, "A write that moves the valve:")
	if err := write(60, "bath"); err != nil {
		return err
	}
	state()
	fmt.Fprintln(out, "A write that the valve refuses:")
	b.jammed = true
	err = write(40, "sink")
	fmt.Fprintf(out, "  %v: %v\n", dm.CodeOf(err), err)
	state()
	b.jammed = false
	return nil
}

// show prints what server 101 reads from some objects.
func show(ctx context.Context, out io.Writer, m *dm.Model, objects ...dm.ObjectID) error {
	snapshot := m.Snapshot() // all reads see the same state
	for _, o := range objects {
		err := snapshot.Read(ctx, dm.Server(101), dm.ObjectPath(o), func(p dm.Path, v dm.Value) error {
			fmt.Fprintf(out, "  %-14v %v\n", p, v)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
