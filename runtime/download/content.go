package download

import (
	"fmt"
	"time"
)

// maxChanges is how often the content may change while it is downloaded.
const maxChanges = 3

// content is what is known of the content and how much of it has been received. The loop owns it,
// or the goroutine of an HTTP request while one runs.
type content struct {
	etag    string
	total   int64 // -1 if it is not known
	offset  int64 // of the next byte
	resumed bool  // offset is from a record: without an ETag nothing is known of the content
	highest int64 // the offset at the last progress, 0 after a change
	changes int
	maxSize int64
	stall   Stall
	fresh   int64         // bytes since the last progress
	waited  time.Duration // for the server, since the last progress
}

// head is what a response says about the content.
type head struct {
	etag  string
	total int64 // -1 if it does not say
}

// accept compares a response with what is known. restart tells that the content is another one, so
// the download starts from the beginning.
func (c *content) accept(h head) (restart bool, err error) {
	if h.total > c.maxSize {
		return false, fault(NoSpace, "the content has %d bytes, at most %d are allowed", h.total, c.maxSize)
	}
	if len(h.etag) > maxTag {
		return false, fault(Inconsistent, "the ETag has %d bytes", len(h.etag))
	}
	if c.offset == 0 {
		c.etag, c.total, c.resumed = h.etag, h.total, false
		return false, nil
	}
	if h.etag != c.etag || h.etag == "" && c.resumed {
		return true, c.restart(h)
	}
	if h.total >= 0 && c.total >= 0 && h.total != c.total {
		return false, fault(Inconsistent, "the server announces %d bytes, and %d before", h.total, c.total)
	}
	if c.total < 0 {
		c.total = h.total
	}
	return false, nil
}

// restart makes the download start from the beginning.
func (c *content) restart(h head) error {
	if c.changes++; c.changes > maxChanges {
		return fault(Inconsistent, "the content has changed %d times during the download", c.changes)
	}
	c.etag, c.total, c.offset, c.resumed = h.etag, h.total, 0, false
	c.highest = 0
	return nil
}

// receive accounts for n more bytes.
func (c *content) receive(n int) error {
	c.offset += int64(n)
	switch {
	case c.offset > c.maxSize:
		return fault(NoSpace, "the content has more than %d bytes", c.maxSize)
	case c.total >= 0 && c.offset > c.total:
		return fault(Inconsistent, "the server sends more than the %d bytes that it has announced", c.total)
	}
	return nil
}

// onResponse accounts for n bytes for which the download has waited for the server, new or
// repeated. The error ends the attempt.
func (c *content) onResponse(n int, waited time.Duration) error {
	c.fresh += int64(n)
	c.waited += waited
	switch {
	case c.fresh >= c.stall.Bytes:
		c.fresh, c.waited = 0, 0
	case c.waited >= c.stall.Time:
		c.fresh, c.waited = 0, 0
		return &transient{kind: ConnectionLost, stalled: true,
			err: fmt.Errorf("the server has sent fewer than %d bytes in %v", c.stall.Bytes, c.stall.Time)}
	}
	return nil
}

// complete reports whether everything that the server has announced is there.
func (c *content) complete() bool { return c.offset > 0 && c.offset == c.total }

// end handles the end of the content.
func (c *content) end() error {
	if c.total >= 0 && c.offset != c.total {
		return fault(Inconsistent, "the content ends after %d bytes, but %d were announced", c.offset, c.total)
	}
	c.total = c.offset
	return nil
}
