package dm_test

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// entries returns entries from pairs of a path and a value.
func entries(t testing.TB, pairs ...any) []dm.Entry {
	t.Helper()
	var list []dm.Entry
	for i := 0; i < len(pairs); i += 2 {
		e := dm.Entry{Path: path(t, pairs[i].(string))}
		switch v := pairs[i+1].(type) {
		case int:
			e.Value = dm.IntegerValue(int64(v))
		case float64:
			e.Value = dm.FloatValue(v)
		case string:
			e.Value = dm.StringValue(v)
		case bool:
			e.Value = dm.BooleanValue(v)
		case dm.Value:
			e.Value = v
		default:
			t.Fatalf("no value: %v", v)
		}
		list = append(list, e)
	}
	return list
}

// watched is a meter object with a template, and a panel, that count the calls of their hooks.
type watched struct {
	m      *dm.Model
	meters *dm.TypedObject[meter]
	panels *dm.TypedObject[panel]
	hooks  int // calls of hooks other than Changed
}

func watch(t testing.TB) *watched {
	t.Helper()
	w := &watched{}
	w.meters = newMeters(t, dm.ObjectConfig[meter]{
		Hooks: dm.Hooks[meter]{
			Begin:    func(context.Context, *dm.Tx[meter]) error { w.hooks++; return nil },
			Validate: func(context.Context, *dm.Tx[meter]) error { w.hooks++; return nil },
			Commit:   func(context.Context, *dm.Tx[meter]) error { w.hooks++; return nil },
			Create:   func(context.Context, dm.InstanceID, *meter) error { w.hooks++; return nil },
			Delete:   func(context.Context, dm.InstanceID) error { w.hooks++; return nil },
		},
		Template: meter{Level: dm.Float(7), Goal: dm.Float(50), Label: dm.Empty[string](), Tags: dm.List("x", "y"),
			Key: dm.Empty[dm.Secret]()},
	})
	w.panels = newPanels(t, dm.ObjectConfig[panel]{Hooks: dm.Hooks[panel]{
		Begin: func(context.Context, *dm.Tx[panel]) error { w.hooks++; return nil },
	}})
	if err := w.meters.Add(0, fullMeter()); err != nil {
		t.Fatal(err)
	}
	if err := w.meters.Add(1, meter{Level: dm.Float(1), Mode: dm.Int(1), Label: dm.Str("b")}); err != nil {
		t.Fatal(err)
	}
	if err := w.panels.Add(0, panel{Brightness: dm.Int(5), Modes: dm.Ints(1)}); err != nil {
		t.Fatal(err)
	}
	w.m = newModel(t, dm.ModelConfig{}, w.meters, w.panels)
	w.hooks = 0
	return w
}

// changes returns the lines that only one of before and after has.
func changes(before, after string) string {
	var b strings.Builder
	old, now := strings.Split(before, "\n"), strings.Split(after, "\n")
	for _, line := range old {
		if !slices.Contains(now, line) {
			b.WriteString("-" + line + "\n")
		}
	}
	for _, line := range now {
		if !slices.Contains(old, line) {
			b.WriteString("+" + line + "\n")
		}
	}
	return b.String()
}

