// Package series keeps values with their times until a server has acknowledged them. A [Series] is
// bounded: if it is full, a new value replaces the oldest one, and the loss is counted.
//
// A consumer borrows the oldest values with Lend, reports them, and then either releases them, if
// the server has acknowledged them, or returns them, if the report has failed. Values that come in
// the meantime stay behind the borrowed ones. So a failed report loses no value.
package series

import (
	"sync"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// Sample is a value with the time at which it was measured.
type Sample struct {
	Value dm.Value
	At    time.Time
}

// A Series holds samples in the order in which they were added. It is safe for concurrent use. Make
// one with [New].
type Series struct {
	mu      sync.Mutex
	limit   int
	samples []Sample // a ring once it has grown to limit
	first   int      // index of the oldest sample
	n       int
	lent    int    // how many of the oldest samples are lent
	gone    int    // how many lent samples new ones have replaced
	dropped uint64 // samples that were replaced and not acknowledged
	onLoan  bool
}

// New returns an empty series of at most limit samples. A limit below 1 counts as 1.
func New(limit int) *Series { return &Series{limit: max(limit, 1)} }

// Add adds a sample. If the series is full, the sample replaces the oldest one.
func (s *Series) Add(x Sample) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.n == s.limit {
		s.dropOldest()
	}
	if s.n == len(s.samples) {
		s.grow()
	}
	s.samples[(s.first+s.n)%len(s.samples)] = x
	s.n++
}

// grow doubles the memory of the ring, up to the limit.
func (s *Series) grow() {
	bigger := make([]Sample, min(max(2*len(s.samples), 4), s.limit))
	for i := range s.n {
		bigger[i] = s.at(i)
	}
	s.samples, s.first = bigger, 0
}

// at returns the i-th oldest sample.
func (s *Series) at(i int) Sample { return s.samples[(s.first+i)%len(s.samples)] }

// dropOldest makes room for a sample. Whether a lent sample is lost, its consumer decides.
func (s *Series) dropOldest() {
	if s.lent > 0 {
		s.lent--
		s.gone++
	} else {
		s.dropped++
	}
	s.removeFirst(1)
}

// removeFirst removes the n oldest samples.
func (s *Series) removeFirst(n int) {
	for i := range n {
		s.samples[(s.first+i)%len(s.samples)] = Sample{} // so that its bytes can be collected
	}
	if s.n -= n; s.n == 0 {
		s.samples, s.first = nil, 0
		return
	}
	s.first = (s.first + n) % len(s.samples)
}

// Lend returns copies of the oldest samples, at most n of them. It returns none while another
// consumer has samples on loan. After Lend has returned samples, the consumer must call Release or
// Return.
func (s *Series) Lend(n int) []Sample {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.onLoan || s.n == 0 || n <= 0 {
		return nil
	}
	s.onLoan, s.lent = true, min(n, s.n)
	lent := make([]Sample, s.lent)
	for i := range lent {
		lent[i] = s.at(i)
	}
	return lent
}

// Release removes the n oldest of the samples on loan, which the server has acknowledged, and
// returns the others to the series.
func (s *Series) Release(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.onLoan {
		return
	}
	replaced := min(n, s.gone)
	s.dropped += uint64(s.gone - replaced)
	s.removeFirst(min(n-replaced, s.lent))
	s.onLoan, s.lent, s.gone = false, 0, 0
}

// Return returns all samples on loan to the series, because the report has failed.
func (s *Series) Return() { s.Release(0) }

// Len returns how many samples the series holds, including those on loan.
func (s *Series) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.n
}

// Dropped returns how many samples were replaced by newer ones before a server had acknowledged
// them.
func (s *Series) Dropped() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dropped
}
