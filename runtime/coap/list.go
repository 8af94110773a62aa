package coap

// A node links a value into one list without allocation: it is embedded in the value.
type node[T any] struct {
	prev, next *node[T]
	in         *list[T]
	value      T
}

// A list is a doubly linked list in the order of insertion. The zero list is empty.
type list[T any] struct {
	head, tail *node[T]
	n          int
}

// push appends n. A node that is already in a list leaves it first.
func (l *list[T]) push(n *node[T], v T) {
	n.remove()
	n.value, n.in, n.prev, n.next = v, l, l.tail, nil
	if l.tail == nil {
		l.head = n
	} else {
		l.tail.next = n
	}
	l.tail = n
	l.n++
}

// pushBefore appends n, but before the nodes at the end of the list for which before is true.
func (l *list[T]) pushBefore(n *node[T], v T, before func(T) bool) {
	l.push(n, v)
	for p := n.prev; p != nil && before(p.value); p = n.prev {
		// Swap n with p.
		n.prev, p.next = p.prev, n.next
		if n.next == nil {
			l.tail = p
		} else {
			n.next.prev = p
		}
		if p.prev == nil {
			l.head = n
		} else {
			p.prev.next = n
		}
		n.next, p.prev = p, n
	}
}

// remove removes n from its list, if it is in one.
func (n *node[T]) remove() {
	l := n.in
	if l == nil {
		return
	}
	if n.prev == nil {
		l.head = n.next
	} else {
		n.prev.next = n.next
	}
	if n.next == nil {
		l.tail = n.prev
	} else {
		n.next.prev = n.prev
	}
	l.n--
	n.prev, n.next, n.in = nil, nil, nil
}

// first is the value at the head of the list.
func (l *list[T]) first() (v T, ok bool) {
	if l.head == nil {
		return v, false
	}
	return l.head.value, true
}
