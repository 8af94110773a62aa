package dm_test

import (
	"bytes"
	"context"
	"log/slog"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// kinds is an instance with a single-instance and a multiple-instance resource of every data type.
type kinds struct {
	I  dm.Res[int64]
	U  dm.Res[uint64]
	F  dm.Res[float64]
	B  dm.Res[bool]
	S  dm.Res[string]
	O  dm.Res[[]byte]
	T  dm.Res[time.Time]
	L  dm.Res[dm.ObjectLink]
	C  dm.Res[dm.CoreLink]
	K  dm.Res[dm.Secret]
	P  dm.Res[dm.SecretString]
	Is dm.Multi[int64]
	Us dm.Multi[uint64]
	Fs dm.Multi[float64]
	Bs dm.Multi[bool]
	Ss dm.Multi[string]
	Os dm.Multi[[]byte]
	Ts dm.Multi[time.Time]
	Ls dm.Multi[dm.ObjectLink]
	Cs dm.Multi[dm.CoreLink]
	Ks dm.Multi[dm.Secret]
	Ps dm.Multi[dm.SecretString]
}

func (k *kinds) cell(id dm.ResourceID) dm.Cell {
	return []dm.Cell{
		&k.I, &k.U, &k.F, &k.B, &k.S, &k.O, &k.T, &k.L, &k.C, &k.K, &k.P,
		&k.Is, &k.Us, &k.Fs, &k.Bs, &k.Ss, &k.Os, &k.Ts, &k.Ls, &k.Cs, &k.Ks, &k.Ps,
	}[id]
}

const kindsID dm.ObjectID = 33005

func newKinds(t *testing.T, ranges map[int]registry.Range) *dm.Model {
	t.Helper()
	types := []registry.Type{registry.Integer, registry.UnsignedInteger, registry.Float, registry.Boolean,
		registry.String, registry.Opaque,
		registry.Time, registry.Objlnk, registry.Corelnk, registry.Opaque, registry.String}
	def := registry.Object{ID: uint16(kindsID), Name: "Kinds", Multiple: true}
	for i := range 2 * len(types) {
		n := i % len(types)
		def.Resources = append(def.Resources, registry.Resource{
			ID: uint16(i), Name: "Kind", Ops: registry.RW, Type: types[n], Multiple: i >= len(types), Secret: n >= 9,
			Range: ranges[n],
		})
	}
	o, err := dm.NewObject(&def, (*kinds).cell, dm.ObjectConfig[kinds]{})
	if err != nil {
		t.Fatal(err)
	}
	err = o.Add(0, kinds{
		dm.Empty[int64](), dm.Empty[uint64](), dm.Empty[float64](), dm.Empty[bool](), dm.Empty[string](),
		dm.Empty[[]byte](), dm.Empty[time.Time](),
		dm.Empty[dm.ObjectLink](), dm.Empty[dm.CoreLink](), dm.Empty[dm.Secret](), dm.Empty[dm.SecretString](),
		dm.EmptyMulti[int64](), dm.EmptyMulti[uint64](), dm.EmptyMulti[float64](), dm.EmptyMulti[bool](),
		dm.EmptyMulti[string](), dm.EmptyMulti[[]byte](), dm.EmptyMulti[time.Time](),
		dm.EmptyMulti[dm.ObjectLink](), dm.EmptyMulti[dm.CoreLink](), dm.EmptyMulti[dm.Secret](),
		dm.EmptyMulti[dm.SecretString](),
	})
	if err != nil {
		t.Fatal(err)
	}
	return newModel(t, dm.ModelConfig{}, o)
}

// A resource of each data type returns a value as it was written, and refuses values of every other
// type.
func TestEveryDataType(t *testing.T) {
	m := newKinds(t, nil)
	all := [11][]dm.Value{
		{dm.IntegerValue(0), dm.IntegerValue(math.MinInt64), dm.IntegerValue(math.MaxInt64)},
		{dm.UnsignedValue(0), dm.UnsignedValue(math.MaxUint64)},
		{dm.FloatValue(0), dm.FloatValue(-math.MaxFloat64), dm.FloatValue(math.Copysign(0, -1))},
		{dm.BooleanValue(true), dm.BooleanValue(false)},
		{dm.StringValue(""), dm.StringValue("Wärme")},
		{dm.OpaqueValue(nil), dm.OpaqueValue([]byte{0, 255})},
		{dm.TimeValue(0), dm.TimeValue(-1), dm.TimeValue(1 << 33), dm.TimeValue(math.MaxInt64),
			dm.TimeValue(math.MinInt64)},
		{dm.LinkValue(dm.ObjectLink{}), dm.LinkValue(dm.NullLink),
			dm.LinkValue(dm.ObjectLink{Object: 3, Instance: 65535})},
		{dm.CoreLinkValue(""), dm.CoreLinkValue("</3303/0>;ver=1.1")},
		{dm.OpaqueValue(nil), dm.OpaqueValue([]byte("key"))},
		{dm.StringValue(""), dm.StringValue("password")},
	}
	for n := range 22 {
		single := dm.ResourcePath(kindsID, 0, dm.ResourceID(n))
		p := single
		if n >= 11 {
			p = dm.ResourceInstancePath(kindsID, 0, dm.ResourceID(n), 7)
		}
		for _, list := range all {
			for _, v := range list {
				err := write(m, dm.Server(1), single, dm.Replace, dm.Entry{Path: p, Value: v})
				if same := v.Type() == all[n%11][0].Type(); !same {
					if dm.CodeOf(err) != dm.BadRequest {
						t.Errorf("a resource of type %s took a %s: %v", all[n%11][0].Type(), v.Type(), err)
					}
					continue
				} else if err != nil {
					t.Errorf("writing the %s %v: %v", v.Type(), v, err)
					continue
				}
				got, err := m.Snapshot().Value(context.Background(), dm.Application, p)
				if err != nil || !got.Equal(v) || got.IsSecret() != (n%11 >= 9) {
					t.Errorf("the %s %v came back as %v (secret: %t), %v", v.Type(), v, got, got.IsSecret(), err)
				}
			}
		}
	}
}

// Ranges hold at both ends: for the values of numbers and the lengths of other types.
func TestEveryRange(t *testing.T) {
	m := newKinds(t, map[int]registry.Range{
		0: registry.Between(-5, 5), 1: registry.Between(5, 10), 2: registry.Between(-0.5, 0.5),
		4: registry.Between(2, 3), 5: registry.Between(2, 3),
		6: registry.Between(100, 200), 8: registry.Between(2, 3), 9: registry.OneOf(0, 16), 10: registry.AtMost(2),
	})
	for n, test := range map[int]struct{ good, bad []dm.Value }{
		0: {[]dm.Value{dm.IntegerValue(-5), dm.IntegerValue(5)},
			[]dm.Value{dm.IntegerValue(-6), dm.IntegerValue(6), dm.IntegerValue(math.MinInt64),
				dm.IntegerValue(math.MaxInt64)}},
		1: {[]dm.Value{dm.UnsignedValue(5), dm.UnsignedValue(10)},
			[]dm.Value{dm.UnsignedValue(4), dm.UnsignedValue(11), dm.UnsignedValue(math.MaxUint64)}},
		2: {[]dm.Value{dm.FloatValue(-0.5), dm.FloatValue(0.5)},
			[]dm.Value{dm.FloatValue(math.Nextafter(0.5, 1)), dm.FloatValue(-0.6), dm.FloatValue(math.NaN()),
				dm.FloatValue(math.Inf(1))}},
		4: {[]dm.Value{dm.StringValue("ää"), dm.StringValue("abc")},
			[]dm.Value{dm.StringValue("ä"), dm.StringValue("äääa"), dm.StringValue("")}},
		5: {[]dm.Value{dm.OpaqueValue([]byte("ab")), dm.OpaqueValue([]byte("abc"))},
			[]dm.Value{dm.OpaqueValue([]byte("a")), dm.OpaqueValue([]byte("ääa")), dm.OpaqueValue(nil)}},
		6: {[]dm.Value{dm.TimeValue(100), dm.TimeValue(200)},
			[]dm.Value{dm.TimeValue(99), dm.TimeValue(201), dm.TimeValue(-100)}},
		8: {[]dm.Value{dm.CoreLinkValue("<>")}, []dm.Value{dm.CoreLinkValue("</1>")}},
		9: {[]dm.Value{dm.OpaqueValue(nil), dm.OpaqueValue(make([]byte, 16))},
			[]dm.Value{dm.OpaqueValue(make([]byte, 15)), dm.OpaqueValue(make([]byte, 17))}},
		10: {[]dm.Value{dm.StringValue("ää")}, []dm.Value{dm.StringValue("abc")}},
	} {
		for i, list := range [][]dm.Value{test.good, test.bad} {
			for _, v := range list {
				single := dm.ResourcePath(kindsID, 0, dm.ResourceID(n))
				many := dm.ResourcePath(kindsID, 0, dm.ResourceID(n+11))
				inst, _ := many.Child(3)
				for _, err := range []error{
					write(m, dm.Server(1), single, dm.Replace, dm.Entry{Path: single, Value: v}),
					write(m, dm.Server(1), many, dm.Replace, dm.Entry{Path: inst, Value: v}),
				} {
					if (err == nil) != (i == 0) || i == 1 && dm.CodeOf(err) != dm.BadRequest {
						t.Errorf("the %s %v: %v", v.Type(), v, err)
					}
				}
			}
		}
	}
}

// A String with enumerated values takes these, from servers and from the application.
func TestEnumeratedStrings(t *testing.T) {
	type choice struct {
		Mode  dm.Res[string]
		Modes dm.Multi[string]
		Pin   dm.Res[dm.SecretString]
	}
	cell := func(c *choice, id dm.ResourceID) dm.Cell { return []dm.Cell{&c.Mode, &c.Modes, &c.Pin}[id] }
	def := registry.Object{ID: 42769, Name: "Choice", Multiple: true, Resources: []registry.Resource{
		{ID: 0, Name: "Mode", Ops: registry.RW, Type: registry.String, Strings: registry.StringSet{"auto", "off"}},
		{ID: 1, Name: "Modes", Ops: registry.RW, Type: registry.String, Multiple: true,
			Strings: registry.StringSet{"auto", "off"}},
		{ID: 2, Name: "Pin", Ops: registry.RW, Type: registry.String, Secret: true, Strings: registry.StringSet{"1234"}},
	}}
	o, err := dm.NewObject(&def, cell, dm.ObjectConfig[choice]{})
	if err != nil {
		t.Fatal(err)
	}
	if err := o.Add(0, choice{Mode: dm.Str("on")}); dm.CodeOf(err) != dm.BadRequest {
		t.Errorf("the application adds another value: %v", err)
	}
	err = o.Add(0, choice{dm.Str("auto"), dm.List("off", "auto"), dm.Password("1234")})
	if err != nil {
		t.Fatal(err)
	}
	m := newModel(t, dm.ModelConfig{}, o)
	for _, test := range []struct {
		p, at dm.Path
		value string
		want  string
	}{
		{p: dm.ResourcePath(42769, 0, 0), value: "off"},
		{p: dm.ResourcePath(42769, 0, 0), value: "OFF",
			want: `Mode is "OFF", none of the values "auto", "off"`},
		{p: dm.ResourcePath(42769, 0, 0), value: "",
			want: `Mode is "", none of the values "auto", "off"`},
		{p: dm.ResourcePath(42769, 0, 1), at: dm.ResourceInstancePath(42769, 0, 1, 3), value: "off"},
		{p: dm.ResourcePath(42769, 0, 1), at: dm.ResourceInstancePath(42769, 0, 1, 3), value: "on",
			want: `Modes is "on", none of the values "auto", "off"`},
		{p: dm.ResourcePath(42769, 0, 2), value: "0000",
			want: `Pin is none of the enumerated values`},
	} {
		if test.at == (dm.Path{}) {
			test.at = test.p
		}
		got := ""
		err := write(m, dm.Server(1), test.p, dm.Replace, dm.Entry{Path: test.at, Value: dm.StringValue(test.value)})
		if err != nil {
			got = err.Error()
		}
		if (got == "") != (test.want == "") || !strings.HasSuffix(got, test.want) {
			t.Errorf("writing %q to %v: got %q, want %q", test.value, test.p, got, test.want)
		}
	}
}

// A live value that is none of the enumerated ones is sent, and logged once.
func TestLiveStringNotEnumerated(t *testing.T) {
	type choice struct{ Modes dm.Multi[string] }
	var log bytes.Buffer
	def := registry.Object{ID: 42769, Name: "Choice", Multiple: true, Resources: []registry.Resource{
		{ID: 0, Name: "Modes", Ops: registry.R, Type: registry.String, Multiple: true, Strings: registry.StringSet{"auto"}},
	}}
	cell := func(c *choice, id dm.ResourceID) dm.Cell { return []dm.Cell{&c.Modes}[id] }
	o, err := dm.NewObject(&def, cell, dm.ObjectConfig[choice]{})
	if err != nil {
		t.Fatal(err)
	}
	live := dm.FuncMulti(func(context.Context) (map[dm.ResourceInstanceID]string, error) {
		return map[dm.ResourceInstanceID]string{1: "off"}, nil
	})
	if err := o.Add(0, choice{live}); err != nil {
		t.Fatal(err)
	}
	m := newModel(t, dm.ModelConfig{Logger: slog.New(slog.NewTextHandler(&log, nil))}, o)
	for range 2 {
		v, err := m.Snapshot().Value(context.Background(), dm.Server(1), dm.ResourceInstancePath(42769, 0, 0, 1))
		if err != nil || v.Text() != "off" {
			t.Errorf("got %v, %v", v, err)
		}
	}
	if strings.Count(log.String(), "level=WARN") != 1 || !strings.Contains(log.String(), "none of the values") {
		t.Errorf("the log is:\n%s", log.String())
	}
}
