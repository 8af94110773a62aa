package dm_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lwm2mgen/toolkit/generated/setpoint"
	"github.com/lwm2mgen/toolkit/generated/temperature"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// check panics if an example fails.
func check(err error) {
	if err != nil {
		panic(err)
	}
}

func must[T any](v T, err error) T {
	check(err)
	return v
}

// An object with a live and a stored value, and a server that reads it.
func Example() {
	temp := must(temperature.New(temperature.Config{}))
	check(temp.Add(0, temperature.Instance{
		SensorValue: dm.Func(func(context.Context) (float64, error) { return 21.5, nil }),
		SensorUnits: dm.Str("Cel"),
	}))
	model := must(dm.NewModel(dm.ModelConfig{}, temp))

	check(model.Snapshot().Read(context.Background(), dm.Server(101), dm.ObjectPath(temperature.ObjectID),
		func(p dm.Path, v dm.Value) error {
			fmt.Println(p, v)
			return nil
		}))
	// Output:
	// /3303/0/5700 21.5
	// /3303/0/5701 Cel
}

// One error names all mandatory resources that are missing.
func ExampleTypedObject_Add() {
	goal := must(setpoint.New(setpoint.Config{}))
	err := goal.Add(0, setpoint.Instance{ApplicationType: dm.Str("boiler")})
	fmt.Println(err)
	fmt.Println(errors.Is(err, dm.BadRequest))
	// Output:
	// /3308/0: mandatory resources are missing: Set Point Value (5900)
	// true
}

// The application changes its own object. Subscribers are called, so observing servers are
// notified.
func ExampleTypedObject_Update() {
	goal := must(setpoint.New(setpoint.Config{}))
	check(goal.Add(0, setpoint.Instance{SetPointValue: dm.Float(21)}))
	model := must(dm.NewModel(dm.ModelConfig{}, goal))
	stop := model.Subscribe(func(b dm.Batch) { fmt.Println(b.Origin, b.Events) })
	defer stop()

	check(goal.Update(context.Background(), 0, func(i *setpoint.Instance) error {
		i.SetPointValue.Set(22)
		i.ApplicationType.Set("boiler")
		return nil
	}))
	now, _ := goal.Get(0)
	fmt.Println(now.SetPointValue, now.ApplicationType, now.Colour)
	// Output:
	// application [{/3308/0/5750 changed} {/3308/0/5900 changed}]
	// 22 boiler <unsupported>
}

// A valve behind a set point: Validate checks what a server writes, Commit applies it, and the
// resource stays live.
func ExampleHooks() {
	valve := 21.0
	goal := must(setpoint.New(setpoint.Config{Hooks: setpoint.Hooks{
		Validate: func(_ context.Context, tx *setpoint.Tx) error {
			for c := range tx.Changes() {
				if v, ok := c.New.SetPointValue.Get(); ok && v > 90 {
					return dm.Errorf(dm.BadRequest, "%v is above the limit of 90", v)
				}
			}
			return nil
		},
		Commit: func(_ context.Context, tx *setpoint.Tx) error {
			for c := range tx.Changes() {
				if v, ok := c.New.SetPointValue.Get(); ok {
					fmt.Printf("the valve moves from %v to %v\n", valve, v)
					valve = v
				}
			}
			return nil
		},
	}}))
	check(goal.Add(0, setpoint.Instance{
		SetPointValue: dm.Func(func(context.Context) (float64, error) { return valve, nil }),
	}))
	model := must(dm.NewModel(dm.ModelConfig{}, goal))

	value := dm.ResourcePath(setpoint.ObjectID, 0, setpoint.SetPointValueID)
	for _, v := range []float64{60, 95} {
		tx := must(model.Begin(context.Background(), dm.Server(101)))
		err := tx.Write(value, dm.Replace, []dm.Entry{{Path: value, Value: dm.FloatValue(v)}})
		if err == nil {
			err = tx.Commit()
		}
		tx.Rollback() // does nothing after Commit
		fmt.Println(v, err)
	}
	fmt.Println(model.Snapshot().Value(context.Background(), dm.Server(101), value))
	// Output:
	// the valve moves from 21 to 60
	// 60 <nil>
	// 95 /3308: 95 is above the limit of 90
	// 60 <nil>
}

// With a template, servers can create instances.
func ExampleObjectConfig() {
	config := temperature.Config{
		Template: temperature.Instance{
			SensorValue:     dm.Float(0),
			ApplicationType: dm.Empty[string](),
		},
		MaxInstances: 4,
	}
	temp := must(temperature.New(config))
	model := must(dm.NewModel(dm.ModelConfig{}, temp))

	tx := must(model.Begin(context.Background(), dm.Server(101)))
	defer tx.Rollback()
	use := dm.ResourcePath(temperature.ObjectID, 7, temperature.ApplicationTypeID)
	check(tx.Create(temperature.ObjectID, []dm.InstanceID{7}, []dm.Entry{{Path: use, Value: dm.StringValue("fridge")}}))
	check(tx.Commit())
	for id, inst := range temp.All() {
		fmt.Println(id, inst.SensorValue, inst.ApplicationType, inst.SensorUnits)
	}
	// Output:
	// 7 0 fridge <unsupported>
}

