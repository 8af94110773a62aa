package dm

import "sync/atomic"

// warning records whether a message has been logged, so that it is logged once.
type warning struct{ logged atomic.Bool }

// first reports whether this is its first call.
func (w *warning) first() bool { return !w.logged.Swap(true) }
