package socket

import (
	"cmp"
	"sync"
	"sync/atomic"
	"time"
)

// Inbox is the receiving half of a Socket for networks that deliver data by calls. It keeps data
// until Recv takes it, and implements deadlines, waking, notification and closing as Socket and
// Notifier require. A port whose driver delivers data by calls (a modem, or a goroutine that reads)
// puts the data into an Inbox and forwards the methods of the same names.
//
// The zero value is a closed Inbox for datagrams, as NewInbox(Datagram, 0) makes it. An Inbox uses
// no goroutine and, once it has grown to its usual size, allocates nothing. It must not be copied.
// All methods may be called from any goroutine, Recv from one at a time.
type Inbox struct {
	kind  Kind
	limit int           // 0: defaultInbox
	wake  chan struct{} // one token: check the state again; made by the first Open

	mu       sync.Mutex
	open     bool
	opened   uint64 // number of calls of Open; see Feed
	closed   uint64 // number of calls of Close on an open inbox
	deadline time.Time
	timer    *time.Timer // made by the first Recv that waits for a deadline
	data     ring[byte]
	sizes    ring[int32] // of datagrams, or one of the values below
	errs     []error     // for each size that is isError, in order
	end      error       // of a stream: after the data, permanent

	notify notification
}

// isError in sizes stands for the next of errs. A value below it is a truncated datagram of isCut -
// value bytes.
const (
	isError = -1
	isCut   = -2
)

// defaultInbox is how many bytes an Inbox without a limit holds.
const defaultInbox = 64 << 10

// NewInbox returns a closed Inbox that holds at most limit bytes. The zero value of limit means
// 64 KiB. An empty inbox takes one datagram of any size.
func NewInbox(kind Kind, limit int) *Inbox { return &Inbox{kind: kind, limit: max(0, limit)} }

func (b *Inbox) size() int { return cmp.Or(b.limit, defaultInbox) }

// Open empties the inbox and enables Put and Recv. Connect calls it.
func (b *Inbox) Open() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.clear()
	if b.wake == nil {
		b.wake = make(chan struct{}, 1)
	}
	b.open = true
	b.opened++
}

// Close drops the content of the inbox. Recv returns ErrClosed until the next Open.
func (b *Inbox) Close() {
	b.mu.Lock()
	was := b.open
	b.open = false
	if was {
		b.closed++
	}
	b.clear()
	b.mu.Unlock()
	if was {
		b.changed()
	}
}

func (b *Inbox) clear() {
	b.data, b.sizes, b.errs, b.end = ring[byte]{}, ring[int32]{}, nil, nil
}

// Put adds a datagram, or the next bytes of a stream, copying p. It returns false, and drops p, if
// the inbox is closed or full.
func (b *Inbox) Put(p []byte) bool { return b.put(p, int32(len(p)), 0) }

// PutCut adds the beginning of a truncated datagram: Recv returns it with ErrMessageTooLong.
func (b *Inbox) PutCut(p []byte) bool { return b.put(p, isCut-int32(len(p)), 0) }

// put adds p for the connection with the given number, or for any connection if the number is zero.
func (b *Inbox) put(p []byte, size int32, connection uint64) bool {
	b.mu.Lock()
	ok := b.takes(connection) && b.end == nil && b.fits(len(p))
	if ok {
		b.data.push(p)
		if b.kind == Datagram {
			b.sizes.push([]int32{size})
		}
	}
	b.mu.Unlock()
	if ok {
		b.changed()
	}
	return ok
}

// perDatagram is the number of bytes that each datagram counts in addition to its content, so that
// the number of empty ones is bounded too.
const perDatagram = 32

func (b *Inbox) fits(n int) bool {
	if b.kind == Datagram && b.sizes.n == 0 {
		return true
	}
	return b.data.n+n+b.sizes.n*perDatagram <= b.size()
}

// PutError makes Recv return err. Of datagrams, err is returned once, in its place between them. On
// a stream, err ends the stream: every Recv after the data returns it.
func (b *Inbox) PutError(err error) { b.putError(err, 0) }

// putError reports whether the inbox has taken err.
func (b *Inbox) putError(err error, connection uint64) bool {
	b.mu.Lock()
	ok := b.takes(connection) && b.fits(0)
	switch {
	case !ok:
	case b.kind == Stream:
		if b.end == nil {
			b.end = err
		}
	default:
		b.errs = append(b.errs, err)
		b.sizes.push([]int32{isError})
	}
	b.mu.Unlock()
	if ok {
		b.changed()
	}
	return ok
}

func (b *Inbox) takes(connection uint64) bool {
	return b.open && (connection == 0 || connection == b.opened)
}

// Feed puts data of one connection into an Inbox. After the Close that ends the connection it puts
// nothing, even if the inbox is open for another connection. It is for drivers that may still
// deliver data of an old connection when there is a new one. The zero value has no connection and
// puts nothing.
type Feed struct {
	inbox      *Inbox
	connection uint64
}

