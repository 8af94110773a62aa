package dm

import "sync/atomic"

// fault is what can be wrong with a live value.
type fault uint32

const (
	outOfRange fault = 1 << iota
	noNumber
)

// warning remembers which faults have been logged.
type warning struct{ logged atomic.Uint32 }

// first reports whether this is its first call with a fault.
func (w *warning) first(f fault) bool { return w.logged.Or(uint32(f))&uint32(f) == 0 }
