package dm

import (
	"context"
	"sync"
	"time"

	"github.com/lwm2mgen/toolkit/registry"
)

// LiveOption says how observers are told of a live value. It is an argument of Func, Slow, Moving,
// FuncMulti and SlowMulti. What a server reads is not affected.
type LiveOption func(*Reporting)

// Quiet keeps the value from causing a notification by itself, whatever node is observed: it is
// sent with others, and when pmax has passed. A value that a transaction writes is a change, and so
// is one that the application tells of by the resource's path (Notify of package lwm2m's Client).
func Quiet() LiveOption { return func(r *Reporting) { r.Quiet = true } }

// DeadBand makes a difference below band no change: the value causes a notification when it differs
// from the one that was sent last by band or more. gt, lt and st of a server are compared with the
// value itself. The resource must be a number, and band must be above 0.
func DeadBand(band float64) LiveOption {
	return func(r *Reporting) { r.DeadBand, r.banded = band, true }
}

// SampleEvery gives the value an interval of its own: observations call the function once in that
// interval, in place of once a second or once in pmin, and use its last value in between. An epmin
// of a server that is longer is respected, a shorter one is not. Notify of package lwm2m's Client
// ends the interval early. An interval of 0 means none.
func SampleEvery(interval time.Duration) LiveOption {
	return func(r *Reporting) { r.Every = max(interval, 0) }
}

// Reporting is how observers are told of a live value. The zero value means that every change of
// the value is a reason to notify.
type Reporting struct {
	// Quiet says that a change is no reason to notify. Moving says so for nodes above the resource.
	Quiet, Moving bool
	// DeadBand is the difference from which on a change is one. The zero value means any.
	DeadBand float64
	// Every is the interval in which the value is sampled. The zero value means that the attributes
	// of the server say so.
	Every time.Duration

	banded bool // DeadBand was given
}

func newReporting(options []LiveOption) Reporting {
	var r Reporting
	for _, option := range options {
		option(&r)
	}
	return r
}

// mark marks a value with what observers have to know.
func (r *Reporting) mark(v Value) Value {
	if r.Quiet {
		v.marks |= quiet
	}
	if r.Moving {
		v.marks |= moving
	}
	if r.DeadBand > 0 {
		v.marks |= banded
	}
	return v
}

// silentFor reports whether a change of the value is no reason to notify observers of a node of the
// given level.
func (r *Reporting) silentFor(l Level) bool { return r.Quiet || r.Moving && l < ResourceLevel }

// check reports a dead band that cannot be.
func (r *Reporting) check(def *registry.Resource, p Path) error {
	switch {
	case !r.banded:
		return nil
	case !(r.DeadBand > 0):
		return fail(InternalServerError, p, "%s has a dead band of %v: it must be above 0", def.Name, r.DeadBand)
	}
	switch def.Type {
	case registry.Integer, registry.UnsignedInteger, registry.Float, registry.Time:
		return nil
	}
	return fail(InternalServerError, p, "%s has a dead band and is no number", def.Name)
}

type samplingKey struct{}

// WithSampling returns a context under which the function of a resource with SampleEvery is called
// once in its interval, and its last value is returned in between. It is for runtimes.
func WithSampling(ctx context.Context) context.Context {
	return context.WithValue(ctx, samplingKey{}, true)
}

// recent holds the last value of a function for the samples of one interval.
type recent[V any] struct {
	mu    sync.Mutex
	valid bool
	at    time.Time
	v     V
}

// get returns the value if it is not older than the interval. The clock of the sampling goroutine
// may be a little behind, so an interval ends up to a tenth or a second early.
func (r *recent[V]) get(interval time.Duration) (v V, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.valid || time.Since(r.at) >= interval-min(interval/10, time.Second) {
		return v, false
	}
	return r.v, true
}

func (r *recent[V]) put(at time.Time, v V) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.v, r.at, r.valid = v, at, true
}

func (r *recent[V]) expire() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.valid = false
}

// sampleOf calls fn, or returns what it has returned in the present interval of samples.
func sampleOf[V any](ctx context.Context, r *Reporting, last *recent[V], fn func(context.Context) (V, error), clone func(V) V) (V, error) {
	if r.Every <= 0 {
		return fn(ctx)
	}
	if ctx.Value(samplingKey{}) != nil {
		if v, ok := last.get(r.Every); ok {
			return v, nil
		}
	}
	at := time.Now()
	v, err := fn(ctx)
	if err == nil {
		v = clone(v)
		last.put(at, v)
	}
	return v, err
}

// Sampling reports whether observers of p, whose rights are those of who, have to sample it because
// functions give its values, and the interval of which those values make do: the shortest, or 0
// where one of them has none. Sampling is for runtimes.
func (s Snapshot) Sampling(who Origin, p Path) (sampled bool, every time.Duration) {
	s.eachLive(who, p, func(r *Reporting) bool {
		if r.silentFor(p.level) {
			return true
		}
		if !sampled || r.Every < every {
			every = r.Every
		}
		sampled = true
		return every > 0
	})
	return sampled, every
}

// Reporting returns how observers are told of the live resource that p names or lies in; the zero
// value where there is none. Reporting is for runtimes.
func (s Snapshot) Reporting(p Path) Reporting {
	v, ok := s.find(p.Object())
	if !ok || p.level < ResourceLevel || !v.has(p.Instance()) {
		return Reporting{}
	}
	if c := v.cell(p.Instance(), p.Resource()); c != nil {
		if r := c.reporting(); r != nil {
			return *r
		}
	}
	return Reporting{}
}

// Expire ends the sampling intervals at and below p: the next samples call the functions. Expire is
// for runtimes.
func (s Snapshot) Expire(p Path) {
	s.eachLiveCell(Application, p, func(c Cell) bool { c.expire(); return true })
}

// eachLive calls fn for the live resources at and below p that who can read, until it returns
// false.
func (s Snapshot) eachLive(who Origin, p Path, fn func(*Reporting) bool) {
	s.eachLiveCell(who, p, func(c Cell) bool { return fn(c.reporting()) })
}

func (s Snapshot) eachLiveCell(who Origin, p Path, fn func(Cell) bool) {
	if p.IsRoot() {
		for _, o := range s.r.all() {
			s.eachLiveCell(who, ObjectPath(o.id()), fn)
		}
		return
	}
	v, ok := s.find(p.Object())
	if !ok {
		return
	}
	if p.level >= InstanceLevel {
		eachLiveOf(v, who, p, fn)
		return
	}
	for i, ok := v.next(0); ok; i, ok = v.next(uint32(i) + 1) {
		if !eachLiveOf(v, who, InstancePath(p.Object(), i), fn) {
			return
		}
	}
}

// eachLiveOf is eachLiveCell for an instance or one of its resources. It returns false where fn
// did.
func eachLiveOf(v view, who Origin, p Path, fn func(Cell) bool) bool {
	def := v.definition()
	for i := range def.Resources {
		r := &def.Resources[i]
		if p.level > InstanceLevel && ResourceID(r.ID) != p.Resource() || !mayRead(who, r) {
			continue
		}
		c := v.cell(p.Instance(), ResourceID(r.ID))
		if c != nil && c.live() && c.stream() == nil && !fn(c) {
			return false
		}
	}
	return true
}
