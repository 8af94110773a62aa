//go:build !unix

package udp

// sending is not needed where package net makes the system calls.
type sending struct{}

func (*sending) init() {}

// trySend sends a datagram, waiting for an instant at most.
func (c *conn) trySend(p []byte) error { return c.sendPortably(p) }
