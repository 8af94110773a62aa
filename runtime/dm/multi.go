package dm

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"time"

	"github.com/lwm2mgen/toolkit/registry"
)

// Multi is a multiple-instance resource: each of its resource instances has a value. Like Res it is
// unsupported (the zero value), supported but empty (EmptyMulti, or Ints() and its like), or
// valued, and it either stores its instances (Ints, Strs, ..., List, Map) or is live (FuncMulti).
//
// A Multi is a plain value: Set and Delete change only the copy on which they are called. They are
// for instances that are not added yet and for the copy that Update passes to its function. They
// are not safe for concurrent use.
type Multi[T DataType] struct {
	state  state
	inst   tree[T]
	source *multiSource[T]
}

type multiSource[T DataType] struct {
	fn     func(context.Context) (map[ResourceInstanceID]T, error)
	slow   bool
	report Reporting
	recent recent[map[ResourceInstanceID]T]
	warning
}

// Ints returns a stored multiple-instance Integer whose resource instances 0, 1, 2, ... have the
// given values. Without values, as with each of the functions below, the resource is supported but
// has no resource instances yet.
func Ints(values ...int64) Multi[int64] { return List(values...) }

// Uints is Ints for Unsigned Integers.
func Uints(values ...uint64) Multi[uint64] { return List(values...) }

// Floats is Ints for Floats.
func Floats(values ...float64) Multi[float64] { return List(values...) }

// Strs is Ints for Strings.
func Strs(values ...string) Multi[string] { return List(values...) }

// Bools is Ints for Booleans.
func Bools(values ...bool) Multi[bool] { return List(values...) }

// ByteLists is Ints for Opaques. It copies the values.
func ByteLists(values ...[]byte) Multi[[]byte] { return List(values...) }

// Times is Ints for Times. It keeps whole seconds in UTC, as Time does.
func Times(values ...time.Time) Multi[time.Time] { return List(values...) }

// Links is Ints for Objlnks.
func Links(values ...ObjectLink) Multi[ObjectLink] { return List(values...) }

// Cores is Ints for Corelnks.
func Cores(values ...CoreLink) Multi[CoreLink] { return List(values...) }

// List returns a stored resource whose resource instances 0, 1, 2, ... have the given values, for
// values of any data type, such as secrets.
func List[T DataType](values ...T) Multi[T] {
	m := EmptyMulti[T]()
	for i, v := range values {
		m.Set(ResourceInstanceID(i), v)
	}
	return m
}

// Map returns a stored resource with the given resource instances.
func Map[T DataType](values map[ResourceInstanceID]T) Multi[T] {
	m := EmptyMulti[T]()
	for id, v := range values {
		m.Set(id, v)
	}
	return m
}

// EmptyMulti returns a resource that is supported but has no resource instances yet, of any data
// type. Ints(), Strs() and so on need no type argument.
func EmptyMulti[T DataType]() Multi[T] { return Multi[T]{state: empty} }

// FuncMulti returns a live resource: each read calls fn, which returns all resource instances. The
// rules of Func hold.
func FuncMulti[T DataType](
	fn func(context.Context) (map[ResourceInstanceID]T, error), options ...LiveOption,
) Multi[T] {
	return Multi[T]{state: liveIdle, source: &multiSource[T]{fn: fn, report: newReporting(options)}}
}

// SlowMulti returns a live resource like FuncMulti, for a function that may take long. The rules of
// Slow hold.
func SlowMulti[T DataType](
	fn func(context.Context) (map[ResourceInstanceID]T, error), options ...LiveOption,
) Multi[T] {
	return Multi[T]{state: liveIdle, source: &multiSource[T]{fn: fn, slow: true, report: newReporting(options)}}
}

// Supported reports whether the resource exists in this instance.
func (m Multi[T]) Supported() bool { return m.state != unsupported }

// Len returns the number of resource instances that are stored, or staged by the transaction in
// progress.
func (m Multi[T]) Len() int { return m.inst.n }

// Get returns the value of a resource instance that is stored or staged.
func (m Multi[T]) Get(id ResourceInstanceID) (T, bool) {
	v, ok := m.inst.get(uint16(id))
	return cloneValue(v), ok
}

