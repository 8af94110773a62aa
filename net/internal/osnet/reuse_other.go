//go:build !(linux || darwin || dragonfly || freebsd || netbsd || openbsd || windows)

package osnet

import "github.com/lwm2mgen/toolkit/net/socket"

// shareAddress lets other sockets be bound to the same local address and port; here it cannot.
func shareAddress(uintptr) error { return socket.ErrNotSupported }
