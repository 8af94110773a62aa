package provision

import (
	"context"
	"errors"

	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/codec"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/serve"
)

// read answers a Bootstrap-Read (Core 1.2.2 §6.1.7.4): on the loop, or on a worker where a slow
// function gives a value. No other request is served meanwhile, so the state stays as it is.
func (s *Sequence) read(k *task) {
	k.format = s.cfg.Format
	if accept, asked := k.r.Options().Accept(); asked {
		k.format = content.Format(accept)
	}
	snap := s.snapshot()
	var body []byte
	s.perform(func() (err error) {
		if err = content.Check(k.format, content.Read, k.path); err == nil {
			body, err = encode(dm.RefuseSlow(s.ctx), snap, k)
		}
		return err
	}, func(err error) {
		if errors.Is(err, dm.ErrSlow) {
			s.readSlowly(k, snap)
			return
		}
		s.answerRead(k, body, err)
	})
}

func (s *Sequence) readSlowly(k *task, snap dm.Snapshot) {
	k.r.Acknowledge()
	s.cfg.Worker(func() {
		var body []byte
		serve.Observe(func() (err error) {
			body, err = encode(s.ctx, snap, k)
			return err
		}, func(err error, p *serve.Panic) {
			s.cfg.Sched.Post(func() {
				defer s.guard.Raise(p)
				if !s.ended {
					s.answerRead(k, body, err)
				}
			})
		})
	})
}

func (s *Sequence) answerRead(k *task, body []byte, err error) {
	if err != nil {
		s.refuse(k.r, err)
	} else {
		respond(k.r, k.format, body)
	}
	s.leave()
}

// encode returns the values at and below a path.
func encode(ctx context.Context, snap dm.Snapshot, k *task) ([]byte, error) {
	var e codec.Encoder
	if err := e.Begin(k.format, nil, content.Target{Base: k.path}); err != nil {
		return nil, err
	}
	if err := snap.Read(ctx, dm.Bootstrap, k.path, e.Value); err != nil {
		return nil, err
	}
	return e.Finish()
}
