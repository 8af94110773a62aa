package dm_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// commits is a Commit hook that does nothing.
func commits[T any](context.Context, *dm.Tx[T]) error { return nil }

func TestAddNamesAllMissingMandatoryResources(t *testing.T) {
	err := newMeters(t, dm.ObjectConfig[meter]{}).Add(4, meter{})
	want := "/33001/4: mandatory resources are missing: Level (0), Mode (9)"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	// Empty is supported, but a mandatory resource needs a value.
	err = newMeters(t, dm.ObjectConfig[meter]{}).Add(4, meter{Level: dm.Empty[float64](), Mode: dm.Int(1)})
	if err == nil || !strings.Contains(err.Error(), "missing: Level (0)") {
		t.Errorf("an empty mandatory resource: %v", err)
	}
}

// An object that New did not return, for instance because its error was ignored, is refused and
// never panics.
func TestNilObject(t *testing.T) {
	for name, o := range map[string]*dm.TypedObject[meter]{"nil": nil, "zero": {}} {
		_, register := dm.NewModel(dm.ModelConfig{}, o)
		for op, err := range map[string]error{
			"Add":      o.Add(0, meter{}),
			"Update":   o.Update(t.Context(), 0, func(*meter) error { return nil }),
			"Remove":   o.Remove(t.Context(), 0),
			"NewModel": register,
		} {
			if err == nil || !strings.Contains(err.Error(), "make it with New") {
				t.Errorf("%s of a %s object: %v", op, name, err)
			}
		}
		if _, there := o.Get(0); there || o.Len() != 0 || o.Definition() != nil || o.ID() != 65535 {
			t.Errorf("a %s object has %d instances, the definition %v and the ID %d", name, o.Len(),
				o.Definition(), o.ID())
		}
	}
}

func TestUpdateWithoutFunction(t *testing.T) {
	o := newMeters(t, dm.ObjectConfig[meter]{})
	if err := o.Add(0, fullMeter()); err != nil {
		t.Fatal(err)
	}
	if err := o.Update(t.Context(), 0, nil); err == nil || !strings.Contains(err.Error(), "/33001/0") ||
		!strings.Contains(err.Error(), "function is nil") {
		t.Errorf("Update with a nil function: %v", err)
	}
}

func TestAddRefuses(t *testing.T) {
	good := func() meter { return meter{Level: dm.Float(20), Mode: dm.Int(1)} }
	live := func(context.Context) (float64, error) { return 1, nil }
	tests := []struct {
		name   string
		change func(*meter)
		want   []string // parts of the error
	}{
		{"above the range", func(m *meter) { m.Level = dm.Float(125.1) },
			[]string{"/33001/0/0", "Level", "125.1", "-40..125"}},
		{"below the range", func(m *meter) { m.Level = dm.Float(-40.5) }, []string{"/33001/0/0", "-40.5", "-40..125"}},
		{"NaN", func(m *meter) { m.Level = dm.Float(math.NaN()) }, []string{"/33001/0/0", "NaN", "no number"}},
		{"infinite", func(m *meter) { m.Goal = dm.Float(math.Inf(1)) }, []string{"/33001/0/1", "+Inf", "no number"}},
		{"outside of a set", func(m *meter) { m.Mode = dm.Int(2) }, []string{"/33001/0/9", "2", "0, 1, 5"}},
		{"too long a text", func(m *meter) { m.Label = dm.Str("ninechars") },
			[]string{"/33001/0/2", "length 9", "0..8"}},
		{"too long an opaque", func(m *meter) { m.Blob = dm.Bytes(make([]byte, 17)) },
			[]string{"/33001/0/10", "length 17", "0..16"}},
		{"not UTF-8", func(m *meter) { m.Label = dm.Str("a\xff") }, []string{"/33001/0/2", "UTF-8"}},
		{"a link that is not UTF-8", func(m *meter) { m.Core = dm.Core("\xc3") }, []string{"/33001/0/14", "UTF-8"}},
		{"not UTF-8 among many", func(m *meter) { m.Tags = dm.List("a", "\xff") }, []string{"/33001/0/4/1", "UTF-8"}},
		{"the reserved resource instance", func(m *meter) { m.Tags.Set(65535, "x") }, []string{"/33001/0/4", "65535"}},
		{"more values than IDs", func(m *meter) { m.Counts = dm.List(make([]int64, 1<<16)...) },
			[]string{"/33001/0/5", "65535"}},
		{"a link to the reserved object", func(m *meter) { m.Peer = dm.Link(dm.ObjectLink{Object: 65535, Instance: 1}) }, []string{"/33001/0/11", "65535:1"}},
		{"live without a function", func(m *meter) { m.Level = dm.Func[float64](nil) },
			[]string{"/33001/0/0", "Level", "without a function"}},
		{"slow without a function", func(m *meter) { m.Level = dm.Slow[float64](nil) },
			[]string{"/33001/0/0", "Level", "without a function"}},
		{"many live without a function", func(m *meter) { m.Counts = dm.FuncMulti[int64](nil) },
			[]string{"/33001/0/5", "Counts", "without a function"}},
		{"a stream without functions", func(m *meter) { m.Image = dm.StreamFunc(nil, nil) },
			[]string{"/33001/0/6", "without a function"}},
		{"live and writable without Commit", func(m *meter) { m.Goal = dm.Func(live) },
			[]string{"/33001/0/1", "Goal", "Commit"}},
		{"several faults", func(m *meter) { m.Level, m.Mode, m.Goal = dm.Float(999), dm.Int(7), dm.Func(live) },
			[]string{"/33001/0/0", "999", "/33001/0/9", "7", "/33001/0/1", "Commit"}},
	}
	for _, test := range tests {
		o, inst := newMeters(t, dm.ObjectConfig[meter]{}), good()
		test.change(&inst)
		checkError(t, "adding an instance with "+test.name, o.Add(0, inst), test.want)
		if o.Len() != 0 {
			t.Errorf("%s: the refused instance was added", test.name)
		}
		if err := o.Add(0, good()); err != nil {
			t.Fatal(err)
		}
		err := o.Update(context.Background(), 0, func(m *meter) error { test.change(m); return nil })
		checkError(t, "updating to "+test.name, err, test.want)
		if now, _ := o.Get(0); fmt.Sprint(now) != fmt.Sprint(good()) {
			t.Errorf("%s: the refused Update left %v", test.name, now)
		}
	}
}

