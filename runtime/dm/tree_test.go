package dm

import (
	"maps"
	"math/bits"
	"math/rand/v2"
	"slices"
	"testing"
)

// checkTree compares a tree with a map of the same content, and checks its nodes.
func checkTree(t *testing.T, tr tree[int], want map[uint16]int) {
	t.Helper()
	if tr.n != len(want) {
		t.Fatalf("the tree counts %d entries, want %d", tr.n, len(want))
	}
	ids := slices.Sorted(maps.Keys(want))
	var got []uint16
	for id, v, ok := tr.next(0); ok; id, v, ok = tr.next(uint32(id) + 1) {
		if v != want[id] {
			t.Fatalf("a walk finds %d at %d, want %d", v, id, want[id])
		}
		got = append(got, id)
	}
	if !slices.Equal(got, ids) {
		t.Fatalf("a walk finds %v, want %v", got, ids)
	}
	for _, from := range []uint32{0, 1, 15, 16, 17, 255, 256, 300, 4095, 4096, 65535, rand.Uint32N(1 << 16)} {
		free := from
		for _, taken := want[uint16(free)]; taken && free <= reserved; _, taken = want[uint16(free)] {
			free++
		}
		if got := tr.free(from); got != free {
			t.Fatalf("the first free ID from %d is %d, want %d", from, got, free)
		}
	}
	if tr.root == nil {
		if len(want) > 0 {
			t.Fatal("the tree has no root")
		}
		return
	}
	if tr.height < 1 || tr.height > 4 {
		t.Fatalf("the height is %d", tr.height)
	}
	if n := checkNode(t, tr.root, tr.height); n != len(want) {
		t.Fatalf("the nodes hold %d entries, want %d", n, len(want))
	}
}

func checkNode(t *testing.T, n *node[int], height uint8) int {
	t.Helper()
	if n.bits == 0 {
		t.Fatal("an empty node was kept")
	}
	if height == 1 {
		if len(n.kids) != 0 || len(n.vals) != bits.OnesCount16(n.bits) {
			t.Fatalf("a leaf has %d values for the bits %b", len(n.vals), n.bits)
		}
		return len(n.vals)
	}
	if len(n.vals) != 0 || len(n.kids) != bits.OnesCount16(n.bits) {
		t.Fatalf("a node has %d children for the bits %b", len(n.kids), n.bits)
	}
	sum := 0
	for _, kid := range n.kids {
		sum += checkNode(t, kid, height-1)
	}
	return sum
}

// randomID returns an ID: often a small one, sometimes one at the edge of a digit.
func randomID(r *rand.Rand) uint16 {
	switch r.IntN(4) {
	case 0:
		return uint16(r.IntN(80))
	case 1:
		return uint16(r.IntN(5000))
	case 2:
		edges := [...]uint16{0, 1, 15, 16, 17, 255, 256, 257, 4095, 4096, 4097, 65534, 65535}
		return edges[r.IntN(len(edges))]
	}
	return uint16(r.IntN(1 << 16))
}

// A tree behaves like a map, and earlier versions of it stay unchanged.
func TestTreeIsAMap(t *testing.T) {
	for seed := range uint64(12) {
		r := rand.New(rand.NewPCG(seed, 1))
		type version struct {
			tree tree[int]
			want map[uint16]int
		}
		var kept []version
		now := version{want: map[uint16]int{}}
		for i := range 400 {
			id := randomID(r)
			next := version{want: maps.Clone(now.want)}
			if r.IntN(3) == 0 {
				next.tree = now.tree.remove(id)
				delete(next.want, id)
			} else {
				next.tree = now.tree.put(id, i)
				next.want[id] = i
			}
			if r.IntN(20) == 0 {
				kept = append(kept, now)
			}
			now = next
			if v, ok := now.tree.get(id); ok != mapHas(now.want, id) || v != now.want[id] {
				t.Fatalf("seed %d: get(%d) = %d, %t", seed, id, v, ok)
			}
			probe := randomID(r)
			if v, ok := now.tree.get(probe); ok != mapHas(now.want, probe) || v != now.want[probe] {
				t.Fatalf("seed %d: get(%d) = %d, %t", seed, probe, v, ok)
			}
			checkNext(t, now.tree, now.want, uint32(probe))
		}
		for _, v := range append(kept, now) {
			checkTree(t, v.tree, v.want)
		}
		for id := range now.want {
			now.tree = now.tree.remove(id)
		}
		checkTree(t, now.tree, nil)
		if now.tree != (tree[int]{}) {
			t.Fatalf("seed %d: an emptied tree still has %+v", seed, now.tree)
		}
	}
}

