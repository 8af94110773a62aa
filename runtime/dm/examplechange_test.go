package dm_test

import (
	"context"
	"fmt"

	"github.com/lwm2mgen/toolkit/generated/onoffswitch"
	"github.com/lwm2mgen/toolkit/generated/setpoint"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// A server replaces an instance. Its payload names the set point and leaves out the colour, which
// is empty then.
func ExampleChange_Affects() {
	colour := "red"
	goal := must(setpoint.New(setpoint.Config{Hooks: setpoint.Hooks{
		Commit: func(_ context.Context, tx *setpoint.Tx) error {
			for c := range tx.Changes() {
				if c.Affects(setpoint.ColourID) { // written or emptied
					colour = c.New.Colour.Or("white")
				}
				for p := range c.Written() {
					fmt.Println("written:", p)
				}
				for p := range c.Emptied() {
					fmt.Println("emptied:", p)
				}
			}
			return nil
		},
	}}))
	check(goal.Add(0, setpoint.Instance{SetPointValue: dm.Float(21), Colour: dm.Str(colour)}))
	model := must(dm.NewModel(dm.ModelConfig{}, goal))

	tx := must(model.Begin(context.Background(), dm.Server(101)))
	defer tx.Rollback()
	check(tx.Write(dm.InstancePath(setpoint.ObjectID, 0), dm.Replace, []dm.Entry{
		{Path: dm.ResourcePath(setpoint.ObjectID, 0, setpoint.SetPointValueID), Value: dm.FloatValue(60)},
	}))
	check(tx.Commit())
	fmt.Println(colour)
	// Output:
	// written: /3308/0/5900
	// emptied: /3308/0/5706
	// white
}

// A Changed hook updates another object: it counts the changes of the set point, of which adding
// the instance is the first.
func ExampleHooks_changed() {
	counter := must(onoffswitch.New(onoffswitch.Config{}))
	check(counter.Add(0, onoffswitch.Instance{DigitalInputState: dm.Bool(false), DigitalInputCounter: dm.Int(0)}))
	goals := must(setpoint.New(setpoint.Config{Hooks: setpoint.Hooks{
		Changed: func(ctx context.Context, tx *setpoint.Tx) {
			err := counter.Update(ctx, 0, func(i *onoffswitch.Instance) error {
				i.DigitalInputCounter.Set(i.DigitalInputCounter.Or(0) + 1)
				return nil
			})
			if err != nil {
				fmt.Println(err)
			}
		},
	}}))
	check(goals.Add(0, setpoint.Instance{SetPointValue: dm.Float(21)}))
	must(dm.NewModel(dm.ModelConfig{}, counter, goals))

	for _, goal := range []float64{30, 40} {
		check(goals.Update(context.Background(), 0, func(i *setpoint.Instance) error {
			i.SetPointValue.Set(goal)
			return nil
		}))
	}
	now, _ := counter.Get(0)
	fmt.Println("changes:", now.DigitalInputCounter)
	// Output:
	// changes: 3
}
