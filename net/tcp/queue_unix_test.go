//go:build unix

package tcp

import (
	"net"
	"syscall"
)

// shortQueue has a listener keep as few connections waiting as the system allows.
func shortQueue(l *net.TCPListener) error {
	raw, err := l.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) { failed = syscall.Listen(int(fd), 0) })
	return firstOf(err, failed)
}

func firstOf(a, b error) error {
	if a != nil {
		return a
	}
	return b
}
