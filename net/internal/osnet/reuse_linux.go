package osnet

import "syscall"

// ShareAddress lets other sockets be bound to the same local address and port, as long as they allow it too.
func ShareAddress(fd uintptr) error {
	return syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1)
}
