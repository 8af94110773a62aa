package dm_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/dm"
)

func TestMultiStates(t *testing.T) {
	fn := func(context.Context) (map[dm.ResourceInstanceID]int64, error) { return nil, nil }
	tests := []struct {
		name      string
		m         dm.Multi[int64]
		supported bool
		printed   string
	}{
		{"unsupported", dm.Multi[int64]{}, false, "<unsupported>"},
		{"empty", dm.EmptyMulti[int64](), true, "<empty>"},
		{"an empty list", dm.List[int64](), true, "<empty>"},
		{"an empty map", dm.Map[int64](nil), true, "<empty>"},
		{"a list", dm.List[int64](5, 6), true, "[0:5 1:6]"},
		{"a map", dm.Map(map[dm.ResourceInstanceID]int64{65534: 7, 2: 5}), true, "[2:5 65534:7]"},
		{"live", dm.FuncMulti(fn), true, "<live>"},
		{"slow", dm.SlowMulti(fn), true, "<live>"},
	}
	for _, test := range tests {
		if got := test.m.Supported(); got != test.supported {
			t.Errorf("%s: Supported is %t", test.name, got)
		}
		if got := fmt.Sprint(test.m); got != test.printed {
			t.Errorf("%s: prints as %q, want %q", test.name, got, test.printed)
		}
	}
}

// The constructors for each data type need no type argument: constants of a list become values of
// the type, and without any the resource is supported and empty.
func TestLists(t *testing.T) {
	at := time.Unix(1700000000, 0)
	for _, test := range []struct {
		list, empty fmt.Formatter
		want        string
	}{
		{dm.Ints(1, 2), dm.Ints(), "[0:1 1:2]"},
		{dm.Uints(1, 2), dm.Uints(), "[0:1 1:2]"},
		{dm.Floats(1, 2.5), dm.Floats(), "[0:1 1:2.5]"},
		{dm.Strs("a", "b"), dm.Strs(), "[0:a 1:b]"},
		{dm.Bools(true, false), dm.Bools(), "[0:true 1:false]"},
		{dm.ByteLists([]byte("a")), dm.ByteLists(), "[0:[97]]"},
		{dm.Times(at), dm.Times(), "[0:2023-11-14 22:13:20 +0000 UTC]"},
		{dm.Links(dm.ObjectLink{Object: 3, Instance: 0}), dm.Links(), "[0:3:0]"},
		{dm.Cores("</3>"), dm.Cores(), "[0:</3>]"},
	} {
		if got := fmt.Sprint(test.list); got != test.want {
			t.Errorf("%T: %s, want %s", test.list, got, test.want)
		}
		if got := fmt.Sprint(test.empty); got != "<empty>" {
			t.Errorf("%T without values: %s", test.empty, got)
		}
	}
}

func TestMultiSetDeleteClear(t *testing.T) {
	var m dm.Multi[string]
	m.Clear()
	if m.Supported() || m.Delete(0) {
		t.Errorf("an unsupported resource became %v", m)
	}
	m.Set(7, "seven")
	m.Set(3, "three")
	m.Set(7, "SEVEN")
	if v, ok := m.Get(7); !ok || v != "SEVEN" || m.Len() != 2 {
		t.Errorf("instance 7 is %q, %t among %d", v, ok, m.Len())
	}
	if _, ok := m.Get(4); ok {
		t.Error("instance 4 is there")
	}
	if !m.Delete(7) || m.Delete(7) || m.Len() != 1 {
		t.Errorf("after deleting 7 it is %v", m)
	}
	if !m.Delete(3) || !m.Supported() || m.Len() != 0 {
		t.Errorf("after deleting all it is %v, want it to be supported", m)
	}
	m.Set(1, "one")
	m.Clear()
	if !m.Supported() || m.Len() != 0 {
		t.Errorf("after Clear it is %v", m)
	}
}

func TestMultiRead(t *testing.T) {
	ctx := context.Background()
	broken := errors.New("broken")
	live := dm.FuncMulti(func(context.Context) (map[dm.ResourceInstanceID]int64, error) {
		return map[dm.ResourceInstanceID]int64{2: 20}, nil
	})
	tests := []struct {
		name string
		m    dm.Multi[int64]
		err  error
	}{
		{"stored", dm.Map(map[dm.ResourceInstanceID]int64{2: 20}), nil},
		{"live", live, nil},
		{"unsupported", dm.Multi[int64]{}, dm.NotFound},
		{"empty", dm.EmptyMulti[int64](), dm.ErrNoValue},
		{"failing", dm.FuncMulti(func(context.Context) (map[dm.ResourceInstanceID]int64, error) { return nil, broken }), broken},
		{"without a function", dm.FuncMulti[int64](nil), dm.ErrNoValue},
	}
	for _, test := range tests {
		v, err := test.m.Read(ctx, 2)
		if !errors.Is(err, test.err) || (err == nil) != (v == 20) {
			t.Errorf("%s: %v, %v, want the error %v", test.name, v, err, test.err)
		}
	}
	if v, err := live.Read(ctx, 3); !errors.Is(err, dm.ErrNoValue) {
		t.Errorf("an instance that the function does not give: %v, %v", v, err)
	}
	if v, err := dm.SlowMulti(func(context.Context) (map[dm.ResourceInstanceID]int64, error) {
		t.Error("the function was called")
		return nil, nil
	}).Read(dm.RefuseSlow(ctx), 2); !errors.Is(err, dm.ErrSlow) {
		t.Errorf("a slow function where it must not run: %v, %v", v, err)
	}
}

func TestMultiAllAscends(t *testing.T) {
	m := dm.Map(map[dm.ResourceInstanceID]int64{500: 1, 0: 2, 65534: 3, 64: 4, 63: 5})
	var ids []dm.ResourceInstanceID
	for id := range m.All() {
		ids = append(ids, id)
	}
	if want := []dm.ResourceInstanceID{0, 63, 64, 500, 65534}; !slices.Equal(ids, want) {
		t.Errorf("the instances come as %v, want %v", ids, want)
	}
	for id := range m.All() {
		if id != 0 {
			t.Fatalf("the walk went on to %d", id)
		}
		break
	}
}

// A Multi is a value: a change of a copy never changes the original.
func TestMultiIsPersistent(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	type version struct {
		m    dm.Multi[int64]
		want map[dm.ResourceInstanceID]int64
	}
	versions := []version{{dm.EmptyMulti[int64](), map[dm.ResourceInstanceID]int64{}}}
	for i := range 500 {
		v := versions[r.IntN(len(versions))] // continue from any earlier version
		next := version{v.m, maps.Clone(v.want)}
		id := dm.ResourceInstanceID(r.IntN(200))
		switch r.IntN(6) {
		case 0, 1:
			_, had := next.want[id]
			if next.m.Delete(id) != had {
				t.Fatalf("Delete(%d) does not say whether it was there", id)
			}
			delete(next.want, id)
		case 2:
			if r.IntN(10) == 0 {
				next.m.Clear()
				clear(next.want)
			}
		default:
			next.m.Set(id, int64(i))
			next.want[id] = int64(i)
		}
		versions = append(versions, next)
	}
	for i, v := range versions {
		if got := maps.Collect(v.m.All()); !maps.Equal(got, v.want) || v.m.Len() != len(v.want) {
			t.Fatalf("version %d holds %v, want %v", i, got, v.want)
		}
	}
}
