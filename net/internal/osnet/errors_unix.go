//go:build !windows

package osnet

import "syscall"

func kindOfErrno(errno syscall.Errno) error { return commonErrno(errno) }
