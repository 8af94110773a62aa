package manage

import "github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/serve"

// guards returns what handles panics of user code.
func (c *Config) guards() serve.Guard {
	return serve.Guard{Sched: c.Sched, Logger: c.Logger, Recover: c.RecoverPanics}
}

// guard calls fn, which calls user code, on the loop. Where fn does not return, guard calls failed.
func (c *Config) guard(fn, failed func()) {
	g := c.guards()
	g.Do(fn, failed)
}

// guardStream calls fn, which calls user code, from inside the transfer of a payload. Where fn does
// not return, guardStream calls failed.
func (c *Config) guardStream(fn, failed func()) {
	g := c.guards()
	g.DoInTransfer(fn, failed)
}

// raise continues a panic on the loop, or logs it. A nil p is none.
func (c *Config) raise(p *serve.Panic) {
	g := c.guards()
	g.Raise(p)
}

// onWorker calls fn, which calls user code that the server waits for, on a worker, and then done on
// the loop. Where fn does not return, done gets serve.ErrPanic.
func (p *Peer) onWorker(fn func() error, done func(error)) {
	c := &p.m.cfg
	c.Worker(p.cfg.ShortServerID, func() {
		serve.Observe(fn, func(err error, p *serve.Panic) {
			c.Sched.Post(func() {
				defer c.raise(p)
				done(err)
			})
		})
	})
}
