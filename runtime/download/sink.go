package download

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
)

// Sink is where the content of a download goes: a file, a partition, a decoder. One goroutine at a
// time calls it, which is not that of the loop, so it may block.
type Sink interface {
	// Write appends p. It writes all of p, or returns an error, which ends the download.
	Write(p []byte) (n int, err error)
	// Sync returns when everything that was written is durable: it survives a loss of power.
	Sync() error
	// Truncate makes the sink hold its first size bytes only; the next Write appends to them. It is
	// called before the first Write. The error matches ErrShort if the sink holds fewer bytes; then
	// the download starts from the beginning, with Truncate(0).
	Truncate(size int64) error
}

// File is a [Sink] that writes to a file. Make one with [OpenFile].
type File struct {
	f    *os.File
	size int64
}

// OpenFile opens or creates a file for a download. The user alone may read a new file. What the
// file holds stays, so that a download can continue.
func OpenFile(path string) (*File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syncDir(filepath.Dir(path)); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("make the entry of %s durable: %w", path, err)
	}
	info, err := f.Stat()
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return &File{f: f, size: info.Size()}, nil
}

// syncDir makes the entries of a directory durable, where the operating system can.
func syncDir(path string) error {
	if runtime.GOOS == "windows" || runtime.GOOS == "plan9" {
		return nil
	}
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }() // only read
	return d.Sync()
}

// Write appends p to the file.
func (f *File) Write(p []byte) (int, error) {
	n, err := f.f.WriteAt(p, f.size)
	f.size += int64(n)
	return n, err
}

// Sync makes the file durable.
func (f *File) Sync() error { return f.f.Sync() }

// Truncate cuts the file off.
func (f *File) Truncate(size int64) error {
	info, err := f.f.Stat()
	if err != nil {
		return err
	}
	if info.Size() < size {
		return fmt.Errorf("%w: the file has %d bytes, not %d", ErrShort, info.Size(), size)
	}
	if err := f.f.Truncate(size); err != nil {
		return err
	}
	f.size = size
	return nil
}

// Content returns a reader of the whole file, such as for its checksum after the download.
func (f *File) Content() *io.SectionReader { return io.NewSectionReader(f.f, 0, f.size) }

// Close closes the file.
func (f *File) Close() error { return f.f.Close() }
