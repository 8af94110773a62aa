package osnet

import "syscall"

// shareAddress lets other sockets be bound to the same local address and port, as long as they allow it too.
func shareAddress(fd uintptr) error {
	return syscall.SetsockoptInt(syscall.Handle(fd), syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1)
}
