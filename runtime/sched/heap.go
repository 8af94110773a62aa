package sched

// An entry is one pending job. Deadline and sequence number are in the heap itself, so that
// comparing does not access the jobs.
type entry struct {
	at  Time
	seq uint64
	job *Job
}

func (e entry) before(o entry) bool {
	return e.at < o.at || e.at == o.at && e.seq < o.seq
}

// A heap is a four-ary heap: half as deep as a binary one, and the four children of a node are
// adjacent in memory.
type heap []entry

func (h heap) set(i int, e entry) {
	h[i] = e
	e.job.index = i
}

func (h *heap) push(e entry) {
	*h = append(*h, e)
	h.up(len(*h)-1, e)
}

// remove removes the entry at index i.
func (h *heap) remove(i int) {
	old := *h
	last := len(old) - 1
	moved := old[last]
	old[last] = entry{}
	*h = old[:last]
	if i < last {
		h.fix(i, moved)
	}
}

// fix inserts e, where index i is free.
func (h heap) fix(i int, e entry) {
	if i > 0 && e.before(h[(i-1)/4]) {
		h.up(i, e)
		return
	}
	h.down(i, e)
}

func (h heap) up(i int, e entry) {
	for i > 0 {
		parent := (i - 1) / 4
		if !e.before(h[parent]) {
			break
		}
		h.set(i, h[parent])
		i = parent
	}
	h.set(i, e)
}

func (h heap) down(i int, e entry) {
	for {
		first := 4*i + 1
		if first >= len(h) {
			break
		}
		least := first
		for c := first + 1; c < min(first+4, len(h)); c++ {
			if h[c].before(h[least]) {
				least = c
			}
		}
		if !h[least].before(e) {
			break
		}
		h.set(i, h[least])
		i = least
	}
	h.set(i, e)
}
