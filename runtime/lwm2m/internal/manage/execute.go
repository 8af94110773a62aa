package manage

import (
	"errors"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/serve"
)

// executor answers Execute (Core 1.2.2 §6.3.5) when the function has returned: on the loop, or on a
// worker where the function is marked as slow.
type executor struct{ cfg *Config }

func (x *executor) serve(q *request) {
	x.cfg.guard(func() { x.execute(q) }, func() { q.refuse(serve.ErrPanic) })
}

func (x *executor) execute(q *request) {
	s, p := q.scope.snapshot(), q.scope.peer
	args, err := q.arguments(s)
	if err == nil {
		err = s.Execute(p.fast, p.who, q.path, args)
	}
	if !errors.Is(err, dm.ErrSlow) {
		q.executed(err)
		return
	}
	if !p.requests.take() {
		q.refuse(errTooMany)
		return
	}
	q.r.Acknowledge()
	later := *q
	p.onWorker(func() error { return s.Execute(p.slow, p.who, later.path, args) }, func(err error) {
		p.requests.used--
		later.executed(err)
	})
}

// arguments reads the payload.
func (q *request) arguments(s dm.Snapshot) (dm.Args, error) {
	if err := q.authorize(Execute, q.path.Up(dm.InstanceLevel)); err != nil {
		return dm.Args{}, err
	}
	if q.format != content.None && !q.format.Carries(content.Execute, q.path.Level()) {
		return dm.Args{}, content.Check(q.format, content.Execute, q.path)
	}
	if def := definition(s, q.path); def == nil || !def.Ops.Executable() || !s.Has(q.path) {
		return dm.Args{}, nil // Execute fails, and its error takes precedence
	}
	return dm.ParseArgs(string(q.r.Body()))
}

func (q *request) executed(err error) {
	if err != nil {
		q.refuse(err)
		return
	}
	if fn := q.scope.peer.m.cfg.Executed; fn != nil && q.scope.device.cfg.Prefix == "" {
		fn(q.path)
	}
	q.succeed(coap.Changed)
}
