package lwm2m

import "github.com/lwm2mgen/toolkit/runtime/sched"

// pool runs slow functions on a bounded number of goroutines, which exist only while there is work. It belongs to the loop's
// goroutine.
type pool struct {
	sched   *sched.Scheduler
	limit   int
	busy    int // functions that run
	waiting []func()
	idle    func() // called when nothing runs any more
}

func (p *pool) init(s *sched.Scheduler, limit int, idle func()) {
	p.sched, p.limit, p.idle = s, limit, idle
}

// run has fn called on a goroutine of its own, when one of the workers is free.
func (p *pool) run(fn func()) {
	if p.busy >= p.limit {
		p.waiting = append(p.waiting, fn)
		return
	}
	p.busy++
	go func() {
		defer p.sched.Post(p.finished)
		fn()
	}()
}

func (p *pool) finished() {
	if p.busy == 0 {
		return // it was given up
	}
	p.busy--
	if len(p.waiting) > 0 {
		fn := p.waiting[0]
		p.waiting = p.waiting[1:]
		p.run(fn)
		return
	}
	if p.busy == 0 {
		p.idle()
	}
}

// abandon forgets the functions that run, and those that wait.
func (p *pool) abandon() {
	p.busy, p.waiting = 0, nil
}
