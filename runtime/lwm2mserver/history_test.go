package lwm2mserver

import (
	"slices"
	"testing"
)

// A history keeps the newest values and counts positions from the first one.
func TestHistory(t *testing.T) {
	h := history[int]{limit: 3}
	if _, next, ok := h.find(0, nil); ok || next != 0 {
		t.Errorf("an empty history has a value, next is %d", next)
	}
	for v := range 5 {
		h.add(v)
	}
	if got := h.all(); !slices.Equal(got, []int{2, 3, 4}) {
		t.Errorf("kept are %v", got)
	}
	for from, want := range map[int]int{-1: 2, 0: 2, 2: 2, 3: 3, 4: 4} {
		if v, next, ok := h.find(from, nil); !ok || v != want || next != want+1 {
			t.Errorf("from %d: %d, %d, %v", from, v, next, ok)
		}
	}
	if _, next, ok := h.find(5, nil); ok || next != 5 {
		t.Errorf("behind the last value: %d, %v", next, ok)
	}
	if v, next, ok := h.find(0, func(v int) bool { return v > 3 }); !ok || v != 4 || next != 5 {
		t.Errorf("a match: %d, %d, %v", v, next, ok)
	}
}