func checkError(t *testing.T, what string, err error, want []string) {
	t.Helper()
	if err == nil {
		t.Errorf("%s is allowed", what)
		return
	}
	for _, s := range want {
		if !strings.Contains(err.Error(), s) {
			t.Errorf("%s: the error does not say %q: %v", what, s, err)
		}
	}
}

func TestAddAllows(t *testing.T) {
	edges := []func(*meter){
		func(m *meter) { m.Level = dm.Float(-40) },
		func(m *meter) { m.Level = dm.Float(125) },
		func(m *meter) { m.Label = dm.Str("äöüÄÖÜßé") }, // eight characters, sixteen bytes
		func(m *meter) { m.Label = dm.Str("") },
		func(m *meter) { m.Blob = dm.Bytes(nil) },
		func(m *meter) { m.Blob = dm.Bytes(make([]byte, 16)) },
		func(m *meter) { m.Tags.Set(65534, "last") },
		func(m *meter) { m.Tags = dm.EmptyMulti[string]() },
		func(m *meter) { m.Peer = dm.Link(dm.NullLink) },
		func(m *meter) { m.Peer = dm.Link(dm.ObjectLink{Object: 3, Instance: 65535}) },
		func(m *meter) { m.Clock = dm.Time(time.Time{}) },
		func(m *meter) { m.Clock = dm.Time(time.Unix(math.MaxInt64, 0)) },
		func(m *meter) { m.Level = dm.Func(failing(dm.ErrNoValue)) },
	}
	for i, change := range edges {
		inst := meter{Level: dm.Float(20), Mode: dm.Int(1)}
		change(&inst)
		if err := newMeters(t, dm.ObjectConfig[meter]{}).Add(0, inst); err != nil {
			t.Errorf("case %d: %v", i, err)
		}
	}
	o := newMeters(t, dm.ObjectConfig[meter]{Hooks: dm.Hooks[meter]{Commit: commits[meter]}})
	inst := fullMeter()
	inst.Goal = dm.Func(func(context.Context) (float64, error) { return 1, nil })
	if err := o.Add(0, inst); err != nil {
		t.Errorf("live and writable with a Commit hook: %v", err)
	}
}

