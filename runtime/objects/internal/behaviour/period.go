package behaviour

import (
	"sync"
	"time"
)

// MaxPeriod is the longest period, 100 years, in seconds. A longer one would be cut on its way.
const MaxPeriod = 100 * 365 * 24 * 60 * 60

// Period ends something after a while, such as a collection that a server has started. The zero
// value is ready to use. Its methods must be called under the lock that is passed to Start.
type Period struct {
	timer *time.Timer
	n     int // of starts and stops
}

// Start calls end under the lock when d has passed, unless Start or Stop is called before. If d is
// 0 the period does not end.
func (p *Period) Start(lock sync.Locker, d time.Duration, end func()) {
	p.Stop()
	if d <= 0 {
		return
	}
	n := p.n
	p.timer = time.AfterFunc(d, func() {
		lock.Lock()
		defer lock.Unlock()
		if p.n == n {
			end()
		}
	})
}

// Stop keeps the period from ending.
func (p *Period) Stop() {
	p.n++
	if p.timer != nil {
		p.timer.Stop()
		p.timer = nil
	}
}