// Feed returns the Feed of the connection for which the inbox was opened last.
func (b *Inbox) Feed() Feed {
	b.mu.Lock()
	defer b.mu.Unlock()
	return Feed{b, max(b.opened, 1)}
}

// Put is Inbox.Put for the connection of f.
func (f Feed) Put(p []byte) bool {
	return f.inbox != nil && f.inbox.put(p, int32(len(p)), f.connection)
}

// PutCut is Inbox.PutCut for the connection of f.
func (f Feed) PutCut(p []byte) bool {
	return f.inbox != nil && f.inbox.put(p, isCut-int32(len(p)), f.connection)
}

// PutError is Inbox.PutError for the connection of f.
func (f Feed) PutError(err error) { f.putError(err) }

func (f Feed) putError(err error) bool { return f.inbox != nil && f.inbox.putError(err, f.connection) }

// Room is Inbox.Room.
func (f Feed) Room() int {
	if f.inbox == nil {
		return 0
	}
	return f.inbox.Room()
}

// Room returns the number of bytes that Put would take now.
func (b *Inbox) Room() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.open || b.end != nil {
		return 0
	}
	return max(0, b.size()-b.data.n)
}

// HasBuffered implements Buffered.
func (b *Inbox) HasBuffered() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.waiting()
}

func (b *Inbox) waiting() bool { return b.sizes.n > 0 || b.data.n > 0 || b.end != nil }

// Recv implements Socket. A Recv that waits during Close returns ErrClosed even if Open follows at
// once.
func (b *Inbox) Recv(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	closed := b.closed
	for {
		switch {
		case !b.open || b.closed != closed:
			return 0, ErrClosed
		case b.waiting():
			return b.take(p)
		case passed(b.deadline):
			return 0, ErrTimeout
		}
		b.wait()
	}
}

// take returns the oldest datagram, bytes or error.
func (b *Inbox) take(p []byte) (int, error) {
	if b.kind == Stream {
		if b.data.n == 0 {
			return 0, b.end
		}
		return b.data.pop(p), nil
	}
	var one [1]int32
	b.sizes.pop(one[:])
	if one[0] == isError {
		err := b.errs[0]
		b.errs = b.errs[1:]
		return 0, err
	}
	size, cut := int(one[0]), false
	if size <= isCut {
		size, cut = isCut-size, true
	}
	n := b.data.pop(p[:min(len(p), size)])
	b.data.skip(size - n)
	if n < size || cut {
		return n, ErrMessageTooLong
	}
	return n, nil
}

// wait releases the lock until the state changes or the deadline passes.
func (b *Inbox) wait() {
	var after <-chan time.Time
	if !b.deadline.IsZero() {
		left := time.Until(b.deadline)
		if b.timer == nil {
			b.timer = time.NewTimer(left)
		} else {
			b.timer.Reset(left)
		}
		after = b.timer.C
	}
	b.mu.Unlock()
	select {
	case <-b.wake:
	case <-after:
	}
	b.mu.Lock()
	if after != nil {
		b.timer.Stop()
	}
}

// SetRecvDeadline implements Socket.
func (b *Inbox) SetRecvDeadline(t time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.deadline = t
	b.poke()
}

// NotifyReadable implements Notifier.
func (b *Inbox) NotifyReadable(ready func()) {
	b.notify.set(ready)
	if b.HasBuffered() {
		b.notify.call()
	}
}

func (b *Inbox) poke() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

func (b *Inbox) changed() {
	b.poke()
	b.notify.call()
}

// notification holds the function of a Notifier. No lock is held during a call, because the
// function takes locks of the caller.
type notification struct{ f atomic.Pointer[func()] }

func (n *notification) set(f func()) {
	if f == nil {
		n.f.Store(nil)
		return
	}
	n.f.Store(&f)
}

func (n *notification) call() {
	if f := n.f.Load(); f != nil {
		(*f)()
	}
}

// ring is a queue in a slice that grows when it is full.
type ring[T any] struct {
	buf   []T
	first int
	n     int
}

func (r *ring[T]) push(p []T) {
	if r.n+len(p) > len(r.buf) {
		bigger := make([]T, max(16, 2*len(r.buf), r.n+len(p)))
		r.peek(bigger[:r.n])
		r.buf, r.first = bigger, 0
	}
	if len(p) == 0 {
		return
	}
	at := (r.first + r.n) % len(r.buf)
	done := copy(r.buf[at:], p)
	copy(r.buf, p[done:])
	r.n += len(p)
}

func (r *ring[T]) peek(p []T) int {
	n := min(len(p), r.n)
	done := copy(p[:n], r.buf[r.first:])
	copy(p[done:n], r.buf)
	return n
}

func (r *ring[T]) pop(p []T) int {
	n := r.peek(p)
	r.skip(n)
	return n
}

func (r *ring[T]) skip(n int) {
	r.n -= n
	if r.n == 0 {
		r.first = 0
		return
	}
	r.first = (r.first + n) % len(r.buf)
}
