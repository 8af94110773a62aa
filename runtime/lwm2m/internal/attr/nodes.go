package attr

import (
	"iter"
	"slices"

	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// Nodes holds the attributes that one server has attached to the nodes of one data model. The zero
// value holds none.
type Nodes struct {
	list []node // ascending by path, none with an empty set
}

type node struct {
	path dm.Path
	set  Set
}

// Len returns the number of nodes that have attributes.
func (n *Nodes) Len() int { return len(n.list) }

func (n *Nodes) search(p dm.Path) (int, bool) {
	return slices.BinarySearchFunc(n.list, p, func(x node, p dm.Path) int { return x.path.Compare(p) })
}

// At returns the attributes attached to a node itself.
func (n *Nodes) At(p dm.Path) Set {
	if i, ok := n.search(p); ok {
		return n.list[i].set
	}
	return Set{}
}

// InForce returns the attributes in force at a node: each one as it is attached at the deepest
// level from the node up to its object. What is attached below the node does not count (Core 1.2.2
// §6.4.2).
func (n *Nodes) InForce(p dm.Path) Set { return n.inForce(p, dm.ObjectLevel) }

// InForceBelowObject is InForce without what is attached to the object itself.
func (n *Nodes) InForceBelowObject(p dm.Path) Set { return n.inForce(p, dm.InstanceLevel) }

func (n *Nodes) inForce(p dm.Path, top dm.Level) Set {
	var s Set
	if len(n.list) == 0 {
		return s
	}
	for l := p.Level(); l >= top; l-- {
		if i, ok := n.search(p.Up(l)); ok {
			s = s.Over(n.list[i].set)
		}
	}
	return s
}

// Put replaces the attributes of a node. An empty set removes the node.
func (n *Nodes) Put(p dm.Path, s Set) {
	i, ok := n.search(p)
	switch {
	case ok && s.Empty():
		n.list = slices.Delete(n.list, i, i+1)
	case ok:
		n.list[i].set = s
	case !s.Empty():
		n.list = slices.Insert(n.list, i, node{p, s})
	}
}

// All yields the nodes that have attributes, ascending by path.
func (n *Nodes) All() iter.Seq2[dm.Path, Set] {
	return func(yield func(dm.Path, Set) bool) {
		for _, x := range n.list {
			if !yield(x.path, x.set) {
				return
			}
		}
	}
}

// Remove removes the nodes for which gone returns true.
func (n *Nodes) Remove(gone func(p dm.Path) bool) {
	n.list = slices.DeleteFunc(n.list, func(x node) bool { return gone(x.path) })
}

// Clone returns a copy that shares nothing with n.
func (n *Nodes) Clone() Nodes { return Nodes{slices.Clone(n.list)} }
