package osnet

import "syscall"

// shareAddress allows other sockets to be bound to the same local address and port, if they allow
// it too.
func shareAddress(fd uintptr) error {
	return syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1)
}
