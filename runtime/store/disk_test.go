package store

import (
	"errors"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"slices"
)

// disk is a file system in memory that knows what is durable. It loses its power after a number of
// steps: a step is a written byte or any other change.
type disk struct {
	names   map[string]*inode // what programs see
	durable map[string]*inode
	pending []map[string]*inode // changes of names that are not durable; nil means removed
	locked  bool

	steps int                        // until the power is lost; negative means never
	used  int                        // steps so far
	fail  func(op, name string) bool // whether an operation fails
	with  error                      // the error of operations that fail
	whole bool                       // a write that fails takes all bytes, otherwise half of them
	short int                        // the most bytes that one write takes; 0 means no limit
}

type inode struct {
	data    []byte // what programs see
	durable []byte
	pending []edit
}

// edit is a write or, without bytes, a truncation that is not durable.
type edit struct {
	off   int64
	bytes []byte
}

var errPower = errors.New("the power is lost")

func newDisk() *disk {
	return &disk{names: map[string]*inode{}, durable: map[string]*inode{}, steps: -1, with: errors.New("injected")}
}

// step uses up n steps, and returns how many of them there are.
func (d *disk) step(n int) (int, error) {
	d.used += n
	if d.steps < 0 {
		return n, nil
	}
	if n > d.steps {
		n = d.steps
		d.steps = 0
		return n, errPower
	}
	d.steps -= n
	return n, nil
}

func (d *disk) do(op, name string) error {
	if d.fail != nil && d.fail(op, name) {
		return d.with
	}
	_, err := d.step(1)
	return err
}

func (d *disk) setNames(c map[string]*inode) {
	apply(d.names, c)
	d.pending = append(d.pending, c)
}

func apply(names, change map[string]*inode) {
	for name, n := range change {
		if n == nil {
			delete(names, name)
		} else {
			names[name] = n
		}
	}
}

func (d *disk) MkdirAll(string) error { return nil }

func (d *disk) Open(name string, _ bool) (file, error) {
	if d.steps == 0 {
		return nil, errPower
	}
	if d.fail != nil && d.fail("open", name) {
		return nil, d.with
	}
	n := d.names[name]
	if n == nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return &handle{d, n, name}, nil
}

func (d *disk) Create(name string) (file, error) {
	if err := d.do("create", name); err != nil {
		return nil, err
	}
	n := &inode{}
	d.setNames(map[string]*inode{name: n})
	return &handle{d, n, name}, nil
}

func (d *disk) Rename(from, to string) error {
	if err := d.do("rename", from); err != nil {
		return err
	}
	n := d.names[from]
	if n == nil {
		return fs.ErrNotExist
	}
	d.setNames(map[string]*inode{to: n, from: nil})
	return nil
}

func (d *disk) Remove(name string) error {
	if d.names[name] == nil {
		return fs.ErrNotExist
	}
	if err := d.do("remove", name); err != nil {
		return err
	}
	d.setNames(map[string]*inode{name: nil})
	return nil
}

func (d *disk) SyncDir(dir string) error {
	if err := d.do("syncdir", dir); err != nil {
		return err
	}
	d.durable, d.pending = maps.Clone(d.names), nil
	return nil
}

func (d *disk) Lock(string, bool) (io.Closer, error) {
	if d.locked {
		return nil, ErrInUse
	}
	d.locked = true
	return unlock{d}, nil
}

type unlock struct{ d *disk }

func (u unlock) Close() error { u.d.locked = false; return nil }

type handle struct {
	d    *disk
	n    *inode
	name string
}

func (h *handle) Size() (int64, error) { return int64(len(h.n.data)), nil }

func (h *handle) Close() error {
	if h.d.fail != nil && h.d.fail("close", h.name) {
		return h.d.with
	}
	return nil
}

