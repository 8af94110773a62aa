package store

import (
	"errors"
	"io"
	"os"
	"syscall"
)

// lockFile opens a file that nobody else can open until it is closed or the process ends.
func lockFile(name string, write bool) (io.Closer, error) {
	p, err := syscall.UTF16PtrFromString(name)
	if err != nil {
		return nil, err
	}
	access, disposition := uint32(syscall.GENERIC_READ), uint32(syscall.OPEN_EXISTING)
	if write {
		access |= syscall.GENERIC_WRITE
		disposition = syscall.OPEN_ALWAYS
	}
	h, err := syscall.CreateFile(p, access, 0, nil, disposition, syscall.FILE_ATTRIBUTE_NORMAL, 0)
	const sharingViolation = syscall.Errno(32)
	if errors.Is(err, sharingViolation) {
		return nil, ErrInUse
	}
	if err != nil {
		return nil, &os.PathError{Op: "lock", Path: name, Err: err}
	}
	return os.NewFile(uintptr(h), name), nil
}
