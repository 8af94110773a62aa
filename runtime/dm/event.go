package dm

import (
	"slices"
	"sync"
	"sync/atomic"
)

// EventKind says what happened to a node.
type EventKind uint8

// The kinds of events.
const (
	Changed EventKind = iota // the value of a resource or resource instance was set or removed
	Created                  // an object or an instance was added
	Deleted                  // an object or an instance was removed
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

// Event is one difference that a transaction made. A created or deleted instance is one event,
// without events for its resources. Writing the value that a resource already has makes no event.
type Event struct {
	// Path is an object, an instance, a resource or a resource instance.
	Path Path
	// Kind says what happened to the node.
	Kind EventKind
}

// Batch is everything that one transaction changed, in ascending order of object and instance.
type Batch struct {
	// Origin is who made the change.
	Origin Origin
	// Cause is what Transaction.SetCause was given. The zero value means that nothing was given, as
	// for every change of the application.
	Cause Cause
	// Events is never empty.
	Events []Event
}

// Cause identifies the reason for a transaction, such as a request. It belongs to the runtime that
// passes it to Transaction.SetCause; package dm passes it on to subscribers and never calls it.
type Cause interface {
	// TransactionCause marks a type as a Cause.
	TransactionCause()
}

// subscribers is a set of functions to call after each change. The zero value is empty.
type subscribers struct {
	mu   sync.Mutex
	list atomic.Pointer[[]*subscriber]
}

type subscriber struct{ fn func(Batch) }

func (s *subscribers) any() bool {
	l := s.list.Load()
	return l != nil && len(*l) > 0
}

func (s *subscribers) call(b Batch) {
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

// change replaces the list. Readers hold the old list without a lock.
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
