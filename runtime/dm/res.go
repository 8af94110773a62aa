package dm

import (
	"context"
	"fmt"
	"time"

	"github.com/lwm2mgen/toolkit/registry"
)

// Res is a single-instance resource. It is in one of three states: unsupported (the zero value: the
// resource does not exist in this instance), supported but empty (Empty), or valued. A valued
// resource either stores its value (Float, Str, ...) or is live: a function returns it (Func,
// Slow).
//
// A Res is a plain value: copying it copies the value. Methods that change it are for instances
// that are not added yet and for the copy that Update passes to its function. They are not safe for
// concurrent use.
type Res[T DataType] struct {
	state  state
	v      T
	source *source[T]
}

// source is the function or stream behind a live resource. All copies of the cell share it.
type source[T DataType] struct {
	fn     func(context.Context) (T, error)
	slow   bool
	report Reporting
	recent recent[T]
	*stream
	warning
}

// Int returns a stored Integer.
func Int(v int64) Res[int64] { return Res[int64]{state: stored, v: v} }

// Uint returns a stored Unsigned Integer.
func Uint(v uint64) Res[uint64] { return Res[uint64]{state: stored, v: v} }

// Float returns a stored Float.
func Float(v float64) Res[float64] { return Res[float64]{state: stored, v: v} }

// Str returns a stored String. It must be valid UTF-8 when the instance is added.
func Str(v string) Res[string] { return Res[string]{state: stored, v: v} }

// Bool returns a stored Boolean.
func Bool(v bool) Res[bool] { return Res[bool]{state: stored, v: v} }

// Bytes returns a stored Opaque with a copy of v.
func Bytes(v []byte) Res[[]byte] { return Res[[]byte]{state: stored, v: cloneValue(v)} }

// Time returns a stored Time in UTC. Fractions of a second are cut off, because LwM2M carries whole
// seconds.
func Time(v time.Time) Res[time.Time] { return Res[time.Time]{state: stored, v: cloneValue(v)} }

// Link returns a stored Objlnk.
func Link(v ObjectLink) Res[ObjectLink] { return Res[ObjectLink]{state: stored, v: v} }

// Core returns a stored Corelnk.
func Core(v CoreLink) Res[CoreLink] { return Res[CoreLink]{state: stored, v: v} }

// Key returns a stored secret Opaque with a copy of v.
func Key(v []byte) Res[Secret] { return Res[Secret]{state: stored, v: NewSecret(v)} }

// Password returns a stored secret String.
func Password(v string) Res[SecretString] {
	return Res[SecretString]{state: stored, v: NewSecretString(v)}
}

// Empty returns a resource that is supported but has no value yet. A server can write it if its
// definition allows.
func Empty[T DataType]() Res[T] { return Res[T]{state: empty} }

// Func returns a live resource: each read calls fn. For a server's read fn runs on the loop that
// serves the device, so it must be quick; see Slow. A server's read that also covers a Slow
// resource is repeated as a whole on a worker and calls fn there, and reads of the application call
// fn on their own goroutine, so several goroutines may call fn at once. The context carries who
// asks (OriginFrom). fn returns ErrNoValue if it has no value at the moment; any other error fails
// the read. A nil fn is refused when the instance is added.
//
// A write to a live resource is staged: Validate and Commit see the written value in the new
// instance, Commit applies it, and the resource stays live. A live resource that servers may write
// therefore needs a Commit hook.
func Func[T DataType](fn func(context.Context) (T, error), options ...LiveOption) Res[T] {
	return Res[T]{state: liveIdle, source: &source[T]{fn: fn, report: newReporting(options)}}
}

// Slow returns a live resource like Func, for a function that may take long. For a server's read fn
// runs on a worker, and the loop serves other requests in the meantime.
func Slow[T DataType](fn func(context.Context) (T, error), options ...LiveOption) Res[T] {
	return Res[T]{state: liveIdle, source: &source[T]{fn: fn, slow: true, report: newReporting(options)}}
}

// Moving returns a live resource as Func does, whose value moves although nothing happens, such as
// the time of day or a time of operation. Passing time is no change: the value does not notify the
// observers of its instance and object, who receive it with the next notification; those of the
// resource itself are notified. A value that a transaction writes is a change, and so is one that
// the application tells of by the resource's path (Notify of package lwm2m's Client).
func Moving[T DataType](fn func(context.Context) (T, error), options ...LiveOption) Res[T] {
	r := newReporting(options)
	r.Moving = true
	return Res[T]{state: liveIdle, source: &source[T]{fn: fn, report: r}}
}

// Supported reports whether the resource exists in this instance.
func (r Res[T]) Supported() bool { return r.state != unsupported }

// Get returns the stored value, or the value that the transaction in progress has staged. It
// returns false for a resource that is unsupported, empty or live.
func (r Res[T]) Get() (T, bool) {
	if r.state != stored && r.state != liveSet {
		var zero T
		return zero, false
	}
	return cloneValue(r.v), true
}

// Or returns the value of Get, or other if there is none.
func (r Res[T]) Or(other T) T {
	if v, ok := r.Get(); ok {
		return v
	}
	return other
}

