package main

import (
	"errors"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/lwm2mgen/toolkit/runtime/store"
)

// errPower is the error of every operation after the power was lost.
var errPower = errors.New("the power is lost")

// inode is a file of a disk.
type inode struct{ content, durable string }

// disk is a file system that loses the power after a number of operations. Before the next syncDir,
// each change of a name may have become durable or not, in whatever order, and so may content that
// was not synced. It is also a store, whose operations count.
type disk struct {
	mu      sync.Mutex
	left    int           // operations until the power is lost, -1 for never
	off     chan struct{} // closed when the power is lost
	names   map[string]*inode
	durable map[string]*inode
	pending []func(map[string]*inode) // changes of names that are not durable
	records map[string][]byte
	full    bool // content cannot be written
}

func newDisk(left int, contents map[string]string) *disk {
	d := &disk{left: left, off: make(chan struct{}), names: map[string]*inode{}, records: map[string][]byte{}}
	for name, content := range contents {
		d.names[name] = &inode{content, content}
	}
	d.durable = maps.Clone(d.names)
	return d
}

// step counts an operation.
func (d *disk) step() error {
	switch d.left {
	case 0:
		close(d.off)
		d.left = -2
		return errPower
	case -2:
		return errPower
	case -1:
	default:
		d.left--
	}
	return nil
}

// isOff reports whether the power is lost.
func (d *disk) isOff() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.left == -2
}

// change changes names. It is durable after the next syncDir.
func (d *disk) change(apply func(map[string]*inode)) {
	apply(d.names)
	d.pending = append(d.pending, apply)
}

func (d *disk) create(path string) (file, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.step(); err != nil {
		return nil, err
	}
	n := &inode{}
	d.change(func(names map[string]*inode) { names[path] = n })
	return &handle{d, n}, nil
}

func (d *disk) link(from, to string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.step(); err != nil {
		return err
	}
	n := d.names[from]
	d.change(func(names map[string]*inode) { names[to] = n })
	return nil
}

func (d *disk) rename(from, to string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.step(); err != nil {
		return err
	}
	n := d.names[from]
	d.change(func(names map[string]*inode) { names[to] = n; delete(names, from) })
	return nil
}

func (d *disk) remove(path string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.step(); err != nil {
		return err
	}
	if d.names[path] == nil {
		return fs.ErrNotExist
	}
	d.change(func(names map[string]*inode) { delete(names, path) })
	return nil
}

func (d *disk) syncDir(string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.step(); err != nil {
		return err
	}
	d.durable, d.pending = maps.Clone(d.names), nil
	return nil
}

// handle is an open file.
type handle struct {
	d *disk
	n *inode
}

func (h *handle) Write(b []byte) (int, error) {
	h.d.mu.Lock()
	defer h.d.mu.Unlock()
	if err := h.d.step(); err != nil {
		return 0, err
	}
	if h.d.full {
		return 0, syscall.ENOSPC
	}
	h.n.content += string(b)
	return len(b), nil
}

func (h *handle) Sync() error {
	h.d.mu.Lock()
	defer h.d.mu.Unlock()
	if err := h.d.step(); err != nil {
		return err
	}
	h.n.durable = h.n.content
	return nil
}

func (h *handle) Close() error { return nil }

// Apply implements store.Store.
func (d *disk) Apply(changes ...store.Change) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.step(); err != nil {
		return err
	}
	for _, c := range changes {
		d.records[c.Name] = slices.Clone(c.Value)
		if c.Delete {
			delete(d.records, c.Name)
		}
	}
	return nil
}

// Load implements store.Store.
func (d *disk) Load(prefix string, f func(name string, value []byte) error) error {
	d.mu.Lock()
	records := maps.Clone(d.records)
	d.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(records)) {
		if strings.HasPrefix(name, prefix) {
			if err := f(name, records[name]); err != nil {
				return err
			}
		}
	}
	return nil
}

// Close implements store.Store.
func (d *disk) Close() error { return nil }

// afterLoss returns the contents of every disk that a loss of power now may leave.
func (d *disk) afterLoss() []map[string]string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var disks []map[string]string
	for subset := range 1 << len(d.pending) {
		names := maps.Clone(d.durable)
		for i, apply := range d.pending {
			if subset&(1<<i) != 0 {
				apply(names)
			}
		}
		for _, keep := range []func(*inode) string{
			func(n *inode) string { return n.durable },
			func(n *inode) string { return n.content },
			func(n *inode) string { return n.content[:(len(n.content)+len(n.durable))/2] },
		} {
			contents := map[string]string{}
			for name, n := range names {
				if n != nil {
					contents[name] = keep(n)
				}
			}
			disks = append(disks, contents)
		}
	}
	return disks
}
