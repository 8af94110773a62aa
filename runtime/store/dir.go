package store

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// The files of a directory.
const (
	dataName    = "data"         // the store
	newName     = "data.new"     // the file that a compaction writes, before it replaces data
	damagedName = "data.damaged" // what Repair and Reset put aside
	lockName    = "lock"
)

// Config is the configuration of a Dir.
type Config struct {
	// Key seals the store with AES-256-GCM. The zero value means that the store is not sealed.
	Key Key
	// OldKeys are earlier keys. A store that was sealed with one of them is sealed with Key when it
	// is opened; if that fails, the store does not open. The zero value means that there are none.
	OldKeys []Key
	// SealPlain seals a store that was not sealed before. The zero value means that such a store is
	// ErrPlain if Key is set, because somebody may have put it in the place of a sealed one.
	SealPlain bool
	// Logger receives what no caller can be told: a batch that a loss of power interrupted (Info),
	// and a compaction that failed (Warn). The zero value means slog.Default().
	Logger *slog.Logger

	// compactAfter is the size of the log at which it is compacted, if the snapshot is smaller. The
	// zero value means 64 KiB.
	compactAfter int64
}

func (c Config) keys() []Key {
	var keys []Key
	for _, k := range append([]Key{c.Key}, c.OldKeys...) {
		if !k.IsZero() {
			keys = append(keys, k)
		}
	}
	return keys
}

// Dir is a Store in a directory. All records are also kept in memory. It writes one file: a
// snapshot, followed by a record for each batch. When the batches have become larger than the
// snapshot and than 64 KiB, Apply writes a new snapshot. Make one with OpenDir.
type Dir struct {
	path  string
	files files
	cfg   Config
	lock  io.Closer

	mu      sync.Mutex
	f       file
	framer  framer
	hidden  **memory // fmt shows a pointer to a pointer as an address, and so no value
	end     int64    // where the next record goes
	snapEnd int64
	nextTry int64 // the end at which a compaction is tried
	seq     uint64
	marked  bool  // the last record says that the store was closed in order
	failed  error // why the store is unusable
	closed  bool
}

// memory is the part of a Dir that holds values.
type memory struct {
	values map[string][]byte // its slices are never changed, only replaced
	plain  []byte            // buffers of Apply
	framed []byte
}

func (d *Dir) mem() *memory { return *d.hidden }

var _ Store = (*Dir)(nil)

// OpenDir opens the store in a directory, which it makes, for the user alone, if it is missing. If
// the store is damaged, the error is a *DamageError. Only one process at a time can open it: the
// error of the others is ErrInUse. That holds on Linux, macOS, Windows and the BSDs; elsewhere the
// program must ensure it.
func OpenDir(path string, cfg Config) (*Dir, error) {
	return openDir(osFiles{}, path, cfg)
}

