package download

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// httpFetch fetches the content by HTTP, on a goroutine of its own.
type httpFetch struct {
	d      *Download
	cancel context.CancelCauseFunc
	idle   *time.Timer
	post   chan struct{} // holds an element while a report waits for the loop
}

func (f *httpFetch) start() {
	var ctx context.Context
	ctx, f.cancel = context.WithCancelCause(context.Background())
	f.post = make(chan struct{}, 1)
	f.idle = time.AfterFunc(f.d.c.cfg.IdleTimeout, func() { f.cancel(errStalled) })
	go func() {
		err := f.run(ctx)
		f.idle.Stop()
		if ctx.Err() != nil && err != nil && context.Cause(ctx) != nil {
			if own := (*Error)(nil); !errors.As(err, &own) {
				err = context.Cause(ctx)
			}
		}
		f.cancel(nil)
		f.d.c.sched.Post(func() { f.d.onAttemptEnd(err) })
	}()
}

func (f *httpFetch) stop()   { f.cancel(errStopped) }
func (f *httpFetch) onRoom() {}

// run performs one request. What it has received is durable when it returns, unless the sink has
// failed.
func (f *httpFetch) run(ctx context.Context) error {
	c, w := &f.d.content, f.d.pipe.w
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, f.d.target.text, nil)
	if err != nil {
		return fault(InvalidURI, "the URI cannot be requested")
	}
	r.Header.Set("Accept-Encoding", "identity")
	if c.offset > 0 && c.etag == "" { // nothing says that the content is still the same
		c.offset, c.total = 0, -1
		if err := w.restart(); err != nil {
			return f.sinkFailed(err)
		}
	}
	if c.offset > 0 {
		from := c.offset
		if c.total < 0 {
			from-- // the content may end here, and a range behind the end is refused
		}
		r.Header.Set("Range", "bytes="+strconv.FormatInt(from, 10)+"-")
		r.Header.Set("If-Range", c.etag)
	}
	resp, err := f.d.c.http.Do(r)
	if err != nil {
		if resp != nil {
			_ = resp.Body.Close() // of a redirect that was refused
		}
		return httpFailure(err)
	}
	defer func() { _ = resp.Body.Close() }() // only read
	skip, err := f.accept(resp)
	if err != nil {
		return err
	}
	f.d.c.sched.Post(func() {
		if f.d.fetch == f && !f.d.over {
			f.d.setState(Receiving)
		}
	})
	err = f.copy(ctx, resp.Body, skip)
	if own := (*Error)(nil); errors.As(err, &own) {
		return err
	}
	if syncErr := w.sync(f.d.head(), false); syncErr != nil {
		return f.sinkFailed(syncErr)
	}
	return err
}

// sinkFailed remembers that the sink must not be used any more.
func (f *httpFetch) sinkFailed(err error) error {
	f.d.failed = true
	return err
}

// accept looks at the head of a response. skip is how many bytes of its body are known already.
func (f *httpFetch) accept(resp *http.Response) (skip int64, err error) {
	c, w := &f.d.content, f.d.pipe.w
	h, at, err := httpHead(resp, c.etag)
	if err != nil {
		return 0, err
	}
	if resp.StatusCode == http.StatusRequestedRangeNotSatisfiable && c.offset > 0 {
		if h.etag == c.etag {
			return 0, retryable(Inconsistent, "the server refuses a range of content that has not changed")
		}
		if err := c.restart(head{total: -1}); err != nil {
			return 0, err
		}
		if err := w.restart(); err != nil {
			return 0, f.sinkFailed(err)
		}
		return 0, retryable(Inconsistent, "the server does not have the range")
	}
	if err := httpRefusal(resp); err != nil {
		return 0, err
	}
	if at > c.offset {
		return 0, fault(Inconsistent, "the server sends the bytes from %d on, not from %d", at, c.offset)
	}
	restart, err := c.accept(h)
	if err != nil {
		return 0, err
	}
	if restart {
		f.d.log.Info("the content has changed: download starts again")
		if err := w.restart(); err != nil {
			return 0, f.sinkFailed(err)
		}
		if at > 0 {
			return 0, retryable(Inconsistent, "the server sends a part of other content")
		}
	}
	return c.offset - at, nil
}

