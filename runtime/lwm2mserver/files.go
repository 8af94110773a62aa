package lwm2mserver

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// File is a file that the server offers for download, such as a firmware image. See
// [Server.ServeFile].
type File struct {
	// Content is the file, and Size its size in bytes. Several goroutines read it. Required.
	Content io.ReaderAt
	Size    int64
	// ETag is the version of the file, 1 to 8 bytes of visible ASCII without quotes. The zero value
	// means one computed from the content.
	ETag string
	// NoETag sends no ETag, so that a device cannot know whether the file has changed. The zero
	// value means that every response has one.
	NoETag bool
	// NoSize does not announce the size: no Size2 over CoAP, no Content-Length over HTTP. The zero
	// value means that it is announced.
	NoSize bool
}

// FileRequest is a request of a device for a file or a part of it.
type FileRequest struct {
	Time time.Time
	// Path is the path of the file.
	Path string
	// Offset is where the part begins in the file, in bytes.
	Offset int64
	// HTTP is true if the request came by HTTP and not by CoAP.
	HTTP bool
}

// ServeFile offers a file for download at a path such as "/images/heater-2.1.bin": by CoAP on all
// listeners of the server, and by HTTP through [Server.FileHandler]. It replaces an earlier file of
// the path; a file without Content removes it.
//
// By CoAP each block is a request of its own: Intercept and Disturb apply to each.
func (s *Server) ServeFile(path string, f File) error {
	switch {
	case !strings.HasPrefix(path, "/"):
		return fmt.Errorf("lwm2mserver: the path %q of a file does not begin with /", path)
	case f.Size < 0:
		return fmt.Errorf("lwm2mserver: File.Size is %d", f.Size)
	case len(f.ETag) > 8 || strings.ContainsFunc(f.ETag, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' }):
		return fmt.Errorf("lwm2mserver: File.ETag %q is not 1 to 8 bytes of visible ASCII without quotes", f.ETag)
	}
	if f.Content != nil && f.ETag == "" && !f.NoETag {
		h := sha256.New()
		if _, err := io.Copy(h, io.NewSectionReader(f.Content, 0, f.Size)); err != nil {
			return fmt.Errorf("lwm2mserver: read the file %s: %w", path, err)
		}
		f.ETag = fmt.Sprintf("%x", h.Sum(nil)[:4])
	}
	if f.NoETag {
		f.ETag = ""
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.Content == nil {
		delete(s.files, path)
		return nil
	}
	s.files[path] = f
	return nil
}

// FileRequests returns the requests for files that are kept (Config.History), in the order of
// arrival.
func (s *Server) FileRequests() []FileRequest {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fileRequests.all()
}

// takeFile returns the file of a request as its fault changes it, and the fault.
func (s *Server) takeFile(r FileRequest) (f File, fault FileFault, ok bool) {
	s.change(func() {
		if f, ok = s.files[r.Path]; ok {
			s.fileRequests.add(r)
			fault = s.takeFileFault(r)
		}
	})
	return f.disturb(fault), fault, ok
}

// serveFile answers a request for a block of a file after a delay. It reports whether there is such
// a file.
func (s *Server) serveFile(c *conn, r *coap.Request, path string, delay time.Duration) bool {
	q := FileRequest{Time: time.Now(), Path: path}
	if b, ok := r.Options().Block(coap.OptionBlock2); ok {
		q.Offset = b.Offset()
	}
	if r.Code() != coap.GET {
		return false
	}
	f, fault, ok := s.takeFile(q)
	switch {
	case !ok:
		return false
	case fault.Drop:
		c.ignored++
		r.Ignore()
	case fault.Break:
		c.ignored++
		r.Ignore()
		s.sched.After(&sched.Job{Func: func() { c.close(errBroken) }}, 0)
	case delay+fault.Delay > 0:
		c.answerLater(func() { respondFile(r, f, fault) }, delay+fault.Delay)
	default:
		respondFile(r, f, fault)
	}
	return true
}

// errBroken is the reason of a connection that a fault has ended.
var errBroken = errors.New("lwm2mserver: the connection is broken by a fault")

// respondFile answers with one block of a file.
func respondFile(r *coap.Request, f File, fault FileFault) {
	resp := r.Response()
	resp.Code = coap.Content
	switch {
	case fault.Wait > 0:
		resp.Code = coap.ServiceUnavailable
		resp.Options.SetUint(coap.OptionMaxAge, fault.Wait)
	case fault.Code != 0:
		resp.Code = fault.Code
	}
	if resp.Code == coap.Content {
		resp.Stateless = true
		resp.Source, resp.SourceSize = fileSource{f.Content}, f.Size
		resp.Options.SetContentFormat(42) // application/octet-stream
		if f.ETag != "" {
			resp.Options.AddString(coap.OptionETag, f.ETag)
		}
		b, blocks := r.Options().Block(coap.OptionBlock2)
		switch first := !blocks || b.Num == 0; {
		case fault.Size > 0 && first:
			resp.Options.SetUint(coap.OptionSize2, uint32(fault.Size))
		case f.NoSize && first:
			resp.OmitSize = true
		}
	}
	_ = r.Respond(resp) // it fails only if the connection is closed
}

// fileSource reads the blocks of a file.
type fileSource struct{ io.ReaderAt }

// Close does nothing: the server keeps the file.
func (fileSource) Close() error { return nil }