func TestWrite(t *testing.T) {
	tests := []struct {
		name    string
		who     dm.Origin
		base    string
		mode    dm.Mode
		payload []dm.Entry
		want    string // the lines of the dump that change
	}{
		{"a resource", dm.Server(1), "/33001/0/1", dm.Replace, entries(t, "/33001/0/1", 30.0),
			"-/33001/0/1 Float 20\n+/33001/0/1 Float 30\n"},
		{"an empty resource", dm.Server(1), "/33001/0/14", dm.Replace,
			entries(t, "/33001/0/14", dm.CoreLinkValue("</3>")),
			"-/33001/0/14  \n+/33001/0/14 Corelnk </3>\n"},
		{"a resource, updating", dm.Server(1), "/33001/0/9", dm.Update, entries(t, "/33001/0/9", 5),
			"-/33001/0/9 Integer 1\n+/33001/0/9 Integer 5\n"},
		{"an empty text", dm.Server(1), "/33001/0/2", dm.Replace, entries(t, "/33001/0/2", ""),
			"-/33001/0/2 String boiler\n+/33001/0/2 String \n"},

		// Core 1.2.2 §6.3.3, Replace: what the payload leaves out is emptied; it stays supported.
		{"an instance, replacing", dm.Server(1), "/33001/0", dm.Replace,
			entries(t, "/33001/0/9", 5, "/33001/0/4/7", "z"),
			"-/33001/0/1 Float 20\n-/33001/0/2 String boiler\n-/33001/0/4/0 String a\n-/33001/0/4/1 String b\n" +
				"-/33001/0/8 Time 2023-11-14T22:13:20Z\n-/33001/0/9 Integer 1\n-/33001/0/10 Opaque AQI=\n-/33001/0/11 Objlnk 33002:0\n" +
				"-/33001/0/12 Unsigned Integer 9223372036854775808\n-/33001/0/13 Boolean true\n" +
				"+/33001/0/1  \n+/33001/0/2  \n+/33001/0/4/7 String z\n+/33001/0/8  \n+/33001/0/9 Integer 5\n+/33001/0/10  \n+/33001/0/11  \n+/33001/0/12  \n+/33001/0/13  \n"},
		{"an instance, replacing what was unsupported", dm.Server(1), "/33001/1", dm.Replace,
			entries(t, "/33001/1/9", 5),
			"-/33001/1/2 String b\n-/33001/1/9 Integer 1\n+/33001/1/2  \n+/33001/1/9 Integer 5\n"},
		// Update: what the payload leaves out is kept.
		{"an instance, updating", dm.Server(1), "/33001/0", dm.Update, entries(t, "/33001/0/9", 5, "/33001/0/4/7", "z"),
			"-/33001/0/9 Integer 1\n+/33001/0/4/7 String z\n+/33001/0/9 Integer 5\n"},
		{"an instance, updating nothing", dm.Server(1), "/33001/0", dm.Update, nil, ""},

		// Core 1.2.2 §6.3.3: In a "Write" operation targeting an Object Instance, any optional
		// Resources that are not supported by, or unknown to, the LwM2M Client MUST NOT be
		// interpreted as an error.
		{"optional resources that are unsupported or unknown", dm.Server(1), "/33001/1", dm.Update,
			entries(t, "/33001/1/2", "c", "/33001/1/1", 3.0, "/33001/1/4/0", "t", "/33001/1/99", "?", "/33001/1/98/7",
				5), "-/33001/1/2 String b\n+/33001/1/2 String c\n"},

		{"resource instances, replacing", dm.Server(1), "/33001/0/4", dm.Replace,
			entries(t, "/33001/0/4/1", "B", "/33001/0/4/5", "F"),
			"-/33001/0/4/0 String a\n-/33001/0/4/1 String b\n+/33001/0/4/1 String B\n+/33001/0/4/5 String F\n"},
		{"resource instances, updating", dm.Server(1), "/33001/0/4", dm.Update,
			entries(t, "/33001/0/4/1", "B", "/33001/0/4/5", "F"),
			"-/33001/0/4/1 String b\n+/33001/0/4/1 String B\n+/33001/0/4/5 String F\n"},
		{"no resource instances, replacing", dm.Server(1), "/33001/0/4", dm.Replace, nil,
			"-/33001/0/4/0 String a\n-/33001/0/4/1 String b\n"},
		{"no resource instances, replacing, named", dm.Server(1), "/33001/0/4", dm.Replace,
			entries(t, "/33001/0/4", dm.Value{}),
			"-/33001/0/4/0 String a\n-/33001/0/4/1 String b\n"},
		{"no resource instances, updating", dm.Server(1), "/33001/0/4", dm.Update,
			entries(t, "/33001/0/4", dm.Value{}), ""},
		{"a resource and its instances, in any order", dm.Server(1), "/33001/0/4", dm.Replace,
			entries(t, "/33001/0/4/5", "F", "/33001/0/4", dm.Value{}),
			"-/33001/0/4/0 String a\n-/33001/0/4/1 String b\n+/33001/0/4/5 String F\n"},
		{"one resource instance", dm.Server(1), "/33001/0/4/1", dm.Replace, entries(t, "/33001/0/4/1", "B"),
			"-/33001/0/4/1 String b\n+/33001/0/4/1 String B\n"},

		{"a composite", dm.Server(1), "/", dm.Update,
			entries(t, "/33002/0/0", 9, "/33001/1/2", "c", "/33001/0/4/9", "n"),
			"-/33001/1/2 String b\n-/33002/0/0 Integer 5\n+/33001/0/4/9 String n\n+/33001/1/2 String c\n+/33002/0/0 Integer 9\n"},
		{"an empty composite", dm.Server(1), "/", dm.Update, nil, ""},

		// The bootstrap server writes everything (Core 1.2.2 §6.1.7.5) and creates instances.
		// Resources that the device does not have are ignored.
		{"bootstrap: a read-only and a hidden resource", dm.Bootstrap, "/33001/0", dm.Update,
			entries(t, "/33001/0/0", 5.0, "/33001/0/7", dm.OpaqueValue([]byte("new"))),
			"-/33001/0/0 Float 21.5\n-/33001/0/7 Opaque k3y\n+/33001/0/0 Float 5\n+/33001/0/7 Opaque new\n"},
		{"bootstrap: replacing leaves read-only resources that it does not name", dm.Bootstrap, "/33001/1",
			dm.Replace, entries(t, "/33001/1/9", 5),
			"-/33001/1/2 String b\n-/33001/1/9 Integer 1\n+/33001/1/2  \n+/33001/1/9 Integer 5\n"},
		{"bootstrap: a new instance", dm.Bootstrap, "/33001/5", dm.Replace,
			entries(t, "/33001/5/9", 1, "/33001/5/0", 3.0, "/33001/5/8", dm.TimeValue(1), "/33001/5/99", 1),
			"+/33001/5/0 Float 3\n+/33001/5/1 Float 50\n+/33001/5/2  \n+/33001/5/4  \n+/33001/5/4/0 String x\n+/33001/5/4/1 String y\n+/33001/5/7  \n+/33001/5/9 Integer 1\n"},
		{"bootstrap: an object", dm.Bootstrap, "/33001", dm.Replace,
			entries(t, "/33001/1/9", 5, "/33001/1/0", 2.0, "/33001/2/9", 0, "/33001/2/0", 2.0, "/33001/2/4/8", "n"),
			"-/33001/1/0 Float 1\n-/33001/1/2 String b\n-/33001/1/9 Integer 1\n" +
				"+/33001/1/0 Float 2\n+/33001/1/2  \n+/33001/1/9 Integer 5\n" +
				"+/33001/2/0 Float 2\n+/33001/2/1 Float 50\n+/33001/2/2  \n+/33001/2/4  \n+/33001/2/4/8 String n\n+/33001/2/7  \n+/33001/2/9 Integer 0\n"},
		{"bootstrap: a resource of a new instance", dm.Bootstrap, "/33001/5/9", dm.Replace, entries(t, "/33001/5/9", 5),
			"+/33001/5/0 Float 7\n+/33001/5/1 Float 50\n+/33001/5/2  \n+/33001/5/4  \n+/33001/5/4/0 String x\n+/33001/5/4/1 String y\n+/33001/5/7  \n+/33001/5/9 Integer 5\n"},

		{"the application: everything", dm.Application, "/33001/0", dm.Update,
			entries(t, "/33001/0/0", 5.0, "/33001/0/5/1", 2),
			"-/33001/0/0 Float 21.5\n-/33001/0/5/1 Integer 10\n+/33001/0/0 Float 5\n+/33001/0/5/1 Integer 2\n"},
	}
	for _, test := range tests {
		w := watch(t)
		before := dump(t, w.m.Snapshot())
		if err := write(w.m, test.who, path(t, test.base), test.mode, test.payload...); err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if got := changes(before, dump(t, w.m.Snapshot())); got != test.want {
			t.Errorf("%s changes\n%swant\n%s", test.name, got, test.want)
		}
	}
}

