package objecttest

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/store"
)

// ErrPower is the error of every operation after the power was lost.
var ErrPower = errors.New("the power is lost")

// Power counts the operations of a device that change something durable. The power is lost after
// Limit of them; a negative limit means never. The lock guards the Flash and the Records of the
// device, too, and what a test adds.
type Power struct {
	sync.Mutex
	Steps, Limit int
}

// Use uses the power for an operation. It returns false if there is none. The lock must be held.
func (p *Power) Use() bool {
	if p.Lost() {
		return false
	}
	p.Steps++
	return true
}

// Lost reports whether the power is lost.
func (p *Power) Lost() bool { return p.Limit >= 0 && p.Steps >= p.Limit }

// Flash is a storage for an image. It loses what was not synced.
type Flash struct {
	Power          *Power
	Bytes, Durable []byte
	Err            error // of Write
}

// Restart forgets what was not synced, if the power is lost. The lock of the Power must be held.
func (f *Flash) Restart() {
	if f.Power.Lost() {
		f.Bytes = slices.Clone(f.Durable)
	}
}

// change changes the storage by an operation.
func (f *Flash) change(do func()) error {
	f.Power.Lock()
	defer f.Power.Unlock()
	if !f.Power.Use() {
		return ErrPower
	}
	do()
	return nil
}

// Write appends.
func (f *Flash) Write(p []byte) (n int, err error) {
	failed := f.change(func() {
		if err = f.Err; err == nil {
			f.Bytes, n = append(f.Bytes, p...), len(p)
		}
	})
	return n, errors.Join(err, failed)
}

// Sync makes what was written durable.
func (f *Flash) Sync() error { return f.change(func() { f.Durable = slices.Clone(f.Bytes) }) }

// Truncate cuts off.
func (f *Flash) Truncate(n int64) error {
	return f.change(func() { f.Bytes = slices.Clone(f.Bytes[:n]) })
}

// Content returns a reader of everything that was written.
func (f *Flash) Content() *io.SectionReader {
	f.Power.Lock()
	defer f.Power.Unlock()
	c := slices.Clone(f.Bytes)
	return io.NewSectionReader(bytes.NewReader(c), 0, int64(len(c)))
}

// Storage is what a Downloader writes to.
type Storage interface {
	io.Writer
	Truncate(int64) error
	Sync() error
}

// Download does what a Downloader does that downloads the content.
func Download(s Storage, content []byte) error {
	if err := s.Truncate(0); err != nil {
		return err
	}
	if _, err := s.Write(content); err != nil {
		return err
	}
	return s.Sync()
}

// Records is a store.Store. The power can be lost before a batch, and after it, when it is durable
// and nobody learns it.
type Records struct {
	Power  *Power
	Values map[string][]byte
	Err    error         // of Apply
	Delay  time.Duration // that a batch takes
}

// Apply stores a batch.
func (r *Records) Apply(changes ...store.Change) error {
	time.Sleep(r.Delay) // in a bubble
	r.Power.Lock()
	defer r.Power.Unlock()
	if r.Err != nil {
		return r.Err
	}
	if !r.Power.Use() {
		return ErrPower
	}
	for _, c := range changes {
		r.Values[c.Name] = slices.Clone(c.Value)
	}
	if !r.Power.Use() {
		return ErrPower
	}
	return nil
}

// Load reads the records whose names begin with a prefix.
func (r *Records) Load(prefix string, f func(string, []byte) error) error {
	r.Power.Lock()
	defer r.Power.Unlock()
	for name, v := range r.Values {
		if strings.HasPrefix(name, prefix) {
			if err := f(name, v); err != nil {
				return err
			}
		}
	}
	return nil
}

// Close does nothing.
func (r *Records) Close() error { return nil }