func (h *handle) ReadAt(b []byte, off int64) (int, error) {
	if h.d.fail != nil && h.d.fail("read", h.name) {
		return 0, h.d.with
	}
	if off >= int64(len(h.n.data)) {
		return 0, io.EOF
	}
	n := copy(b, h.n.data[off:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (h *handle) WriteAt(b []byte, off int64) (int, error) {
	failed := h.d.fail != nil && h.d.fail("write", h.name)
	if h.d.short > 0 && len(b) > h.d.short {
		b = b[:h.d.short]
	}
	if failed && !h.d.whole {
		b = b[:len(b)/2] // what a full disk takes
	}
	n, err := h.d.step(len(b))
	if n > 0 {
		e := edit{off, slices.Clone(b[:n])}
		h.n.data = e.apply(h.n.data)
		h.n.pending = append(h.n.pending, e)
	}
	if failed {
		return n, h.d.with
	}
	return n, err
}

func (h *handle) Truncate(size int64) error {
	if err := h.d.do("truncate", h.name); err != nil {
		return err
	}
	e := edit{off: size}
	h.n.data = e.apply(h.n.data)
	h.n.pending = append(h.n.pending, e)
	return nil
}

// Sync that fails forgets what was not durable, as Linux does: programs still see it, and another
// Sync succeeds.
func (h *handle) Sync() error {
	if err := h.d.do("sync", h.name); err != nil {
		if !errors.Is(err, errPower) {
			h.n.pending = nil
		}
		return err
	}
	for _, e := range h.n.pending {
		h.n.durable = e.apply(h.n.durable)
	}
	h.n.pending = nil
	return nil
}

func (e edit) apply(data []byte) []byte {
	if e.bytes == nil {
		if int(e.off) < len(data) {
			return slices.Clone(data[:e.off])
		}
		return append(slices.Clone(data), make([]byte, int(e.off)-len(data))...)
	}
	data = slices.Clone(data)
	if grow := int(e.off) + len(e.bytes) - len(data); grow > 0 {
		data = append(data, make([]byte, grow)...)
	}
	copy(data[e.off:], e.bytes)
	return data
}

// sectors returns the edit in pieces of size bytes, of which only those are there for which keep is
// true. The file is as long as with all of them if long is set.
func (e edit) sectors(data []byte, size int, long bool, keep func(i int) bool) []byte {
	if e.bytes == nil {
		if keep(0) {
			return e.apply(data)
		}
		return data
	}
	if end := int(e.off) + len(e.bytes); long && end > len(data) {
		data = edit{off: int64(end)}.apply(data)
	}
	for i, piece := range slices.Collect(slices.Chunk(e.bytes, size)) {
		if keep(i) {
			data = edit{e.off + int64(i*size), piece}.apply(data)
		}
	}
	return data
}

// image is a way in which a disk comes back after a loss of power.
type image struct {
	name  string
	names func(i int) bool // which changes of names are durable
	long  bool             // whether files are as long as if all their writes were durable
	size  int              // of a sector
	keep  func(i int) bool // which sectors of a write are durable
}

func images(seed uint64) []image {
	all := func(int) bool { return true }
	none := func(int) bool { return false }
	list := []image{
		{"everything", all, true, 8, all},
		{"what was synced", none, false, 8, none},
		{"names without content", all, false, 8, none},
		{"content without names", none, true, 8, all},
		{"zeros", all, true, 8, none},
		{"all but the first sector", all, true, 8, func(i int) bool { return i > 0 }},
		{"all names but the first", func(i int) bool { return i > 0 }, true, 8, all},
		{"every other sector", all, true, 24, func(i int) bool { return i%2 == 0 }},
	}
	for range 3 {
		r := rand.New(rand.NewPCG(seed, uint64(len(list))))
		coin := func(int) bool { return r.IntN(2) == 0 }
		list = append(list, image{"random", coin, coin(0), 1 + r.IntN(32), coin})
	}
	return list
}

// after returns the disk as it comes back.
func (d *disk) after(im image) *disk {
	next := newDisk()
	names := maps.Clone(d.durable)
	for i, c := range d.pending {
		if im.names(i) {
			apply(names, c)
		}
	}
	for name, n := range names {
		data := slices.Clone(n.durable)
		for _, e := range n.pending {
			data = e.sectors(data, im.size, im.long, im.keep)
		}
		next.names[name] = &inode{data: data, durable: data}
	}
	next.durable = maps.Clone(next.names)
	return next
}
