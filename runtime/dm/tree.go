package dm

import (
	"math/bits"
	"slices"
)

// tree is a persistent map from IDs to values: put and remove return a new tree that shares
// everything but the changed path with the old one, which stays unchanged. It is a radix tree with
// a fan-out of 16 whose height follows the largest ID, so that a few small IDs need one node. The
// zero value is empty.
type tree[V any] struct {
	root   *node[V]
	height uint8 // levels: 1 for IDs below 16, 2 below 256, 3 below 4096, 4 for all
	n      int
}

// node holds the children of one radix digit: kids above the lowest level, vals on the lowest. bits
// says which digits exist; missing ones take no space.
type node[V any] struct {
	bits uint16
	full bool // no ID below the node is free
	kids []*node[V]
	vals []V
}

// The fan-out of 16 is the result of measurements: 64 copies more on each write, 4 needs more
// nodes.
const (
	digitBits = 4
	digitMask = 1<<digitBits - 1
	allDigits = 1<<(1<<digitBits) - 1
)

// slot returns the position of the digit of id at the given shift, and its bit.
func (n *node[V]) slot(id uint16, shift uint8) (int, uint16) {
	bit := uint16(1) << (id >> shift & digitMask)
	return bits.OnesCount16(n.bits & (bit - 1)), bit
}

func heightFor(id uint16) uint8 {
	return uint8(max(bits.Len16(id)+digitBits-1, digitBits) / digitBits)
}

// get returns the value at id.
func (t *tree[V]) get(id uint16) (v V, ok bool) {
	n := t.root
	if n == nil || heightFor(id) > t.height {
		return v, false
	}
	for shift := (t.height - 1) * digitBits; ; shift -= digitBits {
		i, bit := n.slot(id, shift)
		if n.bits&bit == 0 {
			return v, false
		}
		if shift == 0 {
			return n.vals[i], true
		}
		n = n.kids[i]
	}
}

// put returns the tree with v at id.
func (t tree[V]) put(id uint16, v V) tree[V] {
	for h := heightFor(id); t.height < h; t.height++ {
		if t.root != nil {
			t.root = &node[V]{bits: 1, kids: []*node[V]{t.root}} // never full: there is one digit
		}
	}
	added := false
	t.root = t.root.put(id, v, (t.height-1)*digitBits, &added)
	if added {
		t.n++
	}
	return t
}

func (n *node[V]) put(id uint16, v V, shift uint8, added *bool) *node[V] {
	if n == nil {
		n = &node[V]{}
	}
	i, bit := n.slot(id, shift)
	has := n.bits&bit != 0
	m := &node[V]{bits: n.bits | bit}
	if shift == 0 {
		*added = !has
		m.vals = with(n.vals, i, v, has)
		m.full = m.bits == allDigits
		return m
	}
	var kid *node[V]
	if has {
		kid = n.kids[i]
	}
	m.kids = with(n.kids, i, kid.put(id, v, shift-digitBits, added), has)
	m.full = m.bits == allDigits && !slices.ContainsFunc(m.kids, func(k *node[V]) bool { return !k.full })
	return m
}

// with returns a copy of s with v at i: replacing the element there if has, inserted before it
// otherwise.
func with[E any](s []E, i int, v E, has bool) []E {
	tail := s[i:]
	if has {
		tail = s[i+1:]
	}
	c := make([]E, i+1+len(tail))
	copy(c, s[:i])
	c[i] = v
	copy(c[i+1:], tail)
	return c
}

// remove returns the tree without id.
func (t tree[V]) remove(id uint16) tree[V] {
	if _, ok := t.get(id); !ok {
		return t
	}
	if t.n == 1 {
		return tree[V]{}
	}
	t.n--
	t.root = t.root.remove(id, (t.height-1)*digitBits)
	return t
}

// remove returns the node without id, which must exist. It returns nil if nothing remains.
func (n *node[V]) remove(id uint16, shift uint8) *node[V] {
	i, bit := n.slot(id, shift)
	m := &node[V]{bits: n.bits}
	if shift > 0 {
		if kid := n.kids[i].remove(id, shift-digitBits); kid != nil {
			m.kids = with(n.kids, i, kid, true)
			return m
		}
	}
	if m.bits &^= bit; m.bits == 0 {
		return nil
	}
	if shift > 0 {
		m.kids = without(n.kids, i)
	} else {
		m.vals = without(n.vals, i)
	}
	return m
}

func without[E any](s []E, i int) []E {
	c := make([]E, 0, len(s)-1)
	return append(append(c, s[:i]...), s[i+1:]...)
}

// next returns the entry with the lowest ID that is at least from. A walk starts at 0 and continues
// at the found ID plus one.
func (t *tree[V]) next(from uint32) (id uint16, v V, ok bool) {
	if t.root == nil || from > reserved || heightFor(uint16(from)) > t.height {
		return 0, v, false
	}
	return t.root.next(uint16(from), (t.height-1)*digitBits)
}

func (n *node[V]) next(from uint16, shift uint8) (id uint16, v V, ok bool) {
	digit := from >> shift & digitMask
	for rest := n.bits >> digit << digit; rest != 0; rest &= rest - 1 {
		d := uint16(bits.TrailingZeros16(rest))
		i := bits.OnesCount16(n.bits & (uint16(1)<<d - 1))
		if shift == 0 {
			return d, n.vals[i], true
		}
		sub := uint16(0)
		if d == digit {
			sub = from & (1<<shift - 1)
		}
		if id, v, ok = n.kids[i].next(sub, shift-digitBits); ok {
			return d<<shift | id, v, true
		}
	}
	return 0, v, false
}

// free returns the lowest ID that is at least from and not in the tree. It looks at one node for
// each radix digit, and at no more of those that are full.
func (t *tree[V]) free(from uint32) (id uint32) {
	if t.root == nil || from > reserved || heightFor(uint16(from)) > t.height {
		return from
	}
	if id, ok := t.root.free(uint16(from), (t.height-1)*digitBits); ok {
		return uint32(id)
	}
	return 1 << (uint32(t.height) * digitBits) // the first that needs another level
}

func (n *node[V]) free(from uint16, shift uint8) (uint16, bool) {
	if n.full {
		return 0, false
	}
	for d := from >> shift & digitMask; d <= digitMask; d++ {
		sub := uint16(0)
		if d == from>>shift&digitMask {
			sub = from & (1<<shift - 1)
		}
		i, bit := n.slot(d<<shift, shift)
		switch {
		case n.bits&bit == 0:
			return d<<shift | sub, true
		case shift == 0:
		default:
			if id, ok := n.kids[i].free(sub, shift-digitBits); ok {
				return d<<shift | id, true
			}
		}
	}
	return 0, false
}
