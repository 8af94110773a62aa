package manage

import (
	"errors"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// serveExecute answers an Execute when the function has returned.
func (p *Peer) serveExecute(q *request) {
	r, path := q.r, q.path
	s := p.m.cfg.Model.Snapshot()
	args, err := p.arguments(q, s)
	if err == nil {
		err = s.Execute(p.fast, p.who, path, args)
	}
	if !errors.Is(err, dm.ErrSlow) {
		p.executed(r, err)
		return
	}
	if !p.take() {
		p.refuse(r, errTooMany)
		return
	}
	r.Acknowledge()
	p.m.cfg.Worker(func() {
		err := s.Execute(p.slow, p.who, path, args)
		p.m.cfg.Sched.Post(func() {
			p.give()
			p.executed(r, err)
		})
	})
}

// arguments reads the payload.
func (p *Peer) arguments(q *request, s dm.Snapshot) (dm.Args, error) {
	if err := p.authorize(Execute, q.path.Up(dm.InstanceLevel)); err != nil {
		return dm.Args{}, err
	}
	if q.format != content.None && !q.format.Carries(content.Execute, q.path.Level()) {
		return dm.Args{}, content.Check(q.format, content.Execute, q.path)
	}
	if def := definition(s, q.path); def == nil || !def.Ops.Executable() || !s.Has(q.path) {
		return dm.Args{}, nil // there is nothing to execute, which counts for more
	}
	return dm.ParseArgs(string(q.r.Body()))
}

func (p *Peer) executed(r *coap.Request, err error) {
	if err != nil {
		p.refuse(r, err)
		return
	}
	succeed(r, coap.Changed)
}
