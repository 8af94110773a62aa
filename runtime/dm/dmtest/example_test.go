package dmtest_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/lwm2mgen/toolkit/generated/setpoint"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/dm/dmtest"
)

// first is a testing.TB that prints the first error. Your test passes its t to Object.
type first struct {
	testing.TB
	printed bool
}

func (f *first) Helper() {}

func (f *first) Errorf(format string, args ...any) {
	if !f.printed {
		fmt.Printf(format+"\n", args...)
	}
	f.printed = true
}

// A set point whose Commit hook turns a valve, and whose Rollback hook was forgotten.
func ExampleObject() {
	position := 21.0
	goal, err := setpoint.New(setpoint.Config{Hooks: setpoint.Hooks{
		Commit: func(_ context.Context, tx *setpoint.Tx) error {
			for c := range tx.Changes() {
				position = c.New.SetPointValue.Or(position)
			}
			return nil
		},
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	err = goal.Add(0, setpoint.Instance{
		SetPointValue: dm.Func(func(context.Context) (float64, error) { return position, nil }),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	dmtest.Object(&first{}, goal)
	// Output:
	// after a failure of the step "Commit after" not everything is as before: /3308/0/5900 (live) was "21.5" and is "0" (a Rollback hook must undo what Begin and Commit did)
}