// A refused payload leaves everything as it was, and no hook is called.
func TestWriteRefuses(t *testing.T) {
	ok := []any{"/33001/0/1", 30.0} // a good entry before the bad one
	with := func(pairs ...any) []dm.Entry { return entries(t, append(slices.Clone(ok), pairs...)...) }
	reserved := func(p dm.Path) []dm.Entry { return []dm.Entry{{Path: p, Value: dm.StringValue("x")}} }
	tests := []struct {
		name    string
		who     dm.Origin
		base    dm.Path
		mode    dm.Mode
		payload []dm.Entry
		code    dm.Code
		path    string // the path in the error
	}{
		{"no such object", dm.Server(1), path(t, "/1/0/0"), dm.Replace, entries(t, "/1/0/0", 1), dm.NotFound, "/1/0/0"},
		{"no such instance", dm.Server(1), path(t, "/33001/9"), dm.Update, entries(t, "/33001/9/1", 1.0),
			dm.NotFound, "/33001/9"},
		{"no such resource", dm.Server(1), path(t, "/33001/0/99"), dm.Replace, entries(t, "/33001/0/99", 1),
			dm.NotFound, "/33001/0/99"},
		{"an unsupported resource", dm.Server(1), path(t, "/33001/1/1"), dm.Replace, entries(t, "/33001/1/1", 1.0),
			dm.NotFound, "/33001/1/1"},
		{"no such resource instance", dm.Server(1), path(t, "/33001/0/4/9"), dm.Replace,
			entries(t, "/33001/0/4/9", "x"), dm.NotFound, "/33001/0/4/9"},
		{"a read-only resource", dm.Server(1), path(t, "/33001/0/0"), dm.Replace, entries(t, "/33001/0/0", 1.0),
			dm.MethodNotAllowed, "/33001/0/0"},
		{"a read-only resource instance", dm.Server(1), path(t, "/33001/0/5/1"), dm.Replace,
			entries(t, "/33001/0/5/1", 1), dm.MethodNotAllowed, "/33001/0/5/1"},
		{"an executable", dm.Server(1), path(t, "/33001/0/3"), dm.Replace, entries(t, "/33001/0/3", 1),
			dm.MethodNotAllowed, "/33001/0/3"},
		{"a hidden resource", dm.Server(1), path(t, "/33001/0/7"), dm.Replace,
			entries(t, "/33001/0/7", dm.OpaqueValue(nil)), dm.MethodNotAllowed, "/33001/0/7"},
		{"an instance of a single resource", dm.Server(1), path(t, "/33001/0/1/0"), dm.Replace,
			entries(t, "/33001/0/1/0", 1.0), dm.MethodNotAllowed, "/33001/0/1/0"},
		{"an object", dm.Server(1), path(t, "/33001"), dm.Replace, entries(t, "/33001/0/1", 1.0),
			dm.MethodNotAllowed, "/33001"},
		{"the root, replacing", dm.Server(1), dm.Path{}, dm.Replace, entries(t, "/33001/0/1", 1.0),
			dm.MethodNotAllowed, ""},

		{"a read-only resource among others", dm.Server(1), path(t, "/33001/0"), dm.Update, with("/33001/0/0", 1.0),
			dm.MethodNotAllowed, "/33001/0/0"},
		{"another type", dm.Server(1), path(t, "/33001/0"), dm.Update, with("/33001/0/9", "x"),
			dm.BadRequest, "/33001/0/9"},
		{"out of range", dm.Server(1), path(t, "/33001/0"), dm.Update, with("/33001/0/9", 2),
			dm.BadRequest, "/33001/0/9"},
		{"NaN", dm.Server(1), path(t, "/33001/0/1"), dm.Replace, entries(t, "/33001/0/1", math.NaN()),
			dm.BadRequest, "/33001/0/1"},
		{"too long", dm.Server(1), path(t, "/33001/0"), dm.Update, with("/33001/0/2", "ninechars"),
			dm.BadRequest, "/33001/0/2"},
		{"not UTF-8", dm.Server(1), path(t, "/33001/0"), dm.Update, with("/33001/0/4/1", "\xff"),
			dm.BadRequest, "/33001/0/4/1"},
		{"a link to the reserved object", dm.Server(1), path(t, "/33001/0"), dm.Update,
			with("/33001/0/11", dm.LinkValue(dm.ObjectLink{Object: 65535, Instance: 1})), dm.BadRequest, "/33001/0/11"},
		{"no value", dm.Server(1), path(t, "/33001/0"), dm.Update, with("/33001/0/9", dm.Value{}),
			dm.BadRequest, "/33001/0/9"},
		{"no payload for a resource", dm.Server(1), path(t, "/33001/0/1"), dm.Replace, nil,
			dm.BadRequest, "/33001/0/1"},
		{"no payload for a resource instance", dm.Server(1), path(t, "/33001/0/4/0"), dm.Replace, nil,
			dm.BadRequest, "/33001/0/4/0"},
		{"one value for many", dm.Server(1), path(t, "/33001/0"), dm.Update, with("/33001/0/4", "x"),
			dm.BadRequest, "/33001/0/4"},
		{"many values for one", dm.Server(1), path(t, "/33001/0"), dm.Update, with("/33001/0/9/0", 1),
			dm.BadRequest, "/33001/0/9/0"},
		{"twice", dm.Server(1), path(t, "/33001/0"), dm.Update, with("/33001/0/9", 1, "/33001/0/1", 30.0),
			dm.BadRequest, "/33001/0/1"},
		{"twice, a resource instance", dm.Server(1), path(t, "/33001/0/4"), dm.Update,
			entries(t, "/33001/0/4/1", "a", "/33001/0/4/1", "a"), dm.BadRequest, "/33001/0/4/1"},
		{"twice, an unknown resource", dm.Server(1), path(t, "/33001/0"), dm.Update,
			with("/33001/0/99", 1, "/33001/0/99", 2), dm.BadRequest, "/33001/0/99"},
		{"outside of the target", dm.Server(1), path(t, "/33001/0"), dm.Update, with("/33001/1/9", 1),
			dm.BadRequest, "/33001/1/9"},
		{"another resource than the target", dm.Server(1), path(t, "/33001/0/9"), dm.Replace,
			entries(t, "/33001/0/1", 1.0), dm.BadRequest, "/33001/0/1"},
		{"an instance in the payload", dm.Server(1), path(t, "/33001/0"), dm.Update, with("/33001/0", 1),
			dm.BadRequest, "/33001/0"},
		{"the reserved resource instance", dm.Server(1), path(t, "/33001/0/4"), dm.Update,
			reserved(dm.ResourceInstancePath(meterID, 0, tagsID, 65535)), dm.BadRequest, "/33001/0/4/65535"},
		{"the reserved resource", dm.Server(1), path(t, "/33001/0"), dm.Update,
			reserved(dm.ResourcePath(meterID, 0, 65535)), dm.BadRequest, "/33001/0/65535"},
		{"the reserved instance", dm.Server(1), dm.InstancePath(meterID, 65535), dm.Update, nil,
			dm.BadRequest, "/33001/65535"},
		{"the reserved object", dm.Bootstrap, dm.ObjectPath(65535), dm.Replace, nil, dm.BadRequest, "/65535"},

		{"a composite with an unknown object", dm.Server(1), dm.Path{}, dm.Update, with("/1/0/0", 1),
			dm.NotFound, "/1/0/0"},
		{"a composite with an unknown instance", dm.Server(1), dm.Path{}, dm.Update, with("/33001/9/9", 1),
			dm.NotFound, "/33001/9/9"},
		{"a composite with an unknown resource", dm.Server(1), dm.Path{}, dm.Update, with("/33001/0/99", 1),
			dm.NotFound, "/33001/0/99"},
		{"a composite with an unsupported resource", dm.Server(1), dm.Path{}, dm.Update, with("/33001/1/1", 1.0),
			dm.NotFound, "/33001/1/1"},
		{"a composite with a read-only resource", dm.Server(1), dm.Path{}, dm.Update, with("/33001/0/0", 1.0),
			dm.MethodNotAllowed, "/33001/0/0"},

		// Mandatory resources are checked at the end, after Begin.
		{"bootstrap: no such object", dm.Bootstrap, path(t, "/1/0"), dm.Replace, entries(t, "/1/0/0", 1),
			dm.BadRequest, "/1/0"},
		{"bootstrap: out of range", dm.Bootstrap, path(t, "/33001"), dm.Replace,
			entries(t, "/33001/2/9", 5, "/33001/3/9", 7), dm.BadRequest, "/33001/3/9"},
		{"bootstrap: an executable", dm.Bootstrap, path(t, "/33001/0"), dm.Replace, entries(t, "/33001/0/3", 5),
			dm.BadRequest, "/33001/0/3"},
		{"bootstrap: a resource that is not there", dm.Bootstrap, path(t, "/33001/0/99"), dm.Replace,
			entries(t, "/33001/0/99", 5), dm.BadRequest, "/33001/0/99"},
	}
	for _, test := range tests {
		w := watch(t)
		before := dump(t, w.m.Snapshot())
		err := write(w.m, test.who, test.base, test.mode, test.payload...)
		if dm.CodeOf(err) != test.code || !strings.HasPrefix(err.Error(), test.path) {
			t.Errorf("%s: %v, want %v for %s", test.name, err, test.code, test.path)
		}
		if got := changes(before, dump(t, w.m.Snapshot())); got != "" {
			t.Errorf("%s changes\n%s", test.name, got)
		}
		if w.hooks != 0 {
			t.Errorf("%s: %d hooks were called", test.name, w.hooks)
		}
	}
}

