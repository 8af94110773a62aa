//go:build !(linux || darwin || dragonfly || freebsd || netbsd || openbsd || windows)

package osnet

import "github.com/lwm2mgen/toolkit/net/socket"

// shareAddress returns ErrNotSupported: on this system sockets cannot share a local address and
// port.
func shareAddress(uintptr) error { return socket.ErrNotSupported }
