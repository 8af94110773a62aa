package dm_test

import (
	"context"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// meter is an instance of the test object 33001, in the form of generated code, with every kind of
// resource.
type meter struct {
	Level  dm.Res[float64]
	Goal   dm.Res[float64]
	Label  dm.Res[string]
	Reset  dm.Exec
	Tags   dm.Multi[string]
	Counts dm.Multi[int64]
	Image  dm.Res[[]byte]
	Key    dm.Res[dm.Secret]
	Clock  dm.Res[time.Time]
	Mode   dm.Res[int64]
	Blob   dm.Res[[]byte]
	Peer   dm.Res[dm.ObjectLink]
	Big    dm.Res[uint64]
	Flag   dm.Res[bool]
	Core   dm.Res[dm.CoreLink]
}

const (
	meterID dm.ObjectID = 33001
	panelID dm.ObjectID = 33002

	levelID  dm.ResourceID = 0
	goalID   dm.ResourceID = 1
	labelID  dm.ResourceID = 2
	resetID  dm.ResourceID = 3
	tagsID   dm.ResourceID = 4
	countsID dm.ResourceID = 5
	imageID  dm.ResourceID = 6
	keyID    dm.ResourceID = 7
	clockID  dm.ResourceID = 8
	modeID   dm.ResourceID = 9
	blobID   dm.ResourceID = 10
	peerID   dm.ResourceID = 11
	bigID    dm.ResourceID = 12
	flagID   dm.ResourceID = 13
	coreID   dm.ResourceID = 14
)

func (m *meter) cell(id dm.ResourceID) dm.Cell {
	switch id {
	case levelID:
		return &m.Level
	case goalID:
		return &m.Goal
	case labelID:
		return &m.Label
	case resetID:
		return &m.Reset
	case tagsID:
		return &m.Tags
	case countsID:
		return &m.Counts
	case imageID:
		return &m.Image
	case keyID:
		return &m.Key
	case clockID:
		return &m.Clock
	case modeID:
		return &m.Mode
	case blobID:
		return &m.Blob
	case peerID:
		return &m.Peer
	case bigID:
		return &m.Big
	case flagID:
		return &m.Flag
	case coreID:
		return &m.Core
	}
	return nil
}

var meterDefinition = registry.Object{
	ID: uint16(meterID), Version: registry.V(1, 2), Name: "Meter", Multiple: true,
	Resources: []registry.Resource{
		{ID: 0, Name: "Level", Ops: registry.R, Type: registry.Float, Mandatory: true,
			Range: registry.Between(-40, 125)},
		{ID: 1, Name: "Goal", Ops: registry.RW, Type: registry.Float, Range: registry.Between(0, 100)},
		{ID: 2, Name: "Label", Ops: registry.RW, Type: registry.String, Range: registry.Between(0, 8)},
		{ID: 3, Name: "Reset", Ops: registry.E},
		{ID: 4, Name: "Tags", Ops: registry.RW, Type: registry.String, Multiple: true},
		{ID: 5, Name: "Counts", Ops: registry.R, Type: registry.Integer, Multiple: true},
		{ID: 6, Name: "Image", Ops: registry.W, Type: registry.Opaque},
		{ID: 7, Name: "Key", Type: registry.Opaque, Secret: true},
		{ID: 8, Name: "Clock", Ops: registry.RW, Type: registry.Time},
		{ID: 9, Name: "Mode", Ops: registry.RW, Type: registry.Integer, Mandatory: true,
			Range: registry.OneOf(0, 1, 5)},
		{ID: 10, Name: "Blob", Ops: registry.RW, Type: registry.Opaque, Range: registry.Between(0, 16)},
		{ID: 11, Name: "Peer", Ops: registry.RW, Type: registry.Objlnk},
		{ID: 12, Name: "Big", Ops: registry.RW, Type: registry.UnsignedInteger},
		{ID: 13, Name: "Flag", Ops: registry.RW, Type: registry.Boolean},
		{ID: 14, Name: "Core", Ops: registry.RW, Type: registry.Corelnk},
	},
}

func newMeters(t testing.TB, c dm.ObjectConfig[meter]) *dm.TypedObject[meter] {
	t.Helper()
	o, err := dm.NewObject(&meterDefinition, (*meter).cell, c)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// panel is an instance of the test object 33002, which is a single-instance object.
type panel struct {
	Brightness dm.Res[int64]
	Modes      dm.Multi[int64]
}

func (p *panel) cell(id dm.ResourceID) dm.Cell {
	switch id {
	case 0:
		return &p.Brightness
	case 1:
		return &p.Modes
	}
	return nil
}

var panelDefinition = registry.Object{
	ID: uint16(panelID), Name: "Panel",
	Resources: []registry.Resource{
		{ID: 0, Name: "Brightness", Ops: registry.RW, Type: registry.Integer, Mandatory: true},
		{ID: 1, Name: "Modes", Ops: registry.RW, Type: registry.Integer, Multiple: true, Mandatory: true},
	},
}

func newPanels(t testing.TB, c dm.ObjectConfig[panel]) *dm.TypedObject[panel] {
	t.Helper()
	o, err := dm.NewObject(&panelDefinition, (*panel).cell, c)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// fullMeter returns an instance in which every resource has a stored value or is empty.
func fullMeter() meter {
	return meter{
		Level:  dm.Float(21.5),
		Goal:   dm.Float(20),
		Label:  dm.Str("boiler"),
		Reset:  func(context.Context, dm.Args) error { return nil },
		Tags:   dm.List("a", "b"),
		Counts: dm.Map(map[dm.ResourceInstanceID]int64{3: 30, 1: 10}),
		Key:    dm.Key([]byte("k3y")),
		Clock:  dm.Time(time.Unix(1700000000, 0)),
		Mode:   dm.Int(1),
		Blob:   dm.Bytes([]byte{1, 2}),
		Peer:   dm.Link(dm.ObjectLink{Object: panelID}),
		Big:    dm.Uint(1 << 63),
		Flag:   dm.Bool(true),
		Core:   dm.Empty[dm.CoreLink](),
	}
}

func newModel(t testing.TB, cfg dm.ModelConfig, objects ...dm.Object) *dm.Model {
	t.Helper()
	m, err := dm.NewModel(cfg, objects...)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func path(t testing.TB, s string) dm.Path {
	t.Helper()
	p, err := dm.ParsePath(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// dump returns everything that a model holds, for comparisons of before and after.
func dump(t testing.TB, s dm.Snapshot) string {
	t.Helper()
	var b []byte
	for o := range s.Objects() {
		b = append(b, dm.ObjectPath(o).String()...)
		b = append(b, '\n')
		err := s.Stored(dm.ObjectPath(o), func(p dm.Path, v dm.Value) error {
			b = p.Append(b)
			b = append(b, ' ')
			b = append(b, v.Type().String()...)
			b = append(b, ' ')
			if v.IsSecret() {
				b = append(b, v.Opaque()...)
			} else {
				b = append(b, v.String()...)
			}
			b = append(b, '\n')
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return string(b)
}

// do runs one transaction by who.
func do(m *dm.Model, who dm.Origin, fn func(*dm.Transaction) error) error {
	t, err := m.Begin(context.Background(), who)
	if err != nil {
		return err
	}
	defer t.Rollback()
	if err := fn(t); err != nil {
		return err
	}
	return t.Commit()
}

// write runs one Write by who.
func write(m *dm.Model, who dm.Origin, p dm.Path, mode dm.Mode, entries ...dm.Entry) error {
	return do(m, who, func(t *dm.Transaction) error { return t.Write(p, mode, entries) })
}