func openDir(files files, path string, cfg Config) (*Dir, error) {
	if cfg.Key.IsZero() && (len(cfg.OldKeys) > 0 || cfg.SealPlain) {
		return nil, fmt.Errorf("store: %s: OldKeys and SealPlain need a Key", path)
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.compactAfter == 0 {
		cfg.compactAfter = 64 << 10
	}
	if err := files.MkdirAll(path); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	lock, err := files.Lock(path, true)
	if err != nil {
		return nil, fmt.Errorf("store: %s: %w", path, err)
	}
	m := &memory{}
	d := &Dir{path: path, files: files, cfg: cfg, lock: lock, hidden: &m}
	if err := d.open(); err != nil {
		if d.f != nil {
			_ = d.f.Close()
		}
		_ = lock.Close()
		var damage *DamageError
		if errors.As(err, &damage) {
			return nil, err
		}
		return nil, fmt.Errorf("store: %s: %w", path, err)
	}
	return d, nil
}

func (d *Dir) name(name string) string { return filepath.Join(d.path, name) }

// open reads the file, or makes it.
func (d *Dir) open() error {
	if err := d.files.Remove(d.name(newName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := d.files.Open(d.name(dataName), true)
	if errors.Is(err, fs.ErrNotExist) {
		d.mem().values = make(map[string][]byte)
		return d.compact()
	}
	if err != nil {
		return err
	}
	d.f = f
	c, err := scan(d.name(dataName), f, d.cfg.keys(), false)
	switch {
	case err != nil:
		return err
	case c.damage != nil:
		return c.damage
	case !c.header.sealed && !d.cfg.Key.IsZero() && !d.cfg.SealPlain:
		return fmt.Errorf("%w, although a key is given: set SealPlain if that is expected", ErrPlain)
	}
	d.framer, d.mem().values = c.framer, c.values
	d.end, d.snapEnd, d.seq, d.marked = c.end, c.snapEnd, c.seq, c.closed
	d.scheduleCompaction()
	if c.torn > 0 {
		d.cfg.Logger.Info("store: an interrupted batch is dropped", "path", d.path, "bytes", c.torn)
	}
	return d.settle(c)
}

// settle makes what was read durable. After a kill or a failed fsync the file may have records that
// are only in the memory of the system, which does not write them again. So everything is written
// to a new file, unless the store was closed in order.
func (d *Dir) settle(c *content) error {
	newKey := !d.cfg.Key.IsZero() && (!c.header.sealed || c.key != 0)
	if !newKey && (d.marked || c.end == c.snapEnd) && c.torn == 0 {
		// The compaction that made this file may not have come to this.
		return d.files.SyncDir(d.path)
	}
	err := d.compact()
	if err == nil || newKey || d.failed != nil {
		return err
	}
	// There may be no space for a new file.
	d.cfg.Logger.Warn("store: the compaction failed", "path", d.path, "error", err)
	return errors.Join(d.f.Truncate(d.end), d.f.Sync(), d.files.SyncDir(d.path))
}

// Apply writes the batch to the file and waits until it is durable. A batch that changes nothing is
// not written. If there is no space, the error says so, nothing is changed, and a later batch works
// when there is space again.
func (d *Dir) Apply(changes ...Change) error {
	if err := validate(changes); err != nil {
		return fmt.Errorf("store: %s: %w", d.path, err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.usable(); err != nil {
		return err
	}
	d.mem().plain = d.mem().plain[:0]
	if d.changesNothing(changes) {
		return nil
	}
	for _, c := range changes {
		d.mem().plain = appendChange(d.mem().plain, c)
	}
	if err := d.write(kindBatch, d.mem().plain); err != nil {
		return err
	}
	for _, c := range changes {
		applyTo(d.mem().values, c)
	}
	if d.end >= d.nextTry {
		if err := d.compact(); err != nil { // the batch is durable nevertheless
			d.cfg.Logger.Warn("store: the compaction failed", "path", d.path, "error", err)
			d.scheduleCompaction()
		}
	}
	return nil
}

// usable returns why the store cannot be used.
func (d *Dir) usable() error {
	if d.closed {
		return fmt.Errorf("store: %s: %w", d.path, ErrClosed)
	}
	if d.failed != nil {
		return fmt.Errorf("store: %s: %w: %w", d.path, ErrUnusable, d.failed)
	}
	return nil
}

// changesNothing reports whether every change of a batch sets what is there already.
func (d *Dir) changesNothing(changes []Change) bool {
	for _, c := range changes {
		old, ok := d.mem().values[c.Name]
		if c.Delete == ok || !c.Delete && !slices.Equal(old, c.Value) {
			return false
		}
	}
	return true
}

// write appends a record to the file, durably. If it fails, the file is as before, or the store is
// unusable.
func (d *Dir) write(k kind, payload []byte) error {
	d.mem().framed = d.framer.append(d.mem().framed[:0], k, d.seq+1, payload)
	if err := writeAll(d.f, d.mem().framed, d.end); err != nil {
		// A record that arrived in part must not become durable later.
		if undo := errors.Join(d.f.Truncate(d.end), d.f.Sync()); undo != nil {
			d.failed = errors.Join(err, undo)
			return d.usable()
		}
		return fmt.Errorf("store: %s: nothing is changed: %w", d.path, err)
	}
	if err := d.f.Sync(); err != nil {
		// The system may have dropped what it could not write, and report success next time.
		d.failed = err
		return d.usable()
	}
	d.end += int64(len(d.mem().framed))
	d.seq++
	d.marked = k == kindClosed
	return nil
}

// Load calls f with records, as of the last batch that was applied.
func (d *Dir) Load(prefix string, f func(name string, value []byte) error) error {
	type record struct {
		name  string
		value []byte
	}
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return fmt.Errorf("store: %s: %w", d.path, ErrClosed)
	}
	var records []record
	for name, value := range d.mem().values {
		if strings.HasPrefix(name, prefix) {
			records = append(records, record{name, value})
		}
	}
	d.mu.Unlock()
	slices.SortFunc(records, func(a, b record) int { return strings.Compare(a.name, b.name) })
	for _, r := range records {
		if err := f(r.name, r.value); err != nil {
			return err
		}
	}
	return nil
}

// Close marks the store as closed in order, and ends its use. A second Close does nothing.
func (d *Dir) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil
	}
	var err error
	if d.failed == nil && !d.marked && d.end > d.snapEnd {
		if err = d.write(kindClosed, nil); err != nil && d.f != nil {
			// Without the mark, the next opening writes everything to a new file.
			_ = d.f.Truncate(d.end)
		}
	}
	d.closed = true
	if d.f != nil {
		err = errors.Join(err, d.f.Close())
	}
	return errors.Join(err, d.lock.Close())
}

// String returns where the store is. Nothing shows its records.
func (d *Dir) String() string { return "store " + d.path }

// Format writes String for every verb.
func (d *Dir) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, d.String()) }

// LogValue returns String for slog.
func (d *Dir) LogValue() slog.Value { return slog.StringValue(d.String()) }
