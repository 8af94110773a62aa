package tls

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
)

// wire is the net.Conn that crypto/tls uses. It reads no further than to the end of a record, so
// that all waiting data is visible on the socket below. It keeps what is written until flush sends
// it as a whole. Closing it only ends a handshake in progress.
type wire struct {
	below socket.Socket

	header [5]byte
	have   int  // bytes of the header that have been read
	left   int  // bytes of the body of the record that have not been read
	ended  bool // the stream below has
	heard  bool // something was received

	mu      sync.Mutex
	out     []byte
	holding bool // flush follows
	stopped bool // out is not sent: below has, or gets, another connection
	again   *time.Timer
	tries   sync.WaitGroup // the running call of again
}

const recordHeader = 5

// Read implements net.Conn. Its errors are those of the socket below; crypto/tls continues after a
// time-out.
func (w *wire) Read(p []byte) (int, error) {
	n, err := w.read(p)
	w.heard = w.heard || n > 0
	return n, err
}

func (w *wire) read(p []byte) (int, error) {
	if w.have < recordHeader {
		n, err := w.below.Recv(p[:min(len(p), recordHeader-w.have)])
		w.ended = w.ended || err == io.EOF // never wrapped
		w.have += copy(w.header[w.have:], p[:n])
		if w.have == recordHeader {
			w.left = int(binary.BigEndian.Uint16(w.header[3:]))
			if w.left == 0 {
				w.have = 0
			}
		}
		return n, err
	}
	n, err := w.below.Recv(p[:min(len(p), w.left)])
	if w.left -= n; w.left == 0 {
		w.have = 0
	}
	return n, err
}

// Write implements net.Conn. It never waits.
func (w *wire) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.out = append(w.out, p...)
	if !w.holding {
		if err := w.flushLocked(); err != nil && !errors.Is(err, socket.ErrBusy) {
			return 0, err
		}
	}
	return len(p), nil
}

// hold makes Write keep data until flush.
func (w *wire) hold() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.holding = true
}

// flush sends what was written. If the socket below is busy, it is tried again later.
func (w *wire) flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.holding = false
	return w.flushLocked()
}

func (w *wire) flushLocked() error {
	if len(w.out) == 0 {
		return nil
	}
	if w.stopped {
		return socket.ErrBusy
	}
	err := w.below.Send(w.out)
	if errors.Is(err, socket.ErrBusy) {
		w.retry()
		return err
	}
	w.out = w.out[:0]
	if cap(w.out) > maxKept {
		w.out = nil
	}
	return err
}

// busyPause is the wait before the next attempt on a socket that is busy.
const busyPause = 5 * time.Millisecond

// retry sends out later by a timer: encryption cannot be undone, and there may be no further Send
// or Recv. The caller holds w.mu.
func (w *wire) retry() {
	if w.again != nil || w.stopped {
		return
	}
	w.tries.Add(1)
	w.again = time.AfterFunc(busyPause, func() {
		defer w.tries.Done()
		w.mu.Lock()
		defer w.mu.Unlock()
		w.again = nil
		if !w.holding {
			_ = w.flushLocked() // a broken connection shows in Recv
		}
	})
}

// stop prevents sending until resume. No attempt is in progress when it returns.
func (w *wire) stop() {
	w.mu.Lock()
	w.stopped = true
	if w.again != nil && w.again.Stop() {
		w.again = nil
		w.tries.Done()
	}
	w.mu.Unlock()
	w.tries.Wait()
}

func (w *wire) resume() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stopped = false
	if len(w.out) > 0 {
		w.retry()
	}
}

// maxKept bounds the write buffer that is kept between calls.
const maxKept = 4 << 10

// pending returns the number of bytes that the socket below has not taken.
func (w *wire) pending() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.out)
}

// Close ends a Read that is waiting.
func (w *wire) Close() error { return w.below.Close() }

func (w *wire) LocalAddr() net.Addr              { return addr{} }
func (w *wire) RemoteAddr() net.Addr             { return addr{} }
func (w *wire) SetDeadline(time.Time) error      { return nil }
func (w *wire) SetReadDeadline(time.Time) error  { return nil }
func (w *wire) SetWriteDeadline(time.Time) error { return nil }

// addr is an address that is never used.
type addr struct{}

func (addr) Network() string { return "tls" }
func (addr) String() string  { return "peer" }
