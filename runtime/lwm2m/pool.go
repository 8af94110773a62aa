package lwm2m

import (
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// pool runs slow functions on a bounded number of goroutines, which exist only while there is work.
// Servers take turns: a function waits for those that run, and for one of each other server at
// most. It belongs to the loop's goroutine.
type pool struct {
	sched *sched.Scheduler
	limit int
	busy  int      // functions that run
	turns []*queue // of the servers whose functions wait, in the order of their turns
	idle  func()   // called when nothing runs any more
}

// queue is the functions of one server that wait.
type queue struct {
	server dm.ShortServerID
	fns    []func()
}

func (p *pool) init(s *sched.Scheduler, limit int, idle func()) {
	p.sched, p.limit, p.idle = s, limit, idle
}

// run has fn called on a goroutine of its own, when one of the workers is free.
func (p *pool) run(fn func()) { p.runFor(0, fn) }

// runFor is run for a function that a server waits for.
func (p *pool) runFor(server dm.ShortServerID, fn func()) {
	if p.busy >= p.limit {
		q := p.queue(server)
		q.fns = append(q.fns, fn)
		return
	}
	p.busy++
	go func() {
		defer p.sched.Post(p.finished)
		fn()
	}()
}

// queue returns the queue of a server; a new one is the last in turn.
func (p *pool) queue(server dm.ShortServerID) *queue {
	for _, q := range p.turns {
		if q.server == server {
			return q
		}
	}
	q := &queue{server: server}
	p.turns = append(p.turns, q)
	return q
}

// next returns the function whose turn it is, nil where none waits. Its server is the last in turn
// now.
func (p *pool) next() func() {
	if len(p.turns) == 0 {
		return nil
	}
	q := p.turns[0]
	p.turns = append(p.turns[:0], p.turns[1:]...)
	fn := q.fns[0]
	if q.fns[0], q.fns = nil, q.fns[1:]; len(q.fns) > 0 {
		p.turns = append(p.turns, q)
	}
	return fn
}

func (p *pool) finished() {
	if p.busy == 0 {
		return // abandon was called
	}
	p.busy--
	if fn := p.next(); fn != nil {
		p.run(fn)
		return
	}
	if p.busy == 0 {
		p.idle()
	}
}

// abandon drops the functions that wait, and no longer waits for those that run.
func (p *pool) abandon() {
	p.busy, p.turns = 0, nil
}