func TestAddIDs(t *testing.T) {
	o := newMeters(t, dm.ObjectConfig[meter]{})
	for _, id := range []dm.InstanceID{0, 65534, 64} {
		if err := o.Add(id, fullMeter()); err != nil {
			t.Errorf("adding %d: %v", id, err)
		}
	}
	checkError(t, "the reserved ID", o.Add(65535, fullMeter()), []string{"/33001", "65535"})
	checkError(t, "an ID that is taken", o.Add(64, fullMeter()), []string{"/33001/64", "already"})
	var ids []dm.InstanceID
	for id := range o.All() {
		ids = append(ids, id)
	}
	if fmt.Sprint(ids) != "[0 64 65534]" || o.Len() != 3 {
		t.Errorf("the instances are %v (%d)", ids, o.Len())
	}
	p := newPanels(t, dm.ObjectConfig[panel]{})
	bright := panel{Brightness: dm.Int(1), Modes: dm.Ints(1)}
	checkError(t, "a second instance of a single-instance object", p.Add(1, bright),
		[]string{"/33002/1", "single instance"})
	if err := p.Add(0, bright); err != nil {
		t.Errorf("the single instance: %v", err)
	}
	checkError(t, "adding it again", p.Add(0, bright), []string{"/33002/0", "already"})
}

