package download

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// Download is one download. [Client.Start] makes it. Its methods may be called from any goroutine.
type Download struct {
	c       *Client
	request Request
	target  *target
	log     *slog.Logger

	// Owned by the loop.
	state      State
	pipe       pipe
	content    content
	link       link  // of CoAP
	szx        uint8 // of the blocks to ask for; the connection makes it smaller where it has to
	fetch      fetcher
	attempting bool // fetch runs
	opened     bool // the sink is ready
	suspended  bool
	over       bool // outcome is certain
	outcome    error
	failed     bool // the sink has: it is not used any more
	attempts   int  // in a row without progress
	lastErr    error
	next       time.Time // of the attempt that timer begins
	timer      sched.Job

	mu       sync.Mutex
	progress Progress
	done     chan struct{}
}

// fetcher is one attempt to fetch the rest of the content. It calls Download.onAttemptEnd once, on
// the loop.
type fetcher interface {
	start()
	// stop ends the attempt soon.
	stop()
	// onRoom is called when the pipe has taken what it was given.
	onRoom()
}

func newDownload(c *Client, r Request, t *target) *Download {
	d := &Download{c: c, request: r, target: t, done: make(chan struct{}), content: content{total: -1, maxSize: c.cfg.MaxSize, stall: c.cfg.Stall}}
	d.log = c.cfg.Logger.With("download", t.String())
	d.progress.Total = -1
	d.szx = 6
	d.timer.Func = d.reconcile
	w := &writer{sink: r.Sink, save: r.Save, every: c.cfg.SyncEvery, record: r.Record, durable: d.setDurable}
	d.pipe = pipe{w: w, post: c.sched.Post, onDone: d.onWritten}
	return d
}

// Progress returns how far the download is.
func (d *Download) Progress() Progress {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.progress
}

