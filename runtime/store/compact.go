package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// snapshotRecord is the size beyond which a record of the snapshot takes no further change.
const snapshotRecord = 32 << 10

// scheduleCompaction sets the size of the file at which a compaction is tried: when the log has
// grown by as much as the snapshot has, and by enough. So a file is never much larger than twice
// its state, and writing snapshots costs no more than writing batches. After a failure the log must
// grow again by as much.
func (d *Dir) scheduleCompaction() {
	d.nextTry = d.snapEnd + max(d.cfg.compactAfter, d.snapEnd)
	for d.nextTry <= d.end {
		d.nextTry += max(d.cfg.compactAfter, d.snapEnd)
	}
}

// compact writes the state to a new file, which then replaces the old one. A failure before the
// replacement leaves everything as it was.
func (d *Dir) compact() error {
	name := d.name(newName)
	fr, end, seq, err := writeSnapshot(d.files, name, d.cfg.Key, d.mem().values)
	if err != nil {
		return errors.Join(err, removeIfThere(d.files, name))
	}
	// Windows replaces no file that is open.
	if d.f != nil {
		err := d.f.Close()
		d.f = nil
		if err != nil {
			d.failed = err
			return err
		}
	}
	renamed := d.files.Rename(name, d.name(dataName))
	if renamed == nil {
		if err := d.files.SyncDir(d.path); err != nil {
			d.failed = err
			return err
		}
		d.framer, d.end, d.snapEnd, d.seq, d.marked = fr, end, end, seq, false
		d.scheduleCompaction()
	}
	if err := d.reopen(); err != nil {
		d.failed = errors.Join(renamed, err)
		return d.failed
	}
	return renamed
}

// reopen opens the file again, which must be the one that the Dir knows.
func (d *Dir) reopen() error {
	f, err := d.files.Open(d.name(dataName), true)
	if err != nil {
		return err
	}
	d.f = f
	var b [headerSize]byte
	if _, err := f.ReadAt(b[:], 0); err != nil {
		return err
	}
	h, err := parseHeader(b[:])
	if err == nil && h.id != d.framer.id {
		err = errors.New("the file was replaced by another one")
	}
	return err
}

func removeIfThere(files files, name string) error {
	f, err := files.Open(name, false)
	if err != nil {
		return nil
	}
	return errors.Join(f.Close(), files.Remove(name))
}

// writeSnapshot makes a file with a state, durably except for its name.
func writeSnapshot(files files, name string, key Key, values map[string][]byte) (fr framer, end int64, seq uint64, err error) {
	h := newHeader()
	fr.id = h.id
	if !key.IsZero() {
		h.sealed = true
		if fr.aead, h.proof, err = key.derive(h.id); err != nil {
			return fr, 0, 0, err
		}
	}
	f, err := files.Create(name)
	if err != nil {
		return fr, 0, 0, err
	}
	w := snapshotWriter{f: f, framer: fr, buf: h.append(nil)}
	err = w.values(values)
	if err == nil {
		err = w.record(kindEnd, binary.BigEndian.AppendUint64(nil, uint64(len(values))))
	}
	if err == nil {
		err = w.flush()
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fr, 0, 0, fmt.Errorf("the new snapshot: %w", err)
	}
	return fr, w.end, w.seq, nil
}

type snapshotWriter struct {
	f      file
	framer framer
	buf    []byte
	end    int64
	seq    uint64
}

func (w *snapshotWriter) values(values map[string][]byte) error {
	var payload []byte
	for _, name := range slices.Sorted(maps.Keys(values)) {
		c := Put(name, values[name])
		if len(payload) > 0 && len(payload)+changeSize(c) > snapshotRecord {
			if err := w.record(kindSnapshot, payload); err != nil {
				return err
			}
			payload = payload[:0]
		}
		payload = appendChange(payload, c)
	}
	if len(payload) == 0 {
		return nil
	}
	return w.record(kindSnapshot, payload)
}

func (w *snapshotWriter) record(k kind, payload []byte) error {
	w.seq++
	w.buf = w.framer.append(w.buf, k, w.seq, payload)
	if len(w.buf) < snapshotRecord {
		return nil
	}
	return w.flush()
}

func (w *snapshotWriter) flush() error {
	err := writeAll(w.f, w.buf, w.end)
	w.end += int64(len(w.buf))
	w.buf = w.buf[:0]
	return err
}
