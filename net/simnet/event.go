package simnet

import (
	"container/heap"
	"time"
)

// event is a later event on the network.
type event struct {
	at  time.Time
	seq uint64 // of two events at the same time the one scheduled first comes first
	do  func()

	// Without do the event is the arrival of a datagram.
	datagram
}

// events are the pending events, which one timer runs in order. The lock of the network guards
// them.
type events struct {
	heap    eventHeap
	seq     uint64
	timer   *time.Timer
	armed   time.Time // when the timer fires; zero if it does not
	running bool      // runEvents is running and will check the heap again
	free    []*event
}

// schedule runs ev after d. The caller holds n.mu.
func (n *Network) schedule(d time.Duration, ev *event) {
	e := &n.events
	e.seq++
	ev.at, ev.seq = time.Now().Add(d), e.seq
	heap.Push(&e.heap, ev)
	if !e.running {
		n.setTimer()
	}
}

// setTimer sets the timer for the first event.
func (n *Network) setTimer() {
	e := &n.events
	if len(e.heap) == 0 || e.heap[0].at.Equal(e.armed) {
		return
	}
	e.armed = e.heap[0].at
	if e.timer == nil {
		e.timer = time.AfterFunc(time.Until(e.armed), n.runEvents)
	} else {
		e.timer.Reset(time.Until(e.armed))
	}
}

// runEvents runs all events that are due, in order.
func (n *Network) runEvents() {
	n.mu.Lock()
	defer n.mu.Unlock()
	e := &n.events
	if e.running {
		return
	}
	e.running = true
	for len(e.heap) > 0 && !e.heap[0].at.After(time.Now()) {
		ev := heap.Pop(&e.heap).(*event)
		if ev.do != nil {
			n.mu.Unlock()
			ev.do()
			n.mu.Lock()
			continue
		}
		n.arrive(&ev.datagram)
		e.recycle(ev)
	}
	e.running = false
	e.armed = time.Time{}
	n.setTimer()
}

// datagramEvent returns an event to fill in, possibly with a reused buffer.
func (e *events) datagramEvent() *event {
	if len(e.free) == 0 {
		return new(event)
	}
	ev := e.free[len(e.free)-1]
	e.free = e.free[:len(e.free)-1]
	return ev
}

// most is the number of events that are kept for reuse.
const most = 1024

func (e *events) recycle(ev *event) {
	if len(e.free) < most {
		*ev = event{datagram: datagram{data: ev.data[:0]}}
		e.free = append(e.free, ev)
	}
}

type eventHeap []*event

func (h eventHeap) Len() int { return len(h) }
func (h eventHeap) Less(i, j int) bool {
	if h[i].at.Equal(h[j].at) {
		return h[i].seq < h[j].seq
	}
	return h[i].at.Before(h[j].at)
}
func (h eventHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *eventHeap) Push(x any)   { *h = append(*h, x.(*event)) }
func (h *eventHeap) Pop() any {
	old := *h
	ev := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return ev
}