func mapHas(m map[uint16]int, id uint16) bool {
	_, ok := m[id]
	return ok
}

func checkNext(t *testing.T, tr tree[int], want map[uint16]int, from uint32) {
	t.Helper()
	least, found := uint16(0), false
	for id := range want {
		if uint32(id) >= from && (!found || id < least) {
			least, found = id, true
		}
	}
	id, v, ok := tr.next(from)
	if ok != found || ok && (id != least || v != want[least]) {
		t.Fatalf("next(%d) = %d, %d, %t, want %d, %d, %t", from, id, v, ok, least, want[least], found)
	}
}

// All IDs: every level is full.
func TestTreeFull(t *testing.T) {
	var tr tree[int]
	for id := range 1 << 16 {
		tr = tr.put(uint16(id), id)
	}
	if tr.n != 1<<16 || checkNode(t, tr.root, tr.height) != 1<<16 {
		t.Fatalf("the tree counts %d entries", tr.n)
	}
	for id := range 1 << 16 {
		if v, ok := tr.get(uint16(id)); !ok || v != id {
			t.Fatalf("get(%d) = %d, %t", id, v, ok)
		}
		if next, v, ok := tr.next(uint32(id)); !ok || int(next) != id || v != id {
			t.Fatalf("next(%d) = %d, %d, %t", id, next, v, ok)
		}
	}
	for _, past := range []uint32{1 << 16, 1<<16 + 1, 1<<32 - 1} {
		if id, _, ok := tr.next(past); ok {
			t.Errorf("next(%d) = %d", past, id)
		}
	}
}

func TestTreeHeights(t *testing.T) {
	for _, test := range []struct {
		id     uint16
		height uint8
	}{{0, 1}, {15, 1}, {16, 2}, {255, 2}, {256, 3}, {4095, 3}, {4096, 4}, {65535, 4}} {
		var tr tree[int]
		tr = tr.put(test.id, 1)
		if tr.height != test.height {
			t.Errorf("a tree with the ID %d has %d levels, want %d", test.id, tr.height, test.height)
		}
		checkTree(t, tr, map[uint16]int{test.id: 1})
		// The tree grows above its nodes, and a larger ID does not exist before it is put.
		grown := tr.put(0, 2).put(65535, 3)
		want := map[uint16]int{test.id: 1}
		want[0], want[65535] = 2, 3
		checkTree(t, grown, want)
		for _, absent := range []uint16{62, 65, 4094, 4097, 65534} {
			if v, ok := tr.get(absent); ok {
				t.Errorf("get(%d) = %d in a tree with %d alone", absent, v, test.id)
			}
		}
		if same := tr.remove(test.id ^ 1); same != tr {
			t.Errorf("removing a missing ID returned a new tree")
		}
		checkTree(t, tr.remove(test.id), nil)
	}
}

// One change copies one path, whatever the size of the tree.
func TestTreeCopiesOnePath(t *testing.T) {
	var tr tree[int]
	for id := range 10_000 {
		tr = tr.put(uint16(id), id)
	}
	allocs := testing.AllocsPerRun(100, func() { tr.put(5000, 1) })
	if allocs > 8 { // a node and its slice on each of four levels
		t.Errorf("a change among 10000 entries allocates %v times", allocs)
	}
	if allocs := testing.AllocsPerRun(100, func() {
		tr.get(5000)
		tr.next(9999)
	}); allocs != 0 {
		t.Errorf("reading allocates %v times", allocs)
	}
}