// Read returns the value, stored or live. It fails with ErrNoValue if the resource is empty, with
// NotFound if it is unsupported, and with the error of its function.
func (r Res[T]) Read(ctx context.Context) (T, error) {
	switch r.state {
	case stored, liveSet:
		return cloneValue(r.v), nil
	case liveIdle:
		return r.call(ctx)
	case unsupported:
		var zero T
		return zero, errUnsupported
	}
	var zero T
	return zero, ErrNoValue
}

func (r *Res[T]) call(ctx context.Context) (T, error) {
	if r.source.fn == nil {
		var zero T
		return zero, ErrNoValue
	}
	if r.source.slow && refusesSlow(ctx) {
		var zero T
		return zero, ErrSlow
	}
	return sampleOf(ctx, &r.source.report, &r.source.recent, r.source.fn, cloneValue)
}

// Set stores v. An unsupported resource becomes supported. A live resource stays live: the value is
// staged for the Commit hook of the Update in which Set is called.
func (r *Res[T]) Set(v T) {
	r.state, r.v = r.state.setTo(), cloneValue(v)
}

// Clear removes the value. The resource stays supported but empty; an unsupported one stays
// unsupported.
func (r *Res[T]) Clear() { r.clear() }

// Format prints the value under the given verb, or <unsupported>, <empty> or <live> if there is
// none.
func (r Res[T]) Format(f fmt.State, verb rune) {
	if v, ok := r.Get(); ok {
		_, _ = fmt.Fprintf(f, fmt.FormatString(f, verb), v)
		return
	}
	_, _ = f.Write([]byte(r.state.String()))
}

// String returns the text that is printed if there is no stored value.
func (s state) String() string {
	switch s {
	case unsupported:
		return "<unsupported>"
	case empty, liveEmpty:
		return "<empty>"
	}
	return "<live>"
}

func (r *Res[T]) kind() (registry.Type, bool) { return typeOf[T](), false }

func (r *Res[T]) supported() bool { return r.state != unsupported }

func (r *Res[T]) hides() bool { return hides[T]() }

func (r *Res[T]) hasValue() bool {
	return r.state == stored || r.state == liveSet || r.state == liveIdle
}

func (r *Res[T]) live() bool { return r.state.isLive() }

func (r *Res[T]) reporting() *Reporting {
	if !r.state.isLive() {
		return nil
	}
	return &r.source.report
}

func (r *Res[T]) expire() {
	if r.state.isLive() {
		r.source.recent.expire()
	}
}

func (r *Res[T]) staged() bool { return r.state.isStaged() }

func (r *Res[T]) read(ctx context.Context, _ ResourceInstanceID) (Value, error) {
	switch r.state {
	case stored, liveSet:
		return toValue(&r.v), nil
	case liveIdle:
		v, err := r.call(ctx)
		if err != nil {
			return Value{}, err
		}
		return r.source.report.mark(toValue(&v)), nil
	}
	return Value{}, ErrNoValue
}

func (r *Res[T]) each(ctx context.Context, p Path, yield Yield) error {
	v, err := r.read(ctx, 0)
	if err != nil {
		return err
	}
	return yield(p, v)
}

func (r *Res[T]) instances(context.Context, func(ResourceInstanceID) bool) error { return nil }

func (r *Res[T]) support() {
	if r.state == unsupported {
		r.state = empty
	}
}

func (r *Res[T]) clear() {
	var zero T
	r.state, r.v = r.state.cleared(), zero
}

func (r *Res[T]) set(_ ResourceInstanceID, v Value) {
	t, ok := fromValue[T](v)
	if ok {
		r.state, r.v = r.state.setTo(), t
	}
}

func (r *Res[T]) remove(ResourceInstanceID) bool { return false }

func (r *Res[T]) assign(from Cell) {
	if f, ok := from.(*Res[T]); ok {
		*r = *f
	}
}

func (r *Res[T]) assignOne(Cell, ResourceInstanceID) {}

func (r *Res[T]) settle() {
	if r.state.isLive() {
		var zero T
		r.state, r.v = liveIdle, zero
	}
}

func (r *Res[T]) diff(old Cell, p Path, yield func(Path)) {
	o, ok := old.(*Res[T])
	if !ok || r.state != o.state || r.source != o.source || !equal(&r.v, &o.v) {
		yield(p)
	}
}

func (r *Res[T]) check(def *registry.Resource, p Path) error {
	switch {
	case r.state.isLive() && r.source.fn == nil && r.source.stream == nil:
		return fail(InternalServerError, p, "%s is live without a function", def.Name)
	case r.state.isLive():
		if err := r.source.report.check(def, p); err != nil || r.state != liveSet {
			return err
		}
		return checkValue(def, p, toValue(&r.v))
	case r.state == stored:
		return checkValue(def, p, toValue(&r.v))
	}
	return nil
}

func (r *Res[T]) stream() *stream {
	if r.source == nil {
		return nil
	}
	return r.source.stream
}

func (r *Res[T]) warn(f fault) bool { return r.source != nil && r.source.first(f) }
