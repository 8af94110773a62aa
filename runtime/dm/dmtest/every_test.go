package dmtest_test

import (
	"context"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/dm/dmtest"
)

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
	Choice   dm.Res[string]
}

func (e *every) cell(id dm.ResourceID) dm.Cell {
	cells := []dm.Cell{
		&e.Integer, &e.Unsigned, &e.Float, &e.Boolean, &e.Text, &e.Opaque, &e.Time, &e.Link, &e.Core, &e.Secret,
		&e.Password, &e.Many, &e.Run, &e.ReadOnly, &e.WriteOne, &e.Choice,
	}
	if int(id) < len(cells) {
		return cells[id]
	}
	return nil
}

func everyDefinition() registry.Object {
	return registry.Object{ID: 33001, Name: "Every", Multiple: true, Resources: []registry.Resource{
		{ID: 0, Name: "Integer", Ops: registry.RW, Type: registry.Integer,
			Range: registry.Range{{Min: -10, Max: -5}, {Min: 5, Max: 10}}},
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
		{ID: 15, Name: "Choice", Ops: registry.RW, Type: registry.String, Strings: registry.StringSet{"auto", "", "aus"}},
	}}
}

func fullEvery() every {
	return every{
		dm.Int(5), dm.Uint(0), dm.Float(1), dm.Bool(false), dm.Str("ab"), dm.Bytes(nil), dm.Time(time.Unix(1, 0)),
		dm.Link(dm.NullLink), dm.Core(""), dm.Key(nil), dm.Password(""),
		dm.List("x"), func(context.Context, dm.Args) error { return nil }, dm.Int(1), dm.Int(2),
		dm.Str("auto"),
	}
}

func newEvery[T any](t *testing.T, cell func(*T, dm.ResourceID) dm.Cell, inst T,
	c dm.ObjectConfig[T]) *dm.TypedObject[T] {
	t.Helper()
	def := everyDefinition()
	o, err := dm.NewObject(&def, cell, c)
	o = must(t, o, err)
	add(t, o, 0, inst)
	return o
}

func TestEveryKindOfResource(t *testing.T) {
	dmtest.Object(t, newEvery(t, (*every).cell, fullEvery(), dm.ObjectConfig[every]{Template: fullEvery()}))
	dmtest.Object(t, newEvery(t, (*every).cell, every{}, dm.ObjectConfig[every]{}))
	// The lowest and the highest object ID leave room for one witness only.
	for _, id := range []uint16{0, 65534} {
		def := everyDefinition()
		def.ID = id
		o, err := dm.NewObject(&def, (*every).cell, dm.ObjectConfig[every]{})
		o = must(t, o, err)
		add(t, o, 0, fullEvery())
		dmtest.Object(t, o)
	}
}