// Read returns the value of a resource instance, stored or live. It fails with ErrNoValue if there
// is no such resource instance, with NotFound if the resource is unsupported, and with the error of
// the function, which is called for all resource instances.
func (m Multi[T]) Read(ctx context.Context, id ResourceInstanceID) (T, error) {
	var zero T
	if m.state == unsupported {
		return zero, errUnsupported
	}
	t, err := m.values(ctx)
	if err != nil {
		return zero, err
	}
	v, ok := t.get(uint16(id))
	if !ok {
		return zero, ErrNoValue
	}
	return cloneValue(v), nil
}

// All yields the resource instances that are stored or staged, in ascending order of ID.
func (m Multi[T]) All() iter.Seq2[ResourceInstanceID, T] {
	return func(yield func(ResourceInstanceID, T) bool) {
		for id, v, ok := m.inst.next(0); ok; id, v, ok = m.inst.next(uint32(id) + 1) {
			if !yield(ResourceInstanceID(id), cloneValue(v)) {
				return
			}
		}
	}
}

// Set stores v as the resource instance with the given ID. An unsupported resource becomes
// supported. The ID 65535 is refused when the instance is added or the Update ends.
func (m *Multi[T]) Set(id ResourceInstanceID, v T) {
	m.state, m.inst = m.state.setTo(), m.inst.put(uint16(id), cloneValue(v))
}

// Delete removes a resource instance and reports whether there was one.
func (m *Multi[T]) Delete(id ResourceInstanceID) bool { return m.remove(id) }

// Clear removes all resource instances. The resource stays supported but empty.
func (m *Multi[T]) Clear() { m.clear() }

// Format prints the resource instances as in [0:1 1:5], each value under the given verb.
func (m Multi[T]) Format(f fmt.State, verb rune) {
	if m.inst.n == 0 {
		_, _ = f.Write([]byte(m.state.String()))
		return
	}
	sep := "["
	for id, v := range m.All() {
		_, _ = fmt.Fprintf(f, "%s%d:", sep, id)
		_, _ = fmt.Fprintf(f, fmt.FormatString(f, verb), v)
		sep = " "
	}
	_, _ = f.Write([]byte("]"))
}

func (m *Multi[T]) kind() (registry.Type, bool) { return typeOf[T](), true }

func (m *Multi[T]) supported() bool { return m.state != unsupported }

func (m *Multi[T]) hides() bool { return hides[T]() }

// hasValue returns true also for a resource without resource instances, because it may have some.
func (m *Multi[T]) hasValue() bool { return m.state != unsupported }

func (m *Multi[T]) live() bool { return m.state.isLive() }

func (m *Multi[T]) reporting() *Reporting {
	if !m.state.isLive() {
		return nil
	}
	return &m.source.report
}

func (m *Multi[T]) expire() {
	if m.state.isLive() {
		m.source.recent.expire()
	}
}

func (m *Multi[T]) staged() bool { return m.state.isStaged() }

// values returns the resource instances, from the function if the resource is live.
func (m *Multi[T]) values(ctx context.Context) (tree[T], error) {
	if m.state != liveIdle {
		return m.inst, nil
	}
	switch {
	case m.source.fn == nil:
		return tree[T]{}, ErrNoValue
	case m.source.slow && refusesSlow(ctx):
		return tree[T]{}, ErrSlow
	}
	all, err := sampleOf(ctx, &m.source.report, &m.source.recent, m.source.fn, maps.Clone)
	if err != nil {
		return tree[T]{}, err
	}
	var t tree[T]
	for id, v := range all {
		if id == reserved {
			return t, fmt.Errorf("the function returned the reserved resource instance ID %d", id)
		}
		t = t.put(uint16(id), v)
	}
	return t, nil
}

func (m *Multi[T]) read(ctx context.Context, ri ResourceInstanceID) (Value, error) {
	t, err := m.values(ctx)
	if err != nil {
		return Value{}, err
	}
	v, ok := t.get(uint16(ri))
	if !ok {
		return Value{}, ErrNoValue
	}
	return m.mark(toValue(&v)), nil
}

// mark marks a live value with what observers have to know.
func (m *Multi[T]) mark(v Value) Value {
	if m.state != liveIdle {
		return v
	}
	return m.source.report.mark(v)
}

