package download

import (
	"context"
	"errors"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// coapFetch fetches the content by CoAP, block by block.
type coapFetch struct {
	d         *Download
	borrowed  bool // conn is that of Request.Conn
	conn      *coap.Conn
	cancel    context.CancelFunc // of the connect that runs
	call      coap.Call
	szx       uint8
	stream    bool
	responded bool // the server has
	repeat    bool // the last byte is asked for again: the content may end there
	verify    bool // the first block is asked for again: the server has refused another one
	room      bool // the next block is asked for when the pipe has room
	pause     sched.Job
	asked     time.Time // when the last request was sent
	stopped   bool
	ended     bool
}

// errStopped is the end of an attempt that the download has stopped.
var errStopped = errors.New("stopped")

func (f *coapFetch) start() {
	d := f.d
	f.pause.Func = f.ask
	if d.request.Conn != nil {
		f.conn, f.borrowed = d.request.Conn(d.target.text)
	}
	switch {
	case f.borrowed && f.conn == nil:
		f.end(retryable(ConnectionLost, "there is no connection to the server"))
		return
	case f.borrowed:
		f.begin()
		return
	case !d.c.canDial(d.target.scheme):
		f.end(errNoDialer(d.target.scheme))
		return
	}
	var ctx context.Context
	ctx, f.cancel = context.WithTimeout(context.Background(), d.c.cfg.ConnectTimeout)
	go func() {
		err := d.link.open(ctx, d.c, d.target.scheme, d.target.url.Host)
		d.c.sched.Post(func() { f.onConnect(err) })
	}()
}

// onConnect is called when a connect has ended.
func (f *coapFetch) onConnect(err error) {
	f.cancel()
	f.cancel = nil
	l := &f.d.link
	if f.stopped {
		f.end(errStopped)
		return
	}
	if err == nil {
		err = l.attach(f.d.c, f.receive)
	}
	if err != nil {
		l.discard()
		f.end(err)
		return
	}
	f.conn = l.conn
	f.begin()
}

// begin asks for the first block.
func (f *coapFetch) begin() {
	f.stream = f.conn.Socket().Kind() == socket.Stream
	if f.szx = f.d.szx; f.stream && f.szx == 6 {
		f.szx = coap.BERT
	}
	f.call = coap.Call{
		Code: coap.GET, Priority: coap.PriorityLow, Timeout: f.d.c.cfg.IdleTimeout,
		MaxBody: maxMessage, OneBlock: true, Done: f.onBlock,
	}
	f.d.target.addOptions(&f.call.Options)
	// A server refuses a block behind the end, so an attempt that does not know where the end is
	// begins with the block before the next byte.
	f.repeat = f.d.content.offset > 0 && f.d.content.total < 0
	f.ask()
}

// ask asks for the block that the next byte is in, or for the one that repeat and verify name.
func (f *coapFetch) ask() {
	offset := f.d.content.offset
	switch {
	case f.verify:
		offset = 0
	case f.repeat && offset > 0:
		offset--
	}
	if f.stream && offset == 0 {
		// The server knows the largest size from the settings.
		f.call.Options.Remove(coap.OptionBlock2)
	} else {
		b := coap.Block{SZX: f.szx}
		num := offset / int64(b.Size())
		if num >= 1<<20 {
			f.end(fault(NoSpace, "the content has more than 2^20 blocks"))
			return
		}
		b.Num = uint32(num)
		f.call.Options.SetBlock(coap.OptionBlock2, b)
	}
	f.asked = time.Now()
	if err := f.conn.Do(&f.call); err != nil {
		f.end(err)
	}
}

// onBlock handles a response.
func (f *coapFetch) onBlock(r coap.Result) {
	if f.ended {
		return
	}
	d := f.d
	if r.Err != nil {
		if errors.Is(r.Err, coap.ErrTransfer) && d.szx > 0 {
			// Some servers answer with smaller blocks and keep the number of the request.
			d.szx--
		}
		f.end(coapFailure(r.Err))
		return
	}
	if !f.responded {
		f.responded, d.link.nextAddress = true, false
		d.setState(Receiving)
	}
	if r.Code != coap.Content {
		f.refuse(r)
		return
	}
	last, err := f.accept(r)
	if err == nil && !last {
		err = d.content.onResponse(len(r.Body), time.Since(f.asked))
	}
	switch {
	case err != nil:
		f.end(err)
	case last:
		f.end(nil)
	case d.pipe.busy && d.pipe.full():
		f.room = true
		d.c.bucket.take(len(r.Body))
	default:
		f.askSoon(len(r.Body))
	}
}

// askSoon asks for the next block, when the rate allows it.
func (f *coapFetch) askSoon(received int) {
	if wait := f.d.c.bucket.take(received); wait > time.Millisecond {
		f.d.c.sched.After(&f.pause, wait)
		return
	}
	f.ask()
}

func (f *coapFetch) onRoom() {
	if f.room && !f.ended {
		f.room = false
		f.d.pipe.push(nil, f.d.head()) // write what has come in the meantime
		f.askSoon(0)
	}
}

// accept takes over a block. last tells that the content is complete.
func (f *coapFetch) accept(r coap.Result) (last bool, err error) {
	d := f.d
	h := head{total: -1}
	if tag, ok := r.Options.ETag(); ok {
		h.etag = string(tag)
	}
	if size, ok := r.Options.Uint(coap.OptionSize2); ok {
		h.total = int64(size)
	}
	b, blocks := r.Options.Block(coap.OptionBlock2)
	if !blocks && d.content.offset > 0 && !f.verify {
		return false, fault(Inconsistent, "the server answers the request for a block with the whole content")
	}
	restart, err := d.content.accept(h)
	if err != nil {
		return false, err
	}
	if restart {
		d.log.Info("the content has changed: download starts again")
		d.pipe.restart()
	}
	if f.verify && !restart {
		if d.content.complete() {
			return true, nil // the block that was refused is behind the end
		}
		return false, retryable(Inconsistent, "the server refuses a block of content that has not changed")
	}
	f.verify = false
	smaller := blocks && b.SZX < min(f.szx, 6)
	if smaller {
		f.szx, d.szx = b.SZX, b.SZX
	}
	at := b.Offset()
	if at > d.content.offset {
		return false, nil // the content has changed: its first block is missing
	}
	// A block may begin before the next byte where its size has changed, and where it is repeated.
	p := r.Body[min(d.content.offset-at, int64(len(r.Body))):]
	if b.More && len(p) == 0 {
		switch end := at + int64(len(r.Body)); {
		case smaller:
			return false, nil // the next byte is in a later block of this size
		case f.repeat && end == d.content.offset:
			f.repeat = false
			return false, nil
		}
		return false, fault(Inconsistent, "the server repeats a block")
	}
	f.repeat = false
	if err := d.content.receive(len(p)); err != nil {
		return false, err
	}
	if b.More && d.content.offset == d.content.total {
		return false, fault(Inconsistent, "the server announces more than the %d bytes before", d.content.total)
	}
	if !b.More {
		if err := d.content.end(); err != nil {
			return false, err
		}
	}
	d.pipe.push(p, d.head())
	return !b.More, nil
}

// refuse handles a response that has no content.
func (f *coapFetch) refuse(r coap.Result) {
	d := f.d
	if d.content.offset == 0 || f.verify || r.Code != coap.BadRequest && r.Code != coap.BadOption {
		f.end(coapRefusal(r))
		return
	}
	// The content may have become shorter. The ETag of its first block tells.
	if f.verify = d.content.etag != ""; !f.verify {
		if err := d.content.restart(head{total: -1}); err != nil {
			f.end(err)
			return
		}
		d.pipe.restart()
	}
	f.ask()
}

// coapFailure returns the error of a request without a response.
func coapFailure(err error) error {
	if errors.Is(err, coap.ErrTransfer) || errors.Is(err, coap.ErrBadOption) {
		return retryable(Inconsistent, "%w", err)
	}
	return err
}

// coapRefusal returns the error of a response that has no content.
func coapRefusal(r coap.Result) error {
	var after time.Duration
	if r.Options.Has(coap.OptionMaxAge) {
		after = time.Duration(r.Options.MaxAge()) * time.Second
	}
	switch {
	case r.Code == coap.NotAcceptable || r.Code == coap.UnsupportedContentFormat:
		return fault(UnsupportedType, "the server answers %v", r.Code)
	case r.Code == coap.TooManyRequests || r.Code == coap.RequestEntityIncomplete || r.Code.Class() == 5:
		return &transient{kind: ConnectionLost, after: after, err: errors.New("the server answers " + r.Code.String())}
	}
	return fault(InvalidURI, "the server answers %v", r.Code)
}

// receive handles what has arrived.
func (f *coapFetch) receive() {
	for range 16 {
		if f.ended || f.conn == nil {
			return
		}
		n, err := f.conn.Receive(1)
		switch {
		case f.ended:
			return
		case err != nil:
			f.end(err)
			return
		case n == 0:
			return
		}
	}
	f.d.c.sched.Post(f.receive)
}

func (f *coapFetch) stop() {
	f.stopped = true
	if f.cancel != nil {
		f.cancel() // onConnect follows
		return
	}
	f.end(errStopped)
}

// end ends the attempt.
func (f *coapFetch) end(err error) {
	if f.ended {
		return
	}
	f.ended = true
	f.d.c.sched.Cancel(&f.pause)
	f.call.Cancel()
	if !f.borrowed {
		f.d.link.nextAddress = !f.responded && f.conn != nil && !f.stopped
		f.d.link.suspend()
	}
	f.d.onAttemptEnd(err)
}
