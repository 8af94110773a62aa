package lwm2m

import "github.com/lwm2mgen/toolkit/runtime/dm"

// store makes a change with the application as the origin, and calls done, unless that is nil, when
// the change has ended. Hooks run on the loop, as for a server's request; only Config.Persist runs
// on a worker.
func (c *Client) store(what string, change func(*dm.Transaction) error, done func(error)) {
	c.pending++
	s := &ownChange{client: c, what: what, change: change, done: done}
	c.model.BeginAsync(c.ctx, dm.Application, func(t *dm.Transaction) {
		select {
		case <-c.done: // the client has ended before the writer slot was free
			t.Rollback()
		default:
			c.loop.sched.Post(func() { s.write(t) })
		}
	})
}

// ownChange is a change that the client makes by itself.
type ownChange struct {
	client *Client
	what   string
	change func(*dm.Transaction) error
	done   func(error) // may be nil
}

// write makes the change on the loop. Hooks and Persist that panic, or end their goroutine, keep
// neither the writer slot nor the client's shutdown.
func (s *ownChange) write(t *dm.Transaction) {
	c := s.client
	err, persists := errPanic, false
	defer func() {
		if !persists {
			s.end(t, err)
		}
	}()
	c.guard("a hook of the data model", func() {
		if err = s.change(t); err == nil {
			err = t.Prepare()
		}
		persists = err == nil && t.Persists()
	})
	if persists {
		c.stores.run(func() {
			err := errPanic
			defer func() { c.loop.sched.Post(func() { s.end(t, err) }) }()
			c.guard("Config.Persist", func() { err = t.Persist() })
		})
	}
}

// end publishes the change, or rolls it back after an error.
func (s *ownChange) end(t *dm.Transaction, err error) {
	defer s.onEnded(err)
	defer t.Rollback() // has no effect after Finish
	if err == nil {
		s.client.guard("a hook of the data model", func() {
			t.Publish()
			t.Finish()
		})
	}
}

// onEnded is called when the change has ended.
func (s *ownChange) onEnded(err error) {
	if err != nil {
		s.client.log.Info("a change of the client's own has failed", "change", s.what, "reason", err.Error())
	}
	if s.done != nil {
		s.done(err)
	}
	s.client.onPendingEnded()
}