func (m *Multi[T]) each(ctx context.Context, p Path, yield Yield) error {
	t, err := m.values(ctx)
	if err != nil {
		return err
	}
	if t.n == 0 {
		return yield(p, Value{})
	}
	for id, v, ok := t.next(0); ok; id, v, ok = t.next(uint32(id) + 1) {
		if err := yield(p.child(id), m.mark(toValue(&v))); err != nil {
			return err
		}
	}
	return nil
}

func (m *Multi[T]) instances(ctx context.Context, yield func(ResourceInstanceID) bool) error {
	t, err := m.values(ctx)
	if err != nil {
		return err
	}
	for id, _, ok := t.next(0); ok; id, _, ok = t.next(uint32(id) + 1) {
		if !yield(ResourceInstanceID(id)) {
			break
		}
	}
	return nil
}

func (m *Multi[T]) support() {
	if m.state == unsupported {
		m.state = empty
	}
}

func (m *Multi[T]) clear() { m.state, m.inst = m.state.cleared(), tree[T]{} }

func (m *Multi[T]) set(ri ResourceInstanceID, v Value) {
	if t, ok := fromValue[T](v); ok {
		m.state, m.inst = m.state.setTo(), m.inst.put(uint16(ri), t)
	}
}

func (m *Multi[T]) remove(ri ResourceInstanceID) bool {
	if _, ok := m.inst.get(uint16(ri)); !ok {
		return false
	}
	m.inst = m.inst.remove(uint16(ri))
	if m.state == stored && m.inst.n == 0 {
		m.state = empty
	}
	return true
}

func (m *Multi[T]) assign(from Cell) {
	if f, ok := from.(*Multi[T]); ok {
		*m = *f
	}
}

func (m *Multi[T]) assignOne(from Cell, ri ResourceInstanceID) {
	f, ok := from.(*Multi[T])
	if !ok {
		return
	}
	if v, ok := f.inst.get(uint16(ri)); ok {
		m.state, m.inst = m.state.setTo(), m.inst.put(uint16(ri), v)
	} else {
		m.remove(ri)
	}
}

func (m *Multi[T]) settle() {
	if m.state.isLive() {
		m.state, m.inst = liveIdle, tree[T]{}
	}
}

func (m *Multi[T]) diff(old Cell, p Path, yield func(Path)) {
	o, ok := old.(*Multi[T])
	if !ok || m.state.isLive() || o.state.isLive() || (m.state == unsupported) != (o.state == unsupported) {
		if !ok || m.state != o.state || m.source != o.source || m.state == liveSet {
			yield(p)
		}
		return
	}
	if m.inst.root == o.inst.root {
		return
	}
	walkDiff(&m.inst, &o.inst, func(id uint16) { yield(p.child(id)) })
}

// walkDiff yields the IDs at which the two trees differ, in ascending order.
func walkDiff[T DataType](a, b *tree[T], yield func(uint16)) {
	i, x, okA := a.next(0)
	j, y, okB := b.next(0)
	for okA || okB {
		switch {
		case okA && (!okB || i < j):
			yield(i)
			i, x, okA = a.next(uint32(i) + 1)
		case okB && (!okA || j < i):
			yield(j)
			j, y, okB = b.next(uint32(j) + 1)
		default:
			if !equal(&x, &y) {
				yield(i)
			}
			i, x, okA = a.next(uint32(i) + 1)
			j, y, okB = b.next(uint32(j) + 1)
		}
	}
}

func (m *Multi[T]) check(def *registry.Resource, p Path) error {
	if m.state.isLive() && m.source.fn == nil {
		return fail(InternalServerError, p, "%s is live without a function", def.Name)
	}
	if m.state.isLive() {
		if err := m.source.report.check(def, p); err != nil {
			return err
		}
	}
	for id, v, ok := m.inst.next(0); ok; id, v, ok = m.inst.next(uint32(id) + 1) {
		if id == reserved {
			return fail(BadRequest, p, "%s has the reserved resource instance ID 65535", def.Name)
		}
		if err := checkValue(def, p.child(id), toValue(&v)); err != nil {
			return err
		}
	}
	return nil
}

func (m *Multi[T]) stream() *stream { return nil }

func (m *Multi[T]) warn(f fault) bool { return m.source != nil && m.source.first(f) }
