package download

import "time"

// State is what a download does.
type State uint8

// The states.
const (
	// Queued: it waits for its turn ([Config.MaxConcurrent]).
	Queued State = iota
	// Connecting: it connects, or waits for the first bytes.
	Connecting
	// Receiving: bytes arrive.
	Receiving
	// Waiting: it waits for its next attempt.
	Waiting
	// Suspended: it waits for Resume.
	Suspended
	// Ended: it is over.
	Ended
)

// String returns the state in lower case.
func (s State) String() string {
	switch s {
	case Queued:
		return "queued"
	case Connecting:
		return "connecting"
	case Receiving:
		return "receiving"
	case Waiting:
		return "waiting"
	case Suspended:
		return "suspended"
	case Ended:
		return "ended"
	}
	return "unknown"
}

// Progress is how far a download is.
type Progress struct {
	State State
	// Received is how many bytes of the content have arrived, and Durable how many of them survive
	// a loss of power. Both go back to 0 if the content changes on the server.
	Received, Durable int64
	// Total is the size of the content in bytes, -1 while it is not known.
	Total int64
	// Attempts is how many attempts in a row have ended without progress, Err why the last one
	// has ended, and Next when the next one begins, in the state Waiting.
	Attempts int
	Err      error
	Next     time.Time
}