func TestAddNew(t *testing.T) {
	o := newMeters(t, dm.ObjectConfig[meter]{})
	for _, id := range []dm.InstanceID{0, 2} {
		if err := o.Add(id, fullMeter()); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []dm.InstanceID{1, 3, 4} {
		if id, err := o.AddNew(t.Context(), fullMeter()); err != nil || id != want {
			t.Errorf("AddNew took %d, %v; want %d", id, err, want)
		}
	}
	if _, err := o.AddNew(t.Context(), meter{}); err == nil || !strings.Contains(err.Error(), "/33001/5: mandatory resources are missing") {
		t.Errorf("an incomplete instance: %v", err)
	}
	p := newPanels(t, dm.ObjectConfig[panel]{})
	bright := panel{Brightness: dm.Int(1), Modes: dm.Ints(1)}
	if id, err := p.AddNew(t.Context(), bright); err != nil || id != 0 {
		t.Errorf("the single instance is %d, %v", id, err)
	}
	if _, err := p.AddNew(t.Context(), bright); err == nil || !strings.Contains(err.Error(), "/33002: all instance IDs are taken") {
		t.Errorf("a second instance of a single-instance object: %v", err)
	}
	var none *dm.TypedObject[meter]
	if _, err := none.AddNew(t.Context(), fullMeter()); err == nil {
		t.Error("AddNew works on a nil object")
	}
}

// The errors of the program's own calls speak of the data model, not of CoAP. The code is in them
// all the same.
func TestLocalErrorsAreForProgrammers(t *testing.T) {
	o := newMeters(t, dm.ObjectConfig[meter]{})
	if err := o.Add(0, fullMeter()); err != nil {
		t.Fatal(err)
	}
	m, ctx := newModel(t, dm.ModelConfig{}, o), t.Context()
	var multi dm.Multi[string]
	begin := func(fn func(*dm.Transaction) error) error { return do(m, dm.Application, fn) }
	for what, err := range map[string]error{
		"Add twice":               o.Add(0, fullMeter()),
		"Add without a value":     o.Add(1, meter{}),
		"Update of none":          o.Update(ctx, 7, func(*meter) error { return nil }),
		"Update with a bad value": o.Update(ctx, 0, func(m *meter) error { m.Mode.Set(99); return nil }),
		"Update without function": o.Update(ctx, 0, nil),
		"Remove of none":          o.Remove(ctx, 7),
		"Unregister of none":      m.Unregister(ctx, 5),
		"reading a cell":          second(dm.Res[string]{}.Read(ctx)),
		"reading an empty cell":   second(dm.Empty[string]().Read(ctx)),
		"reading a list":          second(multi.Read(ctx, 0)),
		"Value of none":           second(m.Snapshot().Value(ctx, dm.Application, path(t, "/33001/0/99"))),
		"Value of an executable":  second(m.Snapshot().Value(ctx, dm.Application, path(t, "/33001/0/3"))),
		"Execute of none":         m.Snapshot().Execute(ctx, dm.Application, path(t, "/33001/0/0"), dm.Args{}),
		"Write":                   begin(func(tx *dm.Transaction) error { return tx.Write(path(t, "/9/0"), dm.Update, nil) }),
		"Delete":                  begin(func(tx *dm.Transaction) error { return tx.Delete(path(t, "/33001/0/1")) }),
		"Create":                  begin(func(tx *dm.Transaction) error { return tx.Create(9, nil, nil) }),
	} {
		if err == nil {
			t.Errorf("%s: no error", what)
			continue
		}
		if regexp.MustCompile(`\b[245]\.\d\d\b|Bad Request|Not Found|Method Not Allowed|Internal Server`).MatchString(err.Error()) {
			t.Errorf("%s: the error speaks CoAP: %v", what, err)
		}
		if c := dm.CodeOf(err); c>>5 != 4 && c>>5 != 5 {
			t.Errorf("%s: the code of %v is %v", what, err, c)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// The application holds copies: changes to them do not reach the object, and the other way round.
func TestInstancesAreCopies(t *testing.T) {
	o := newMeters(t, dm.ObjectConfig[meter]{})
	inst := fullMeter()
	if err := o.Add(0, inst); err != nil {
		t.Fatal(err)
	}
	inst.Level.Set(1)
	inst.Tags.Set(9, "late")
	got, ok := o.Get(0)
	if v, _ := got.Level.Get(); !ok || v != 21.5 || got.Tags.Len() != 2 {
		t.Errorf("the caller's instance changed the object's: %v", got)
	}
	got.Level.Set(2)
	for _, each := range o.All() {
		each.Level.Set(3)
		each.Tags.Clear()
	}
	var kept *meter
	if err := o.Update(context.Background(), 0,
		func(m *meter) error { kept = m; m.Level.Set(4); return nil }); err != nil {
		t.Fatal(err)
	}
	kept.Level.Set(5)
	kept.Tags.Delete(0)
	got, _ = o.Get(0)
	if v, _ := got.Level.Get(); v != 4 || got.Tags.Len() != 2 {
		t.Errorf("changing a kept instance changed the object's: %v", got)
	}
	if _, ok := o.Get(1); ok {
		t.Error("there is an instance 1")
	}
}

func TestUpdate(t *testing.T) {
	o, ctx := newMeters(t, dm.ObjectConfig[meter]{}), context.Background()
	if err := o.Add(0, fullMeter()); err != nil {
		t.Fatal(err)
	}
	m := newModel(t, dm.ModelConfig{}, o)
	before := dump(t, m.Snapshot())
	boom := errors.New("boom")
	if err := o.Update(ctx, 0, func(m *meter) error { m.Level.Set(1); return boom }); !errors.Is(err, boom) {
		t.Errorf("the error of the function is %v", err)
	}
	if err := o.Update(ctx, 1, func(*meter) error { t.Error("called"); return nil }); !errors.Is(err, dm.NotFound) {
		t.Errorf("updating an instance that is not there: %v", err)
	}
	err := o.Update(ctx, 0, func(m *meter) error { m.Level.Clear(); m.Mode = dm.Res[int64]{}; return nil })
	checkError(t, "taking mandatory resources away", err, []string{"/33001/0", "Level (0), Mode (9)"})
	if after := dump(t, m.Snapshot()); after != before {
		t.Errorf("refused updates left\n%s\nwant\n%s", after, before)
	}
	err = o.Update(ctx, 0, func(m *meter) error {
		m.Level.Set(30)
		m.Label.Clear()
		m.Flag = dm.Res[bool]{}
		m.Counts.Delete(1)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	got, _ := o.Get(0)
	if v, _ := got.Level.Get(); v != 30 || !got.Label.Supported() || got.Flag.Supported() || got.Counts.Len() != 1 {
		t.Errorf("after the update it is %v", got)
	}
	if err := o.Remove(ctx, 0); err != nil || o.Len() != 0 {
		t.Errorf("removing: %v, %d are left", err, o.Len())
	}
	if err := o.Remove(ctx, 0); !errors.Is(err, dm.NotFound) {
		t.Errorf("removing again: %v", err)
	}
}

func TestNewObjectRefuses(t *testing.T) {
	bare := func() registry.Object { return registry.Object{ID: 1, Name: "Bare", Multiple: true} }
	resource := func(r registry.Resource) registry.Object {
		d := bare()
		d.Resources = []registry.Resource{r}
		return d
	}
	type one struct {
		Text dm.Res[string]
		Many dm.Multi[string]
		Run  dm.Exec
	}
	cells := func(c func(*one) dm.Cell) func(*one, dm.ResourceID) dm.Cell {
		return func(o *one, id dm.ResourceID) dm.Cell {
			if c == nil || id != 5 {
				return nil
			}
			return c(o)
		}
	}
	text := func(o *one) dm.Cell { return &o.Text }
	many := func(o *one) dm.Cell { return &o.Many }
	run := func(o *one) dm.Cell { return &o.Run }
	tests := []struct {
		name string
		def  registry.Object
		cell func(*one, dm.ResourceID) dm.Cell
		want string
	}{
		{"the reserved object ID", registry.Object{ID: 65535, Name: "Bare"}, cells(nil), "65535"},
		{"the reserved resource ID", resource(registry.Resource{ID: 65535, Type: registry.String}),
			cells(nil), "65535"},
		{"no cell", resource(registry.Resource{ID: 5, Name: "Text", Type: registry.String}), cells(nil), "Text"},
		{"another type", resource(registry.Resource{ID: 5, Name: "Text", Type: registry.Integer}), cells(text), "Text"},
		{"one for many", resource(registry.Resource{ID: 5, Name: "Text", Type: registry.String, Multiple: true}),
			cells(text), "Text"},
		{"many for one", resource(registry.Resource{ID: 5, Name: "Text", Type: registry.String}), cells(many), "Text"},
		{"a value for an executable", resource(registry.Resource{ID: 5, Name: "Text", Ops: registry.E}),
			cells(text), "Text"},
		{"an executable for a value", resource(registry.Resource{ID: 5, Name: "Text", Type: registry.String}),
			cells(run), "Text"},
		{"a secret that shows", resource(registry.Resource{ID: 5, Name: "Text", Type: registry.String, Secret: true}),
			cells(text), "Text"},
		{"no cell function", resource(registry.Resource{ID: 5, Name: "Text", Type: registry.String}), nil, "cell"},
	}
	for _, test := range tests {
		o, err := dm.NewObject(&test.def, test.cell, dm.ObjectConfig[one]{})
		if err == nil || o != nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, %v, want an error with %q", test.name, o, err, test.want)
		}
	}
	unsorted := bare()
	unsorted.Resources = []registry.Resource{{ID: 5, Type: registry.String}, {ID: 4, Type: registry.String}}
	if _, err := dm.NewObject(&unsorted, cells(text), dm.ObjectConfig[one]{}); err == nil {
		t.Error("unsorted resources are allowed")
	}
	if _, err := dm.NewObject(nil, cells(text), dm.ObjectConfig[one]{}); err == nil {
		t.Error("no definition is allowed")
	}
	if _, err := dm.NewObject(&meterDefinition, (*meter).cell,
		dm.ObjectConfig[meter]{MaxInstances: -1}); err == nil || !strings.Contains(err.Error(), "MaxInstances") {
		t.Errorf("a negative MaxInstances: %v", err)
	}
	multiple := resource(registry.Resource{ID: 5, Name: "Run", Ops: registry.E, Multiple: true})
	if _, err := dm.NewObject(&multiple, cells(run), dm.ObjectConfig[one]{}); err != nil {
		t.Errorf("a multiple-instance executable: %v", err)
	}
}

func TestTemplateIsChecked(t *testing.T) {
	live := func(context.Context) (float64, error) { return 1, nil }
	for name, test := range map[string]struct {
		template meter
		want     string
	}{
		"out of range":                {meter{Goal: dm.Float(101)}, "Goal"},
		"live and writable":           {meter{Goal: dm.Func(live)}, "Commit"},
		"live without a function":     {meter{Level: dm.Func[float64](nil)}, "without a function"},
		"the reserved instance of it": {meter{Tags: dm.Map(map[dm.ResourceInstanceID]string{65535: "x"})}, "65535"},
	} {
		_, err := dm.NewObject(&meterDefinition, (*meter).cell, dm.ObjectConfig[meter]{Template: test.template})
		checkError(t, "a template that is "+name, err, []string{"template of Meter", test.want})
	}
	def := registry.Object{ID: 1, Name: "Runner", Multiple: true, Resources: []registry.Resource{
		{ID: 2, Name: "Label", Type: registry.String, Ops: registry.RW},
		{ID: 3, Name: "Reset", Ops: registry.E, Mandatory: true},
	}}
	_, err := dm.NewObject(&def, (*meter).cell, dm.ObjectConfig[meter]{Template: meter{Label: dm.Empty[string]()}})
	checkError(t, "a template without a mandatory executable", err, []string{"template of Runner", "Reset (3)"})
}

// The methods of a zero object return errors and do not panic.
func TestZeroObject(t *testing.T) {
	var zero dm.TypedObject[meter]
	ctx := context.Background()
	for what, err := range map[string]error{
		"Add":    zero.Add(0, fullMeter()),
		"Update": zero.Update(ctx, 0, func(*meter) error { return nil }),
		"Remove": zero.Remove(ctx, 0),
	} {
		checkError(t, what+" on the zero object", err, []string{"New"})
	}
	if _, ok := zero.Get(0); ok || zero.Len() != 0 {
		t.Error("the zero object has instances")
	}
	for range zero.All() {
		t.Error("the zero object has instances")
	}
	_, err := dm.NewModel(dm.ModelConfig{}, &zero)
	checkError(t, "registering the zero object", err, []string{"New"})
	var none *dm.TypedObject[meter]
	_, err = dm.NewModel(dm.ModelConfig{}, none)
	checkError(t, "registering a nil object", err, []string{"nil"})
	_, err = dm.NewModel(dm.ModelConfig{}, nil)
	checkError(t, "registering nothing", err, []string{"nil"})
}