// Several objects change together or not at all.
func ExampleTransaction() {
	a, b := must(setpoint.New(setpoint.Config{})), must(temperature.New(temperature.Config{}))
	check(a.Add(0, setpoint.Instance{SetPointValue: dm.Float(21)}))
	check(b.Add(0, temperature.Instance{SensorValue: dm.Float(20), ApplicationType: dm.Str("old")}))
	model := must(dm.NewModel(dm.ModelConfig{
		Persist: func(_ context.Context, c dm.Committed) error {
			fmt.Println("to the store:", c.Events)
			return errors.New("the flash is full")
		},
	}, a, b))

	tx := must(model.Begin(context.Background(), dm.Server(101)))
	defer tx.Rollback()
	check(tx.Write(dm.Path{}, dm.Update, []dm.Entry{
		{Path: must(dm.ParsePath("/3308/0/5900")), Value: dm.FloatValue(30)},
		{Path: must(dm.ParsePath("/3303/0/5750")), Value: dm.StringValue("new")},
	}))
	fmt.Println(tx.Commit())
	goal, _ := a.Get(0)
	temp, _ := b.Get(0)
	fmt.Println(goal.SetPointValue, temp.ApplicationType)
	// Output:
	// to the store: [{/3303/0/5750 changed} {/3308/0/5900 changed}]
	// the flash is full
	// 21 old
}

// A sensor that has no value at the moment.
func ExampleFunc() {
	temp := must(temperature.New(temperature.Config{}))
	check(temp.Add(0, temperature.Instance{
		SensorValue: dm.Func(func(context.Context) (float64, error) { return 0, dm.ErrNoValue }),
		SensorUnits: dm.Str("Cel"),
	}))
	s := must(dm.NewModel(dm.ModelConfig{}, temp)).Snapshot()
	ctx, server := context.Background(), dm.Server(101)

	check(s.Read(ctx, server, dm.InstancePath(temperature.ObjectID, 0), func(p dm.Path, v dm.Value) error {
		fmt.Println(p, v) // the rest of the instance
		return nil
	}))
	_, err := s.Value(ctx, server, dm.ResourcePath(temperature.ObjectID, 0, temperature.SensorValueID))
	fmt.Println(err)
	// Output:
	// /3303/0/5701 Cel
	// /3303/0/5700: no value at the moment
}

func ExampleMulti() {
	m := dm.List("a", "b")
	before := m // copies the Multi
	m.Set(7, "h")
	m.Delete(0)
	fmt.Println(before, m)
	for id, v := range m.All() {
		fmt.Println(id, v)
	}
	// Output:
	// [0:a 1:b] [1:b 7:h]
	// 1 b
	// 7 h
}

func ExampleSecret() {
	key := dm.NewSecret([]byte("hunter2"))
	fmt.Printf("%v %+v %s %x\n", key, struct{ Key dm.Secret }{key}, key, key)
	fmt.Println(string(key.Reveal()))
	// Output:
	// [redacted] {Key:[redacted]} [redacted] [redacted]
	// hunter2
}

func ExampleParsePath() {
	p, err := dm.ParsePath("/3303/0/5700")
	fmt.Println(p.Object(), p.Instance(), p.Resource(), err)
	_, err = dm.ParsePath("/3303/65535")
	fmt.Println(err)
	fmt.Println(dm.ObjectPath(3303).Contains(p), p.Up(dm.InstanceLevel))
	// Output:
	// 3303 0 5700 <nil>
	// path "/3303/65535": each ID must be a decimal number 0..65534 without leading zeros
	// true /3303/0
}

func ExampleParseArgs() {
	args, err := dm.ParseArgs("0='10',2")
	if err != nil {
		fmt.Println(err)
	}
	for n, v := range args.All() {
		fmt.Printf("%d %q\n", n, v)
	}
	// Output:
	// 0 "10"
	// 2 ""
}

// Observers are not told of a difference below half a degree.
func ExampleDeadBand() {
	temp := must(temperature.New(temperature.Config{}))
	check(temp.Add(0, temperature.Instance{
		SensorValue: dm.Func(func(context.Context) (float64, error) { return 21.5, nil }, dm.DeadBand(0.5)),
	}))
}

// The value is sent with others, and when pmax has passed. It does not cause a notification.
func ExampleQuiet() {
	temp := must(temperature.New(temperature.Config{}))
	check(temp.Add(0, temperature.Instance{
		SensorValue:      dm.Float(21.5),
		MaxMeasuredValue: dm.Func(func(context.Context) (float64, error) { return 40, nil }, dm.Quiet()),
	}))
}

// The function costs energy, so that observations call it once a minute and no more.
func ExampleSampleEvery() {
	temp := must(temperature.New(temperature.Config{}))
	check(temp.Add(0, temperature.Instance{
		SensorValue: dm.Slow(func(context.Context) (float64, error) { return 21.5, nil }, dm.SampleEvery(time.Minute)),
	}))
}