// copy copies the body to the sink.
func (f *httpFetch) copy(ctx context.Context, body io.Reader, skip int64) error {
	c, w := &f.d.content, f.d.pipe.w
	buf := make([]byte, 2*pipeSize)
	for {
		f.idle.Reset(f.d.c.cfg.IdleTimeout)
		asked := time.Now()
		n, err := body.Read(buf)
		waited := time.Since(asked)
		f.idle.Stop()
		p := buf[min(skip, int64(n)):n]
		skip -= int64(n - len(p))
		if len(p) > 0 {
			if err := c.receive(len(p)); err != nil {
				return err
			}
			if err := w.write(p, f.d.head()); err != nil {
				return f.sinkFailed(err)
			}
			f.report()
		}
		switch {
		case err == io.EOF:
			if skip > 0 {
				return fault(Inconsistent, "the content is shorter than before")
			}
			if c.total > c.offset {
				return retryable(Inconsistent, "the server ends the content early")
			}
			return c.end()
		case err != nil:
			return httpFailure(err)
		}
		if err := c.onResponse(n, waited); err != nil {
			return err
		}
		if wait := f.d.c.bucket.take(n); wait > time.Millisecond {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(wait):
			}
		}
	}
}

// report has the loop report the progress.
func (f *httpFetch) report() {
	f.d.publish()
	if f.d.request.Progress == nil {
		return
	}
	select {
	case f.post <- struct{}{}:
		f.d.c.sched.Post(func() {
			<-f.post
			if f.d.fetch == f {
				f.d.report()
			}
		})
	default:
	}
}

// httpHead returns what a response says about the content, and where in the content its body
// begins. asked is the ETag of the request.
func httpHead(resp *http.Response, asked string) (h head, at int64, err error) {
	h.total = -1
	if tag := resp.Header.Get("ETag"); isStrong(tag) {
		h.etag = tag
	} else if tag == "" && resp.StatusCode == http.StatusPartialContent {
		h.etag = asked // a range is sent only if If-Range holds
	}
	switch resp.StatusCode {
	case http.StatusOK:
		h.total = resp.ContentLength
	case http.StatusPartialContent:
		if kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); kind == "multipart/byteranges" {
			return h, 0, fault(Inconsistent, "the server answers with several ranges")
		}
		at, h.total, err = parseContentRange(resp.Header.Get("Content-Range"))
	}
	return h, at, err
}

// isStrong reports whether an ETag is valid and strong (RFC 9110 §8.8.3).
func isStrong(tag string) bool {
	if len(tag) < 2 || len(tag) > maxTag || tag[0] != '"' || tag[len(tag)-1] != '"' {
		return false
	}
	return !strings.ContainsFunc(tag[1:len(tag)-1], func(r rune) bool { return r < 0x21 || r == '"' || r == 0x7f })
}

// parseContentRange parses "bytes 100-199/200" (RFC 9110 §14.4). total is -1 for an unknown size.
func parseContentRange(s string) (at, total int64, err error) {
	bad := func() (int64, int64, error) { return 0, -1, fault(Inconsistent, "the Content-Range is not valid") }
	unit, rest, ok := strings.Cut(s, " ")
	part, size, ok2 := strings.Cut(rest, "/")
	if !ok || !ok2 || !strings.EqualFold(unit, "bytes") {
		return bad()
	}
	if total = -1; size != "*" {
		if total, ok = parseSize(size); !ok {
			return bad()
		}
	}
	from, to, ok := strings.Cut(part, "-")
	first, ok1 := parseSize(from)
	last, ok2 := parseSize(to)
	if !ok || !ok1 || !ok2 || first > last || total >= 0 && last >= total {
		return bad()
	}
	return first, total, nil
}

// parseSize parses a number of digits only.
func parseSize(s string) (int64, bool) {
	if s == "" || strings.ContainsFunc(s, func(r rune) bool { return r < '0' || r > '9' }) {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}

// httpRefusal returns the error of a response that has no content for the sink, nil for others.
func httpRefusal(resp *http.Response) error {
	code := resp.StatusCode
	switch {
	case code == http.StatusOK || code == http.StatusPartialContent:
		for _, e := range resp.Header.Values("Content-Encoding") {
			if e != "" && !strings.EqualFold(e, "identity") {
				return fault(UnsupportedType, "the content is encoded as %.20q", e)
			}
		}
		return nil
	case code == http.StatusNotAcceptable || code == http.StatusUnsupportedMediaType:
		return fault(UnsupportedType, "the server answers %d", code)
	case code == http.StatusRequestTimeout || code == http.StatusTooEarly || code == http.StatusTooManyRequests || code >= 500:
		after, _ := parseSize(resp.Header.Get("Retry-After"))
		return &transient{
			kind: ConnectionLost, after: time.Duration(min(after, 1<<20)) * time.Second,
			err: errors.New("the server answers " + strconv.Itoa(code)),
		}
	}
	return fault(InvalidURI, "the server answers %d", code)
}

// httpFailure returns the error of a request without a response, without its URI.
func httpFailure(err error) error {
	var own *Error
	if errors.As(err, &own) {
		return own
	}
	if ue := (*url.Error)(nil); errors.As(err, &ue) {
		err = ue.Err
	}
	return err
}
