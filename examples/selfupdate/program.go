package main

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// program is the executable file of the device, with the files beside it. The file itself is only
// ever replaced as a whole, by a program that has proved that it works.
type program struct {
	path  string
	files files
}

// candidate is the file of a program on probation.
func (p program) candidate() string { return p.path + ".new" }

// previous is the file of the program that was replaced last.
func (p program) previous() string { return p.path + ".old" }

// stage writes the candidate. The function writes its content. When stage returns nil, the
// candidate is durable and executable.
func (p program) stage(write func(io.Writer) error) error {
	f, err := p.files.create(p.candidate())
	if err != nil {
		return err
	}
	err = write(f)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, p.discard())
	}
	return p.files.syncDir(filepath.Dir(p.path))
}

// promote replaces the program by the candidate, and keeps it as the previous one if the file
// system has links. Where a file can be replaced while it runs, there is a program at every moment.
func (p program) promote() error {
	err := p.files.remove(p.previous())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	keep := p.files.link
	if !replacesRunning {
		keep = p.files.rename
	}
	err = keep(p.path, p.previous())
	// FAT has no links, for example.
	noLinks := errors.Is(err, fs.ErrPermission) || errors.Is(err, errors.ErrUnsupported)
	if err != nil && !(noLinks && replacesRunning) {
		return err
	}
	if err := p.files.rename(p.candidate(), p.path); err != nil {
		return err
	}
	return p.files.syncDir(filepath.Dir(p.path))
}

// discard deletes the candidate, if there is one, and makes the directory durable, so that a
// promotion before it is durable, too.
func (p program) discard() error {
	err := p.files.remove(p.candidate())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return p.files.syncDir(filepath.Dir(p.path))
}

// files are the operations of a file system that program needs. Tests lose the power between them.
type files interface {
	// create makes an empty executable file, or empties the one that there is.
	create(path string) (file, error)
	link(from, to string) error
	rename(from, to string) error
	remove(path string) error
	// syncDir makes names in a directory durable.
	syncDir(path string) error
}

// file is a file that is written.
type file interface {
	io.WriteCloser
	Sync() error
}

// osFiles are the files of the operating system.
type osFiles struct{}

func (osFiles) create(path string) (file, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o755)
	if err != nil {
		return nil, err
	}
	if err := f.Chmod(0o755); err != nil { // whatever the umask
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func (osFiles) link(from, to string) error   { return os.Link(from, to) }
func (osFiles) rename(from, to string) error { return os.Rename(from, to) }
func (osFiles) remove(path string) error     { return os.Remove(path) }
func (osFiles) syncDir(path string) error    { return syncDir(path) }
