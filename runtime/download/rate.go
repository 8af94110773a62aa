package download

import (
	"math/rand/v2"
	"sync"
	"time"
)

// bucket bounds the rate of all downloads together.
type bucket struct {
	rate int64 // bytes per second, 0 for no bound
	mu   sync.Mutex
	next time.Time // when everything received so far is paid for
}

// take accounts for n bytes and returns how long to wait before more are asked for.
func (b *bucket) take(n int) time.Duration {
	if b.rate == 0 {
		return 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	if b.next.Before(now) {
		b.next = now
	}
	b.next = b.next.Add(time.Duration(float64(n) / float64(b.rate) * float64(time.Second)))
	return b.next.Sub(now)
}

// pause returns how long to wait after a number of attempts without progress, at least 1.
func (r Retry) pause(attempts int) time.Duration {
	d := r.First
	for range attempts - 1 {
		if d *= 2; d >= r.Max {
			d = r.Max
			break
		}
	}
	return d + rand.N(d/2+1)
}
