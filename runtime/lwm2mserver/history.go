package lwm2mserver

import "slices"

// history keeps the newest values of a sequence. The position of a value is the number of values
// that were added before it.
type history[T any] struct {
	limit   int // the most values to keep
	dropped int // the number of values before list
	list    []T
}

func (h *history[T]) add(v T) {
	if len(h.list) >= h.limit {
		h.list = h.list[1:]
		h.dropped++
	}
	h.list = append(h.list, v)
}

// all returns a copy of the values that are kept.
func (h *history[T]) all() []T { return slices.Clone(h.list) }

// find returns the first value at or after a position that matches, and the position behind it. A
// nil match accepts every value.
func (h *history[T]) find(from int, match func(T) bool) (v T, next int, ok bool) {
	for i := max(from-h.dropped, 0); i < len(h.list); i++ {
		if match == nil || match(h.list[i]) {
			return h.list[i], h.dropped + i + 1, true
		}
	}
	return v, from, false
}