// After a refused operation the transaction continues as if there had been no such operation.
func TestContinueAfterRefusedOperation(t *testing.T) {
	w := watch(t)
	before := dump(t, w.m.Snapshot())
	err := do(w.m, dm.Server(1), func(tx *dm.Transaction) error {
		if err := tx.Write(path(t, "/33001/0"), dm.Update, entries(t, "/33001/0/9", 5)); err != nil {
			return err
		}
		if err := tx.Write(path(t, "/33001/0"), dm.Update, entries(t, "/33001/0/1", 1.0, "/33001/0/9", 7)); err == nil {
			t.Error("out of range is allowed")
		}
		if err := tx.Delete(path(t, "/33001/7")); err == nil {
			t.Error("deleting an instance that does not exist succeeds")
		}
		return tx.Write(path(t, "/33001/1/2"), dm.Replace, entries(t, "/33001/1/2", "z"))
	})
	if err != nil {
		t.Fatal(err)
	}
	want := "-/33001/0/9 Integer 1\n-/33001/1/2 String b\n+/33001/0/9 Integer 5\n+/33001/1/2 String z\n"
	if got := changes(before, dump(t, w.m.Snapshot())); got != want {
		t.Errorf("the transaction changes\n%swant\n%s", got, want)
	}
}

// A Replace that leaves out a mandatory resource is refused at the end, with an error that names
// it.
func TestReplaceNeedsMandatoryResources(t *testing.T) {
	w := watch(t)
	before := dump(t, w.m.Snapshot())
	err := write(w.m, dm.Server(1), path(t, "/33001/0"), dm.Replace, entries(t, "/33001/0/2", "x")...)
	if dm.CodeOf(err) != dm.BadRequest || !strings.Contains(err.Error(), "Mode (9)") {
		t.Errorf("leaving out a mandatory resource: %v", err)
	}
	if got := changes(before, dump(t, w.m.Snapshot())); got != "" {
		t.Errorf("it changes\n%s", got)
	}
}
