package store

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// files is what the package needs of a file system. Tests put one below it that fails.
type files interface {
	// MkdirAll makes a directory for the user alone, durably, if it is missing.
	MkdirAll(dir string) error
	// Open opens an existing file, for reading only or for both.
	Open(name string, write bool) (file, error)
	// Create makes an empty file for the user alone, in place of an earlier one.
	Create(name string) (file, error)
	Rename(from, to string) error
	Remove(name string) error
	// SyncDir makes changes of the names in a directory durable.
	SyncDir(dir string) error
	// Lock locks a directory. With write unset it changes nothing, and locks only what can be.
	Lock(dir string, write bool) (io.Closer, error)
}

// file is an open file.
type file interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Size() (int64, error)
	Truncate(size int64) error
	Sync() error
}

// osFiles is the file system of the operating system.
type osFiles struct{}

type osFile struct{ *os.File }

func (f osFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func (osFiles) MkdirAll(dir string) error {
	if info, err := os.Stat(dir); err == nil {
		if !info.IsDir() {
			return &os.PathError{Op: "open", Path: dir, Err: errors.New("it is not a directory")}
		}
		return nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return syncDir(filepath.Dir(dir))
}

func (osFiles) Open(name string, write bool) (file, error) {
	flag := os.O_RDONLY
	if write {
		flag = os.O_RDWR
	}
	f, err := os.OpenFile(name, flag, 0)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

func (osFiles) Create(name string) (file, error) {
	// A new file and not a truncated one: its permissions are certain.
	if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

func (osFiles) Rename(from, to string) error { return os.Rename(from, to) }

func (osFiles) Remove(name string) error { return os.Remove(name) }

func (osFiles) SyncDir(dir string) error { return syncDir(dir) }

func (osFiles) Lock(dir string, write bool) (io.Closer, error) {
	name := filepath.Join(dir, lockName)
	l, err := lockFile(name, write)
	switch {
	case errors.Is(err, ErrInUse):
		// Best effort: on some systems a locked file cannot be read.
		if pid, readErr := os.ReadFile(name); readErr == nil && len(pid) > 0 && len(pid) < 20 {
			return nil, &lockError{strings.TrimSpace(string(pid))}
		}
		return nil, err
	case err != nil && !write && errors.Is(err, os.ErrNotExist):
		return noLock{}, nil
	}
	return l, err
}

// lockError names the process that has the lock.
type lockError struct{ pid string }

func (e *lockError) Error() string { return ErrInUse.Error() + " by process " + e.pid }

func (e *lockError) Unwrap() error { return ErrInUse }

type noLock struct{}

func (noLock) Close() error { return nil }

// writeAll writes b at off. A file that writes less without an error is asked again.
func writeAll(f file, b []byte, off int64) error {
	for len(b) > 0 {
		n, err := f.WriteAt(b, off)
		if err != nil {
			return err
		}
		if n <= 0 {
			return io.ErrShortWrite
		}
		b, off = b[n:], off+int64(n)
	}
	return nil
}
