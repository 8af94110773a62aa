package dm

import "sync/atomic"

// warning remembers that something has been said once.
type warning struct{ said atomic.Bool }

// first reports whether it is called for the first time.
func (w *warning) first() bool { return !w.said.Swap(true) }
