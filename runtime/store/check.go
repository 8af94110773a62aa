package store

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
)

// Report is what Check finds in a directory.
type Report struct {
	// Path is the file that holds the store.
	Path string
	// Sealed reports whether the store is sealed, and Opened whether its records could be read.
	Sealed, Opened bool
	// Size is the size of the file in bytes.
	Size int64
	// Records is the number of records, up to the damage if there is any. It needs Opened.
	Records int
	// Batches is the number of batches since the last snapshot.
	Batches int
	// Closed reports whether the store was closed in order.
	Closed bool
	// Torn is the size of a batch in bytes that a loss of power interrupted. It was never
	// acknowledged, and the next opening drops it. The zero value means that there is none.
	Torn int64
	// Damage says what is damaged. The zero value means that nothing is.
	Damage *DamageError
}

// String returns the report in lines.
func (r Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %d bytes, ", r.Path, r.Size)
	switch {
	case !r.Sealed:
		b.WriteString("not sealed")
	case r.Opened:
		b.WriteString("sealed, and the key opens it")
	default:
		b.WriteString("sealed, and not opened: only checksums are checked")
	}
	if r.Opened {
		fmt.Fprintf(&b, "\nrecords: %d", r.Records)
	}
	fmt.Fprintf(&b, "\nbatches since the last snapshot: %d", r.Batches)
	if r.Closed {
		b.WriteString("\nclosed in order")
	}
	if r.Torn > 0 {
		fmt.Fprintf(&b, "\nan interrupted batch of %d bytes, which the next opening drops", r.Torn)
	}
	if r.Damage == nil {
		b.WriteString("\nno damage")
	} else {
		fmt.Fprintf(&b, "\n%v", r.Damage)
	}
	return b.String()
}

// Check reads the store in a directory, which nobody may have open, and changes nothing. Damage is
// in the report and is not an error. Without the right key, Check checks the checksums of a sealed
// store only.
func Check(path string, cfg Config) (Report, error) { return check(osFiles{}, path, cfg) }

func check(files files, path string, cfg Config) (Report, error) {
	lock, err := files.Lock(path, false)
	if err != nil {
		return Report{}, fmt.Errorf("store: %s: %w", path, err)
	}
	defer func() { _ = lock.Close() }()
	c, err := readFile(files, path, cfg.keys(), true)
	if err != nil {
		return Report{}, err
	}
	return c.report(path), nil
}

func readFile(files files, path string, keys []Key, lenient bool) (*content, error) {
	name := filepath.Join(path, dataName)
	f, err := files.Open(name, false)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	defer func() { _ = f.Close() }()
	c, err := scan(name, f, keys, lenient)
	if err != nil {
		return nil, fmt.Errorf("store: %s: %w", path, err)
	}
	return c, nil
}

func (c *content) report(path string) Report {
	return Report{
		Path: filepath.Join(path, dataName), Sealed: c.header.sealed, Opened: c.opened, Size: c.size,
		Records: len(c.values), Batches: c.batches, Closed: c.closed, Torn: c.torn, Damage: c.damage,
	}
}

// Repair returns a damaged store to the last state before the damage, and reports what it found. It
// changes nothing if there is no damage. It fails if the damage is in the snapshot, because a part
// of a snapshot is a mixture of old and new; then only Reset is left. The damaged file is kept as
// data.damaged.
//
// The state is older than what the device acknowledged. Name with drop the prefixes of records that
// must not go back, such as sequence numbers and security sessions: they are deleted.
func Repair(path string, cfg Config, drop ...string) (Report, error) {
	return repair(osFiles{}, path, cfg, drop)
}

func repair(files files, path string, cfg Config, drop []string) (Report, error) {
	lock, err := files.Lock(path, true)
	if err != nil {
		return Report{}, fmt.Errorf("store: %s: %w", path, err)
	}
	defer func() { _ = lock.Close() }()
	c, err := readFile(files, path, cfg.keys(), false)
	if err != nil {
		return Report{}, err
	}
	report := c.report(path)
	switch {
	case c.damage == nil:
		return report, nil
	case !c.damage.Repairable:
		return report, fmt.Errorf("store: %s: nothing can be kept: %w", path, c.damage)
	case !c.header.sealed && !cfg.Key.IsZero() && !cfg.SealPlain:
		return report, fmt.Errorf("store: %s: %w", path, ErrPlain)
	}
	for name := range c.values {
		for _, prefix := range drop {
			if strings.HasPrefix(name, prefix) {
				delete(c.values, name)
			}
		}
	}
	if err := replace(files, path, cfg.Key, c.values); err != nil {
		return report, fmt.Errorf("store: %s: %w", path, err)
	}
	return report, nil
}

// replace copies the damaged file and then replaces it, so that there is a store at any moment.
func replace(files files, path string, key Key, values map[string][]byte) error {
	data, next := filepath.Join(path, dataName), filepath.Join(path, newName)
	if err := copyFile(files, data, filepath.Join(path, damagedName)); err != nil {
		return err
	}
	if _, _, _, err := writeSnapshot(files, next, key, values); err != nil {
		return err
	}
	// The copy has its name durably before the original loses its own.
	if err := files.SyncDir(path); err != nil {
		return err
	}
	if err := files.Rename(next, data); err != nil {
		return err
	}
	return files.SyncDir(path)
}

// copyFile copies what can be read of a file.
func copyFile(files files, from, to string) error {
	in, err := files.Open(from, false)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	out, err := files.Create(to)
	if err != nil {
		return err
	}
	buf := make([]byte, 32<<10)
	for off := int64(0); ; {
		n, readErr := in.ReadAt(buf, off)
		if err = writeAll(out, buf[:n], off); err != nil || readErr != nil {
			break
		}
		off += int64(n)
	}
	return errors.Join(err, out.Sync(), out.Close())
}

// Reset puts the file of a store aside as data.damaged, in place of an earlier one, so that the
// next OpenDir starts with an empty store. It returns where the file is. The file may hold secrets:
// remove it when it is not needed any more.
func Reset(path string) (kept string, err error) { return reset(osFiles{}, path) }

func reset(files files, path string) (kept string, err error) {
	var lock io.Closer
	if lock, err = files.Lock(path, true); err != nil {
		return "", fmt.Errorf("store: %s: %w", path, err)
	}
	defer func() { _ = lock.Close() }()
	kept = filepath.Join(path, damagedName)
	err = files.Rename(filepath.Join(path, dataName), kept)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err == nil {
		err = files.SyncDir(path)
	}
	if err != nil {
		return "", fmt.Errorf("store: %w", err)
	}
	return kept, nil
}
