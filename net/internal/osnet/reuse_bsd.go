//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package osnet

import "syscall"

// shareAddress allows other sockets to be bound to the same local address and port, if they allow
// it too.
func shareAddress(fd uintptr) error {
	if err := syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		return err
	}
	return syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_REUSEPORT, 1)
}
