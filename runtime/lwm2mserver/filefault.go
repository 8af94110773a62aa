package lwm2mserver

import (
	"io"
	"math"
	"slices"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/coap"
)

// FileFault is what the server does wrong with a request for a file, or with one of its blocks. Set
// one field.
type FileFault struct {
	// Drop treats the request as if it had not arrived. Over HTTP it breaks the connection.
	Drop bool
	// Break ends the connection in place of a response. Over HTTP it does so after half of the
	// body.
	Break bool
	// Delay answers as usual, so much later. Over HTTP the delay is in the middle of the body.
	Delay time.Duration
	// Code answers with an error, such as coap.NotFound. Over HTTP its status is the same number:
	// 404.
	Code coap.Code
	// Wait answers 5.03 with this Max-Age in seconds, over HTTP 503 with Retry-After.
	Wait uint32
	// ETag is sent in place of that of the file, as if the file had changed.
	ETag string
	// Size is announced as the size of the file, in bytes.
	Size int64
	// Corrupt changes a bit in each kilobyte.
	Corrupt bool
	// Endless repeats the content of the file and never ends.
	Endless bool
	// WholeFile ignores the range that an HTTP request asks for.
	WholeFile bool
	// Redirect is the Location of an HTTP redirect.
	Redirect string
	// Encoding is the Content-Encoding of an HTTP response. The content stays as it is.
	Encoding string
}

// fileDisturbance is a fault of the next requests for files that match.
type fileDisturbance struct {
	fault FileFault
	left  int
	match func(FileRequest) bool
}

// DisturbFiles applies a fault to the next n requests for files for which match returns true. By
// CoAP each block is a request. A nil match accepts every request. match must not call the server.
// Faults are applied in the order of the calls.
//
//	srv.DisturbFiles(1, lwm2mserver.FileFault{Break: true}, func(r lwm2mserver.FileRequest) bool {
//		return r.Offset >= 100_000
//	})
func (s *Server) DisturbFiles(n int, f FileFault, match func(FileRequest) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n > 0 {
		s.fileFaults = append(s.fileFaults, &fileDisturbance{f, n, match})
	}
}

// takeFileFault returns the fault of a request, the zero value for none. The caller holds the lock.
func (s *Server) takeFileFault(r FileRequest) FileFault {
	for i, d := range s.fileFaults {
		if d.match != nil && !d.match(r) {
			continue
		}
		if d.left--; d.left == 0 {
			s.fileFaults = slices.Delete(s.fileFaults, i, i+1)
		}
		return d.fault
	}
	return FileFault{}
}

// disturb returns the file as a fault changes it.
func (f File) disturb(fault FileFault) File {
	if fault.ETag != "" {
		f.ETag = fault.ETag
	}
	if fault.Corrupt {
		f.Content = corrupt{f.Content}
	}
	if fault.Endless && f.Size > 0 {
		f.Content, f.Size, f.NoSize = endless{f.Content, f.Size}, math.MaxInt64/2, true
	}
	return f
}

// corrupt changes a bit of the first byte of every kilobyte.
type corrupt struct{ io.ReaderAt }

func (c corrupt) ReadAt(p []byte, off int64) (int, error) {
	n, err := c.ReaderAt.ReadAt(p, off)
	for i := -off & 1023; i < int64(n); i += 1024 {
		p[i] ^= 1
	}
	return n, err
}

// endless repeats a file.
type endless struct {
	content io.ReaderAt
	size    int64
}

func (e endless) ReadAt(p []byte, off int64) (n int, err error) {
	for n < len(p) {
		at := (off + int64(n)) % e.size
		part := p[n:min(int64(len(p)), int64(n)+e.size-at)]
		m, err := e.content.ReadAt(part, at)
		if n += m; m < len(part) {
			return n, err
		}
	}
	return n, nil
}
