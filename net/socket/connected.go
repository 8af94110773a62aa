package socket

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// connected is one connection of a connSocket, with the goroutines that read and write.
type connected struct {
	s    *connSocket
	conn io.ReadWriteCloser
	feed Feed
	out  outbox

	stop     chan struct{} // closed by close
	finished sync.WaitGroup
}

func connect(s *connSocket, conn io.ReadWriteCloser) *connected {
	c := &connected{s: s, conn: conn, feed: s.inbox.Feed(), stop: make(chan struct{})}
	c.out.init(s.kind, s.limit)
	c.finished.Go(c.read)
	c.finished.Go(c.write)
	return c
}

// close ends the connection. What Send has taken over gets a moment to leave.
func (c *connected) close() error {
	c.out.close()
	pause := time.NewTimer(closePause)
	defer pause.Stop()
	select {
	case <-c.out.empty:
	case <-pause.C:
	}
	close(c.stop)
	ended := make(chan error, 1)
	go func() {
		err := c.conn.Close()
		c.finished.Wait()
		ended <- err
	}()
	pause.Reset(closePatience)
	select {
	case err := <-ended:
		if errors.Is(err, net.ErrClosed) || errors.Is(err, io.ErrClosedPipe) { // the peer was first
			return nil
		}
		return err
	case <-pause.C:
		return fmt.Errorf("close: Read, Write or Close of the connection has not returned %v after Close", closePatience)
	}
}

// largestDatagram is the largest datagram of UDP.
const largestDatagram = 65535

// read puts what arrives into the inbox of the socket.
func (c *connected) read() {
	size := largestDatagram
	if c.s.kind == Stream {
		size = 16 << 10
	}
	buf := make([]byte, size)
	for {
		n, err := c.conn.Read(buf)
		c.s.received.Add(uint64(n))
		if n > 0 || err == nil && c.s.kind == Datagram {
			if !c.put(buf[:n]) {
				return
			}
		}
		if err != nil && !c.report(err) {
			return
		}
	}
}

// put passes data to Recv. It returns false when the connection is closed. A datagram that finds no
// room is lost: to wait would hold up the other connections of a multiplexer.
func (c *connected) put(p []byte) bool {
	for !c.feed.Put(p) {
		switch {
		case c.s.kind == Datagram:
			return true
		case !c.waitTaken():
			return false
		}
	}
	return true
}

// report passes an error of Read to Recv. It returns false at the end of the connection.
func (c *connected) report(err error) bool {
	goesOn := false
	switch wrapped := WrapError(err); {
	case c.s.kind == Stream && errors.Is(err, io.EOF):
		err = io.EOF
	case c.s.kind == Datagram && transient(wrapped):
		err, goesOn = wrapped, true
	default:
		err = brokenConn(err)
	}
	for !c.feed.putError(err) {
		if !c.waitTaken() {
			return false
		}
	}
	// An error that comes again and again is not reported faster than Recv is called.
	return goesOn && c.waitTaken()
}

// waitTaken waits until Recv has returned something. It returns false when the connection is
// closed.
func (c *connected) waitTaken() bool {
	select {
	case <-c.stop:
		return false
	case <-c.s.taken:
		return true
	}
}

// write passes to the connection what Send has taken over.
func (c *connected) write() {
	var buf []byte
	for {
		var ok bool
		if buf, ok = c.out.next(buf[:0], c.stop); !ok {
			return
		}
		_, err := c.conn.Write(buf)
		if err != nil && c.s.kind == Datagram {
			err = c.writeAgain(buf, WrapError(err))
		}
		if err != nil {
			c.out.fail(brokenConn(err))
			return
		}
	}
}

// writeAgain handles an error of Write on a connection for datagrams. The refusal of an earlier
// datagram must not stop this one. Otherwise a datagram that is not sent counts as lost.
func (c *connected) writeAgain(p []byte, err error) error {
	if errors.Is(err, ErrRefused) {
		c.feed.PutError(err)
		_, err = c.conn.Write(p)
		err = WrapError(err)
	}
	if err == nil || transient(err) {
		return nil
	}
	c.feed.PutError(brokenConn(err))
	return err
}

// outbox holds what Send has taken over and the connection has not.
type outbox struct {
	kind  Kind
	limit int
	wake  chan struct{} // one token: there is something to write
	empty chan struct{} // closed when nothing is left after close, or nothing more can be written

	mu      sync.Mutex
	data    ring[byte]
	sizes   ring[int32] // of datagrams
	writing int         // bytes that the connection is writing
	closed  bool
	broken  error
}

func (o *outbox) init(k Kind, limit int) {
	o.kind, o.limit = k, limit
	o.wake, o.empty = make(chan struct{}, 1), make(chan struct{})
}

// put adds a datagram, or the next bytes of a stream. An empty outbox takes anything.
func (o *outbox) put(p []byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	held := o.data.n + o.writing + o.sizes.n*perDatagram
	switch {
	case o.broken != nil:
		return o.broken
	case o.closed:
		return ErrClosed
	case held > 0 && held+len(p) > o.limit:
		return ErrBusy
	}
	o.data.push(p)
	if o.kind == Datagram {
		o.sizes.push([]int32{int32(len(p))})
	}
	select {
	case o.wake <- struct{}{}:
	default:
	}
	return nil
}

// maxWrite is how much of a stream is written at once.
const maxWrite = 16 << 10

// next waits for a datagram, or for bytes of a stream, and appends it to buf. It returns false when
// the connection is closed.
func (o *outbox) next(buf []byte, stop <-chan struct{}) ([]byte, bool) {
	for {
		if p, ok := o.take(buf); ok {
			return p, true
		}
		select {
		case <-stop:
			return nil, false
		case <-o.wake:
		}
	}
}

// take is next without waiting. What it returned before has been written.
func (o *outbox) take(buf []byte) ([]byte, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.writing = 0
	n, ok := min(o.data.n, maxWrite), o.data.n > 0
	if o.kind == Datagram {
		var size [1]int32
		ok = o.sizes.pop(size[:]) > 0
		n = int(size[0])
	}
	if !ok {
		o.finish()
		return nil, false
	}
	if cap(buf) < n {
		buf = make([]byte, n)
	}
	o.writing = o.data.pop(buf[:n])
	return buf[:n], true
}

// close refuses further data and makes empty tell when everything has been written.
func (o *outbox) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	if o.data.n == 0 && o.sizes.n == 0 && o.writing == 0 || o.broken != nil {
		o.finish()
	}
}

// fail drops everything, because nothing more can be written.
func (o *outbox) fail(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.broken, o.writing = err, 0
	o.data, o.sizes = ring[byte]{}, ring[int32]{}
	o.finish()
}

// finish closes empty if close was called. The caller holds o.mu.
func (o *outbox) finish() {
	if !o.closed {
		return
	}
	select {
	case <-o.empty:
	default:
		close(o.empty)
	}
}

func (o *outbox) backlog() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.data.n + o.writing
}
