package store

import "strings"

// Sub returns a Store whose names begin with prefix in s, so that several devices of one process
// can share a store:
//
//	lwm2m.Config{Endpoint: "probe-7", Store: store.Sub(s, "probe-7/")}
//
// Two Subs are independent of each other if neither prefix begins with the other one. Closing a Sub
// does nothing: close s. A name has at most MaxName bytes with the prefix.
func Sub(s Store, prefix string) Store { return &sub{s, prefix} }

type sub struct {
	s      Store
	prefix string
}

// Apply implements Store.
func (s *sub) Apply(changes ...Change) error {
	batch := make([]Change, len(changes))
	for i, c := range changes {
		if c.Name != "" { // otherwise Apply refuses it
			c.Name = s.prefix + c.Name
		}
		batch[i] = c
	}
	return s.s.Apply(batch...)
}

// Load implements Store.
func (s *sub) Load(prefix string, f func(name string, value []byte) error) error {
	return s.s.Load(s.prefix+prefix, func(name string, value []byte) error {
		return f(strings.TrimPrefix(name, s.prefix), value)
	})
}

// Close implements Store.
func (s *sub) Close() error { return nil }
