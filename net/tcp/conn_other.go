//go:build !unix

package tcp

// receiving and sending are not needed where package net makes the system calls.
type (
	receiving struct{}
	sending   struct{}
)

func (*receiving) init() {}
func (*sending) init()   {}

// tryRecv receives data that has arrived, waiting for an instant at most.
func (c *conn) tryRecv(p []byte) (int, error) { return c.recvPortably(p) }

// trySend leaves everything to the flushing goroutine.
func (*conn) trySend([]byte) (int, error) { return 0, nil }
