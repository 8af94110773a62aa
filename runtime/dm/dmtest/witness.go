package dmtest

import (
	"context"
	"fmt"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// witness is an instance of the objects that come before and after the tested one in every
// transaction, and that fail where the kit says so.
type witness struct{ Number dm.Res[int64] }

func (w *witness) cell(id dm.ResourceID) dm.Cell {
	if id == 0 {
		return &w.Number
	}
	return nil
}

// faults says where the next transaction fails, and observes the Model from inside of it.
type faults struct {
	at   string // such as "Validate after"; "" means nowhere
	hits int    // how often the step was reached
	spy  func() // called by every hook of the witnesses and by the store
}

// errInjected is the error of an injected failure.
var errInjected = dm.Errorf(dm.Conflict, "dmtest makes this step fail")

func (f *faults) step(name string) error {
	if f.spy != nil {
		f.spy()
	}
	if f.at != name {
		return nil
	}
	f.hits++
	return errInjected
}

// newWitness returns an object with the given ID whose hooks are steps such as "Begin before".
func (f *faults) newWitness(id dm.ObjectID, where string) (*dm.TypedObject[witness], error) {
	hook := func(name string) func(context.Context, *dm.Tx[witness]) error {
		return func(context.Context, *dm.Tx[witness]) error { return f.step(name + " " + where) }
	}
	def := registry.Object{
		ID: uint16(id), Name: fmt.Sprintf("Witness %s", where),
		Resources: []registry.Resource{{ID: 0, Name: "Number", Ops: registry.RW, Type: registry.Integer,
			Mandatory: true}},
	}
	o, err := dm.NewObject(&def, (*witness).cell, dm.ObjectConfig[witness]{
		Hooks: dm.Hooks[witness]{Begin: hook("Begin"), Validate: hook("Validate"), Commit: hook("Commit")},
	})
	if err != nil {
		return nil, err
	}
	return o, o.Add(0, witness{Number: dm.Int(0)})
}