// Wait waits until the download is over and returns its outcome, or the error of ctx. It must not
// be called on the loop.
func (d *Download) Wait(ctx context.Context) error {
	select {
	case <-d.done:
		return d.outcome
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Suspend pauses the download.
func (d *Download) Suspend() { d.c.sched.Post(func() { d.setSuspended(true) }) }

// Resume ends Suspend: the download continues where it was, at once, unless all downloads are
// suspended. It also ends the pause before the next attempt.
func (d *Download) Resume() { d.c.sched.Post(func() { d.setSuspended(false) }) }

// Cancel ends the download with [ErrCancelled]. What is durable in the sink stays, so that a later
// download can continue.
func (d *Download) Cancel() { d.c.sched.Post(func() { d.finish(ErrCancelled) }) }

func (d *Download) setSuspended(v bool) {
	d.suspended = v
	d.onSuspension()
}

// onSuspension handles a change of what isSuspended returns.
func (d *Download) onSuspension() {
	if !d.isSuspended() {
		d.c.sched.Cancel(&d.timer)
	}
	d.reconcile()
}

func (d *Download) isSuspended() bool { return d.suspended || d.c.suspended }

// start prepares the sink.
func (d *Download) start() {
	d.c.downloads = append(d.c.downloads, d)
	d.pipe.next.open = d.request.URI
	d.pipe.start()
}

// onWritten is called when the sink has taken what it was given.
func (d *Download) onWritten(err error) {
	if err != nil {
		d.failed = true
		d.finish(err)
		return
	}
	if !d.opened {
		d.opened = true
		d.resume(d.pipe.w.record)
	}
	d.report()
	if d.attempting && !d.over {
		d.fetch.onRoom()
	}
	d.reconcile()
}

// resume continues with what the sink holds.
func (d *Download) resume(r Record) {
	d.content.etag, d.content.total, d.content.offset = r.ETag, r.Total, r.Offset
	d.content.resumed, d.content.highest = r.Offset > 0, r.Offset
	if r.Complete || d.content.complete() {
		d.over = true
	} else if r.Offset > 0 {
		d.log.Info("download continues", "offset", r.Offset, "total", r.Total)
	}
}

// reconcile does what comes next.
func (d *Download) reconcile() {
	switch {
	case d.state == Ended:
	case d.attempting:
		if d.over || d.isSuspended() {
			d.fetch.stop()
		}
	case d.pipe.busy || !d.opened && !d.failed:
		// onWritten follows.
	case d.over:
		if d.outcome == nil && !d.pipe.w.record.Complete || d.pipe.unsaved && !d.failed {
			d.pipe.sync(d.head(), d.outcome == nil)
			return
		}
		d.conclude()
	case d.pipe.unsaved && (d.isSuspended() || d.timer.Pending()):
		d.pipe.sync(d.head(), false)
	case d.isSuspended():
		d.setState(Suspended)
	case d.timer.Pending():
		d.setState(Waiting)
	case !d.c.acquire(d):
		d.setState(Queued)
	default:
		d.attempt()
	}
}

// attempt begins to fetch the rest of the content.
func (d *Download) attempt() {
	d.attempting = true
	d.setState(Connecting)
	if d.target.isHTTP() {
		d.fetch = &httpFetch{d: d}
	} else {
		d.fetch = &coapFetch{d: d}
	}
	d.fetch.start()
}

// onAttemptEnd is called when an attempt has ended: with nil when the content is complete.
func (d *Download) onAttemptEnd(err error) {
	d.attempting, d.fetch = false, nil
	var final *Error
	isFinal := errors.As(err, &final)
	switch {
	case d.over:
	case err == nil || !isFinal && d.content.complete():
		d.over = true
	case d.isSuspended() || errors.Is(err, errStopped):
	case isFinal:
		d.finish(err)
	default:
		d.retry(err)
	}
	d.reconcile()
	d.c.advance()
}

// retry plans the next attempt, or ends the download.
func (d *Download) retry(err error) {
	why := transient{kind: ConnectionLost}
	if t := (*transient)(nil); errors.As(err, &t) {
		why = *t
	} else if isUntrusted(err) {
		why.kind = Failed
	}
	switch c := &d.content; {
	case why.stalled:
		c.highest = max(c.highest, c.offset)
	case c.offset-c.highest >= d.c.cfg.Stall.Bytes:
		d.attempts, c.highest = 0, c.offset
	}
	d.attempts++
	d.lastErr = err
	if d.attempts >= d.c.cfg.Retry.Attempts {
		d.finish(&Error{Kind: why.kind, Err: err})
		return
	}
	pause := max(d.c.cfg.Retry.pause(d.attempts), min(why.after, d.c.cfg.Retry.Max))
	d.next = time.Now().Add(pause)
	d.c.sched.After(&d.timer, pause)
	d.log.Info("download interrupted", "offset", d.content.offset, "attempts", d.attempts, "pause", pause, "reason", err.Error())
}

// finish ends the download with an error.
func (d *Download) finish(err error) {
	if d.over && !d.failed || d.state == Ended {
		return
	}
	if own := (*Error)(nil); errors.As(err, &own) {
		err = &Error{Kind: own.Kind, URI: d.target.String(), Offset: d.content.offset, Err: own.Err}
	}
	d.over, d.outcome = true, err
	d.c.sched.Cancel(&d.timer)
	d.reconcile()
}

// conclude calls Done.
func (d *Download) conclude() {
	d.link.discard()
	d.setState(Ended)
	if d.outcome == nil {
		d.log.Info("download complete", "size", d.content.offset)
	} else {
		d.log.Warn("download ended", "reason", d.outcome.Error())
	}
	close(d.done)
	if d.request.Done != nil {
		d.request.Done(d.outcome)
	}
	d.c.remove(d)
}

// head is what is known of the content, for the record.
func (d *Download) head() head { return head{d.content.etag, d.content.total} }

func (d *Download) setState(s State) {
	if d.state != s || s == Waiting {
		d.state = s
		d.report()
	}
}

func (d *Download) setDurable(n int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.progress.Durable = n
}

// report publishes the progress. The loop calls it.
func (d *Download) report() {
	if !d.attempting || !d.target.isHTTP() {
		d.publish()
	}
	d.mu.Lock()
	d.progress.State, d.progress.Attempts, d.progress.Err, d.progress.Next = d.state, d.attempts, d.lastErr, time.Time{}
	if d.state == Waiting {
		d.progress.Next = d.next
	}
	p := d.progress
	d.mu.Unlock()
	if d.request.Progress != nil {
		d.request.Progress(p)
	}
}

// publish publishes how much has been received. The owner of the content calls it.
func (d *Download) publish() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.progress.Received, d.progress.Total = d.content.offset, d.content.total
}
