package update

import (
	"context"
	"io"

	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// Storage is where an image goes.
type Storage interface {
	io.Writer
	Truncate(size int64) error
}

// Receiver says what a pushed image does to an instance.
type Receiver[R any] struct {
	ID      dm.InstanceID
	Storage Storage
	MaxSize int64 // 0 means no bound
	// Open returns why the resource cannot be written now. Begin returns why an image cannot begin.
	Open, Begin func(*Change[R]) error
	// End is the end of the image, which has a size. It returns false if that is not allowed.
	End func(c *Change[R], size int64) bool
	// Fail ends the image early.
	Fail func(*Change[R], Cause) bool
	// Reset is called for a zero byte, and for nothing.
	Reset func(*Change[R]) bool
}

// Push is one write of an image. A single zero byte and an empty value are a reset, so an image
// begins with the first byte that is neither.
type Push[R any] struct {
	e     *Engine[R]
	r     Receiver[R]
	size  int64
	begun bool
	ended bool // Abort has nothing left to report
}

// Push returns the sink for a write.
func (e *Engine[R]) Push(r Receiver[R]) (dm.Sink, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	c := &Change[R]{e: e, records: map[dm.InstanceID]*R{}}
	if err := r.Open(c); err != nil {
		return nil, err
	}
	p := &Push[R]{e: e, r: r}
	e.slots[r.ID].opened = p
	return p, nil
}

// Resets reports whether the write of an image that an instance has received last is a reset.
func (e *Engine[R]) Resets(id dm.InstanceID) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	p := e.slots[id].opened
	return p != nil && !p.begun
}

// errEnded is the answer to blocks of an image that is of no interest any more.
var errEnded = dm.Errorf(dm.MethodNotAllowed, "the update was cancelled or reset")

// Write appends a block to the image.
func (p *Push[R]) Write(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	if !p.begun {
		if p.size == 0 && len(b) == 1 && b[0] == 0 {
			p.size = 1
			return 1, nil
		}
		if err := p.begin(); err != nil {
			return 0, err
		}
		if p.size == 1 { // the zero byte belongs to an image
			if err := p.append([]byte{0}); err != nil {
				return 0, err
			}
		}
	}
	if limit := p.r.MaxSize; limit > 0 && p.size+int64(len(b)) > limit {
		return 0, p.fail(Fail(NotEnoughStorage, dm.Errorf(dm.RequestEntityTooLarge, "it is larger than %d bytes", limit)))
	}
	p.size += int64(len(b))
	if err := p.append(b); err != nil {
		return 0, err
	}
	return len(b), nil
}

// append writes to the storage, unless a server has cancelled or reset the update since the last
// block. Then the storage may already belong to the next image.
func (p *Push[R]) append(b []byte) error {
	p.e.mu.Lock()
	if !p.current() {
		p.e.mu.Unlock()
		p.ended = true
		return errEnded
	}
	_, err := p.r.Storage.Write(b)
	p.e.mu.Unlock()
	if err != nil {
		return p.fail(err)
	}
	return nil
}

// current reports whether the update is about this image. The lock must be held.
func (p *Push[R]) current() bool {
	return p.e.slots[p.r.ID].push == p
}

// begin starts a new image.
func (p *Push[R]) begin() error {
	if err := p.e.Ready(); err != nil {
		return err
	}
	p.e.mu.Lock()
	refusal := dm.Errorf(dm.ServiceUnavailable, "the device is shutting down")
	_, ok := p.e.change(func(c *Change[R]) bool {
		refusal = p.r.Begin(c)
		return refusal == nil
	})
	if !ok {
		p.e.mu.Unlock()
		return refusal
	}
	p.begun, p.e.slots[p.r.ID].push = true, p
	err := p.r.Storage.Truncate(0)
	p.e.mu.Unlock()
	if err != nil {
		return p.fail(err)
	}
	return nil
}

// fail ends the image because of an error, and returns the answer to the server.
func (p *Push[R]) fail(err error) error {
	p.ended = true
	cause := CauseOf(err, Failed)
	p.change(func(c *Change[R]) bool { return p.r.Fail(c, cause) })
	code := dm.InternalServerError
	switch cause {
	case NotEnoughStorage:
		code = dm.RequestEntityTooLarge
	case UnsupportedPackageType:
		code = dm.UnsupportedContentFormat
	}
	return dm.Errorf(code, "the image cannot be stored: %w", err)
}

// change changes the record, unless the update is about another image.
func (p *Push[R]) change(fn func(*Change[R]) bool) bool {
	p.e.mu.Lock()
	defer p.e.mu.Unlock()
	if !p.current() {
		return false
	}
	_, ok := p.e.change(fn)
	return ok
}

// Commit ends the image, or resets the update.
func (p *Push[R]) Commit(context.Context) error {
	if !p.begun {
		p.ended = true
		if err := p.e.Ready(); err != nil {
			return err
		}
		_, ok := p.e.Change(p.r.Reset)
		if !ok {
			return dm.Errorf(dm.MethodNotAllowed, "what is being installed cannot be reset")
		}
		return nil
	}
	if !p.change(func(c *Change[R]) bool { return p.r.End(c, p.size) }) {
		p.ended = true
		return errEnded
	}
	return nil
}

// Abort reports that the server has given up, or that it starts again with the first block.
func (p *Push[R]) Abort() {
	if p.begun && !p.ended {
		p.ended = true
		p.change(func(c *Change[R]) bool { return p.r.Fail(c, ConnectionLost) })
	}
}
