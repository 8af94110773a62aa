package series_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/series"
)

func sample(n int64) series.Sample {
	return series.Sample{Value: dm.IntegerValue(n), At: time.Unix(n, 0)}
}

func numbers(all []series.Sample) []int64 {
	var list []int64
	for _, x := range all {
		list = append(list, x.Value.Integer())
	}
	return list
}

// rest returns what a series holds.
func rest(s *series.Series) []series.Sample {
	defer s.Return()
	return s.Lend(s.Len())
}

func wantSamples(t *testing.T, what string, got []series.Sample, want ...int64) {
	t.Helper()
	n := numbers(got)
	for i := range max(len(n), len(want)) {
		if i >= len(n) || i >= len(want) || n[i] != want[i] {
			t.Errorf("%s: %v, want %v", what, n, want)
			return
		}
	}
}

func TestSeriesDropsTheOldest(t *testing.T) {
	s := series.New(3)
	for n := range int64(5) {
		s.Add(sample(n))
	}
	wantSamples(t, "the newest three", s.Lend(10), 2, 3, 4)
	if s.Dropped() != 2 {
		t.Errorf("dropped %d, want 2", s.Dropped())
	}
}

func TestSeriesKeepsReturnedSamples(t *testing.T) {
	s := series.New(10)
	for n := range int64(4) {
		s.Add(sample(n))
	}
	wantSamples(t, "lent", s.Lend(3), 0, 1, 2)
	wantSamples(t, "lent a second time", s.Lend(3))
	s.Return()
	s.Add(sample(4))
	wantSamples(t, "lent after Return", s.Lend(3), 0, 1, 2)
	s.Release(3)
	wantSamples(t, "left after Release", rest(s), 3, 4)
	wantSamples(t, "lent after Release", s.Lend(3), 3, 4)
	s.Release(1)
	wantSamples(t, "left after a partial Release", rest(s), 4)
	if s.Dropped() != 0 {
		t.Errorf("dropped %d, want 0", s.Dropped())
	}
}

func TestSeriesOverflowsDuringALoan(t *testing.T) {
	fill := func() *series.Series {
		s := series.New(3)
		for n := range int64(3) {
			s.Add(sample(n))
		}
		s.Lend(2)
		s.Add(sample(3)) // replaces 0, which is on loan
		return s
	}
	s := fill()
	s.Release(2)
	wantSamples(t, "left after Release", rest(s), 2, 3)
	if s.Dropped() != 0 {
		t.Errorf("a sample that was acknowledged counts as dropped")
	}
	s = fill()
	s.Return()
	wantSamples(t, "left after Return", rest(s), 1, 2, 3)
	if s.Dropped() != 1 {
		t.Errorf("dropped %d, want 1", s.Dropped())
	}
	s = fill()
	s.Add(sample(4))
	s.Add(sample(5)) // replaces 2, which is not on loan
	s.Release(2)
	wantSamples(t, "left after a long loan", rest(s), 3, 4, 5)
	if s.Dropped() != 1 {
		t.Errorf("dropped %d, want 1", s.Dropped())
	}
}

// Whatever happens, every sample is acknowledged once, held, or counted as dropped.
func TestSeriesLosesNothing(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		s := series.New(1 + r.IntN(20))
		var added, acknowledged int64
		var lent []series.Sample
		last := int64(-1)
		for range 500 {
			switch r.IntN(5) {
			case 0, 1, 2:
				s.Add(sample(added))
				added++
			case 3:
				if got := s.Lend(1 + r.IntN(10)); got != nil {
					lent = got
				}
			case 4:
				if lent == nil {
					continue
				}
				n := r.IntN(len(lent) + 1)
				s.Release(n)
				for _, v := range numbers(lent[:n]) {
					if v <= last {
						t.Fatalf("seed %d: %d is acknowledged after %d", seed, v, last)
					}
					last = v
				}
				acknowledged += int64(n)
				lent = nil
			}
		}
		s.Return()
		if got := acknowledged + int64(s.Len()) + int64(s.Dropped()); got != added {
			t.Fatalf("seed %d: %d acknowledged, %d held, %d dropped of %d", seed, acknowledged, s.Len(), s.Dropped(), added)
		}
	}
}
