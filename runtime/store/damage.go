package store

import "fmt"

// DamageError says that a store is damaged: records that were acknowledged cannot be read. The end
// of a file that a loss of power tore off is not damage.
type DamageError struct {
	// Path is the damaged file.
	Path string
	// Offset is where in the file the damage begins, in bytes.
	Offset int64
	// Reason says what is wrong, without showing a value.
	Reason string
	// Repairable reports whether Repair can return to a state before the damage.
	Repairable bool
	// Err is the error of the file system that caused it. The zero value means none.
	Err error
}

// Error returns what is damaged, where, and what to do.
func (e *DamageError) Error() string {
	text := fmt.Sprintf("store: %s is damaged at byte %d: %s", e.Path, e.Offset, e.Reason)
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	if e.Repairable {
		return text + "; Repair returns to the last state before the damage, Reset starts with an empty store"
	}
	return text + "; Reset starts with an empty store and keeps the file"
}

// Unwrap returns Err.
func (e *DamageError) Unwrap() error { return e.Err }
