package lwm2m

import "github.com/lwm2mgen/toolkit/runtime/sched"

// pool runs functions on a bounded number of goroutines, which exist only while functions run. It
// belongs to the goroutine of the loop.
type pool struct {
	sched   *sched.Scheduler
	limit   int
	busy    int // functions that are running
	waiting []func()
	idle    func() // called when no function runs any more
}

func (p *pool) init(s *sched.Scheduler, limit int, idle func()) {
	p.sched, p.limit, p.idle = s, limit, idle
}

// run calls fn on a goroutine of its own, as soon as fewer than limit functions run.
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
		return // abandon was called
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

// abandon drops the functions that wait, and no longer waits for those that run.
func (p *pool) abandon() {
	p.busy, p.waiting = 0, nil
}
