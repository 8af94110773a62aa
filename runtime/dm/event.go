package dm

import (
	"slices"
	"sync"
	"sync/atomic"
)

// EventKind is what happened to a node.
type EventKind uint8

// The kinds of events.
const (
	Changed EventKind = iota // a resource, or resource instance, has another value or none
	Created                  // an object or an instance is there now
	Deleted                  // an object or an instance is gone
)

// String returns "changed", "created" or "deleted".
func (k EventKind) String() string {
	switch k {
	case Created:
		return "created"
	case Deleted:
		return "deleted"
	}
	return "changed"
}

// Event is one difference that a transaction made. A created or deleted instance is one event; its
// resources are not listed. A resource that was written with the value that it had is no event.
type Event struct {
	// Path is an object, an instance, a resource or a resource instance.
	Path Path
	// Kind is what happened to it.
	Kind EventKind
}

// Batch is what one transaction changed, by ascending object and instance.
type Batch struct {
	// Origin is who made the change.
	Origin Origin
	// Cause is what Transaction.SetCause was given. The zero value means that nothing was given, as
	// for every change of the application.
	Cause Cause
	// Events is never empty.
	Events []Event
}

// Cause identifies what made a transaction, such as a request. It belongs to the protocol engine that
// passes it to Transaction.SetCause; package dm hands it on to subscribers and never calls it.
type Cause interface {
	// TransactionCause marks a type as a Cause.
	TransactionCause()
}

// subscribers is a set of functions that are told of changes. The zero value is empty.
type subscribers struct {
	mu   sync.Mutex
	list atomic.Pointer[[]*subscriber]
}

type subscriber struct{ fn func(Batch) }

func (s *subscribers) any() bool {
	l := s.list.Load()
	return l != nil && len(*l) > 0
}

func (s *subscribers) tell(b Batch) {
	l := s.list.Load()
	if l == nil {
		return
	}
	for _, sub := range *l {
		sub.fn(b)
	}
}

func (s *subscribers) add(fn func(Batch)) (cancel func()) {
	sub := &subscriber{fn}
	s.change(func(l []*subscriber) []*subscriber { return append(l, sub) })
	return func() {
		s.change(func(l []*subscriber) []*subscriber {
			return slices.DeleteFunc(l, func(x *subscriber) bool { return x == sub })
		})
	}
}

// change replaces the list, which readers hold without a lock.
func (s *subscribers) change(fn func([]*subscriber) []*subscriber) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var l []*subscriber
	if p := s.list.Load(); p != nil {
		l = slices.Clone(*p)
	}
	l = fn(l)
	s.list.Store(&l)
}
