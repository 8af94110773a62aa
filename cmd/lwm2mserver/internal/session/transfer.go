package session

import (
	"context"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/lwm2mgen/toolkit/cmd/lwm2mserver/internal/progress"
)

// The least time between two reports of a transfer, and the greatest one.
const (
	minReport = 100 * time.Millisecond
	maxReport = time.Second
)

// transfer reports how far an image is on its way to a device. While it advances, its command does
// not time out.
type transfer struct {
	command *command
	size    int64
	uri     string // of the image, "" for a push
	meter   *progress.Meter
	done    atomic.Int64
	last    atomic.Int64 // when it has advanced, in nanoseconds since begin
	begin   time.Time
	more    chan struct{} // holds a token after an advance
	full    chan struct{} // closed when all bytes have left the server
	stop    chan struct{}
	ended   chan struct{} // closed after the last report
	tenths  int           // that have been reported
	started bool          // and not ended
}

// newTransfer returns a transfer of size bytes.
func (c *command) newTransfer(size int64) *transfer {
	now := time.Now()
	return &transfer{
		command: c, size: size, meter: progress.NewMeter(size, now), begin: now,
		more: make(chan struct{}, 1), full: make(chan struct{}), stop: make(chan struct{}), ended: make(chan struct{}),
	}
}

// start begins to report. The caller ends the transfer.
func (t *transfer) start() {
	t.started = true
	go t.run()
}

// advance says that the first done bytes have arrived. It is safe for concurrent use and does not
// wait.
func (t *transfer) advance(done int64) {
	for old := t.done.Load(); done > old; old = t.done.Load() {
		// This comes first: when the transfer is complete, the command sets another deadline.
		t.command.extend(t.command.cfg.Timeout, t.silence)
		t.last.Store(int64(time.Since(t.begin)))
		if t.done.CompareAndSwap(old, done) {
			if done == t.size {
				close(t.full)
			}
			select {
			case t.more <- struct{}{}:
			default:
			}
			return
		}
	}
}

// silence returns why a command ends whose transfer does not advance.
func (t *transfer) silence() string {
	if t.done.Load() == 0 && t.uri != "" {
		return fmt.Sprintf("the device has not asked for %s within %v", t.uri, t.command.cfg.Timeout)
	}
	return fmt.Sprintf("no progress for %v", t.command.cfg.Timeout)
}

// complete reports whether all bytes have left the server.
func (t *transfer) complete() bool { return t.done.Load() >= t.size }

// wait waits until the transfer is complete or has not advanced for idleTime.
func (t *transfer) wait(ctx context.Context) error {
	for !t.complete() {
		left := idleTime - (time.Since(t.begin) - time.Duration(t.last.Load()))
		if left <= 0 {
			break
		}
		select {
		case <-t.full:
		case <-time.After(left):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// end prints the last report. It does nothing before start, and when it is called again.
func (t *transfer) end(complete bool) {
	if !t.started {
		return
	}
	t.started = false
	if complete {
		t.done.Store(t.size)
	}
	close(t.stop)
	<-t.ended
}

// run reports until the transfer ends.
func (t *transfer) run() {
	defer close(t.ended)
	tick := time.NewTicker(maxReport)
	defer tick.Stop()
	last := t.begin
	for {
		select {
		case <-t.stop:
			t.report(time.Now(), true)
			return
		case <-tick.C:
		case <-t.more:
		}
		now := time.Now()
		if t.tenth() > t.tenths || now.Sub(last) >= minReport {
			last = now
			t.report(now, false)
		}
	}
}

// tenth returns how many tenths have arrived.
func (t *transfer) tenth() int {
	return progress.Progress{Done: t.done.Load(), Size: t.size}.Percent() / 10
}

func (t *transfer) report(now time.Time, ended bool) {
	p := t.meter.Measure(t.done.Load(), now)
	c := t.command
	r := Report{
		Time: now, Kind: "progress", Device: c.endpoint, Command: c.verb.name, Late: c.late.Load(),
		Progress: &Progress{Progress: p, Step: p.Percent()/10 > t.tenths, Ended: ended},
	}
	t.tenths = p.Percent() / 10
	c.print(r)
}

// watchedFile counts how far a file is read.
type watchedFile struct {
	io.ReaderAt
	transfer atomic.Pointer[transfer] // nil while nothing is counted
}

// ReadAt reads a part of the file.
func (f *watchedFile) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.ReaderAt.ReadAt(p, off)
	if t := f.transfer.Load(); t != nil {
		t.advance(off + int64(n))
	}
	return n, err
}
