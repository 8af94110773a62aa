//go:build !windows

package socket

import "syscall"

func kindOfErrno(errno syscall.Errno) error { return commonErrno(errno) }
