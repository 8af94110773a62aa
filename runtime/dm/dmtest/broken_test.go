package dmtest_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/lwm2mgen/toolkit/generated/setpoint"
	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// shared keeps one of its values outside of the instance, where no transaction can copy them.
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
		}, "Rollback hooks failed, the last with: /3308: broken"},
		{"Validate has an effect", func(t *testing.T) dm.Object {
			v := &valve{}
			return newSetPoint(t, v, func(h *setpoint.Hooks) {
				h.Validate, h.Commit, h.Rollback = h.Commit,
					func(context.Context, *setpoint.Tx) error { return nil }, nil
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
		}, "before the transaction is published a read shows: /33001/0/14 was"},
		{"a definition with faults", func(t *testing.T) dm.Object {
			def := everyDefinition()
			def.Resources[3].Range = registry.Between(0, 1) // of a Boolean
			o, err := dm.NewObject(&def, (*every).cell, dm.ObjectConfig[every]{})
			o = must(t, o, err)
			add(t, o, 0, fullEvery())
			return o
		}, "the definition has a fault"},
		{"no instance, and none can be created", func(t *testing.T) dm.Object {
			def := everyDefinition()
			o, err := dm.NewObject(&def, (*every).cell, dm.ObjectConfig[every]{})
			return must(t, o, err)
		}, "Every has no instance, and the bootstrap server cannot make one"},
		{"part of a Model", func(t *testing.T) dm.Object {
			o := newEvery(t, (*every).cell, fullEvery(), dm.ObjectConfig[every]{})
			if _, err := dm.NewModel(dm.ModelConfig{}, o); err != nil {
				t.Fatal(err)
			}
			return o
		}, "already part of a model"},
		{"no object", func(*testing.T) dm.Object { return nil }, "the object cannot be part of a Model"},
		{"a stream that does not open", free(nil, func(e *every) {
			e.Opaque = dm.SinkFunc(func(context.Context) (dm.Sink, error) { return nil, broken })
		}), "/33001/0/5 (Opaque): an upload cannot start"},
		{"an instance that a server creates cannot be read", free(func(c *dm.ObjectConfig[every]) {
			c.Template = every{ReadOnly: dm.Func(func(context.Context) (int64, error) { return 0, broken })}
		}, nil), "an instance that a server creates cannot be read"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := reports(test.make(t)); !strings.Contains(got, test.want) {
				t.Errorf("the kit reports\n%s\nwant\n%s", got, test.want)
			}
		})
	}
}
