package store

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// Store keeps values under names. Its methods may be called from several goroutines at the same
// time.
type Store interface {
	// Apply makes all changes, in their order, or none of them. When it returns nil, they are
	// durable. After an error no change was made, unless the error wraps ErrUnusable: then only the
	// next opening shows which state is durable. Apply keeps nothing of changes.
	Apply(changes ...Change) error
	// Load calls f with every record whose name begins with prefix, in the order of their names, as
	// of one moment between two batches. It stops at the first error of f and returns it. f must
	// not change value, must not keep it, and must not call the Store.
	Load(prefix string, f func(name string, value []byte) error) error
	// Close ends the use of the Store.
	Close() error
}

// Get returns a copy of the record with the name, or nil without one. It may be called from any
// goroutine.
func Get(s Store, name string) (value []byte, err error) {
	err = s.Load(name, func(n string, v []byte) error {
		if n == name {
			value = append([]byte{}, v...)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return value, nil
}

var (
	// ErrInUse means that another process, or another Dir of this one, has opened the directory.
	ErrInUse = errors.New("the store is in use")
	// ErrUnusable means that the file system failed in a way after which nothing is known about
	// what is durable, such as a failed fsync. Close the store and open it again.
	ErrUnusable = errors.New("the store is unusable until it is opened again")
	// ErrClosed means that the store has been closed.
	ErrClosed = errors.New("the store is closed")
	// ErrKey means that the store is sealed and that none of the given keys opens it.
	ErrKey = errors.New("the store is sealed with another key")
	// ErrPlain means that a key was given and that the store is not sealed: somebody may have
	// replaced it.
	ErrPlain = errors.New("the store is not sealed")
	// ErrVersion means that a newer version of this package wrote the store.
	ErrVersion = errors.New("the store has a newer format")
)

const (
	// MaxName is the largest length of a name, in bytes.
	MaxName = 1024
	// MaxBatch is the largest size of a batch in bytes, names and a few bytes for each change
	// included.
	MaxBatch = 16 << 20
)

// Change is one change of a batch. Printing shows the name and the size of the value, never the
// value, which may be a secret.
type Change struct {
	// Name is the name of the record: 1 to MaxName bytes. It must not be a secret.
	Name string
	// Value is the new value, which replaces an earlier one. It may be empty.
	Value []byte
	// Delete removes the record, if there is one; Value is ignored.
	Delete bool
}

// Put returns the change that sets the value of a record.
func Put(name string, value []byte) Change { return Change{Name: name, Value: value} }

// Delete returns the change that removes a record.
func Delete(name string) Change { return Change{Name: name, Delete: true} }

// String returns the change without its value.
func (c Change) String() string {
	if c.Delete {
		return fmt.Sprintf("delete %q", c.Name)
	}
	return fmt.Sprintf("put %q (%d bytes)", c.Name, len(c.Value))
}

// Format writes String for every verb.
func (c Change) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, c.String()) }

// LogValue returns String for slog.
func (c Change) LogValue() slog.Value { return slog.StringValue(c.String()) }

// MarshalText returns String for encoders, such as that of JSON. It cannot be unmarshalled.
func (c Change) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// validate returns what is wrong with a batch.
func validate(changes []Change) error {
	size := 0
	for _, c := range changes {
		if len(c.Name) == 0 || len(c.Name) > MaxName {
			return fmt.Errorf("a name has %d bytes, and must have 1 to %d", len(c.Name), MaxName)
		}
		size += maxChangeHeader + len(c.Name)
		if !c.Delete {
			if len(c.Value) > MaxBatch {
				return fmt.Errorf("the value of %q has %d bytes, more than a batch can hold (%d)", c.Name, len(c.Value), MaxBatch)
			}
			size += len(c.Value)
		}
		if size > MaxBatch {
			return fmt.Errorf("the batch of %d changes has more than %d bytes", len(changes), MaxBatch)
		}
	}
	return nil
}
