package lwm2mserver

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// FileHandler returns a handler that serves the files of [Server.ServeFile] over HTTP, with ranges
// and ETags. Use it with net/http or net/http/httptest, with TLS or without.
func (s *Server) FileHandler() http.Handler { return http.HandlerFunc(s.serveHTTP) }

func (s *Server) serveHTTP(w http.ResponseWriter, r *http.Request) {
	q := FileRequest{Time: time.Now(), Path: r.URL.Path, HTTP: true}
	if from, ok := strings.CutPrefix(r.Header.Get("Range"), "bytes="); ok {
		from, _, _ = strings.Cut(from, "-")
		q.Offset, _ = strconv.ParseInt(from, 10, 64) // 0 where it is no number
	}
	f, fault, ok := s.takeFile(q)
	switch {
	case !ok:
		http.NotFound(w, r)
		return
	case fault.Drop:
		panic(http.ErrAbortHandler)
	case fault.Redirect != "":
		w.Header().Set("Location", fault.Redirect)
		w.WriteHeader(http.StatusFound)
		return
	case fault.Wait > 0:
		w.Header().Set("Retry-After", fmt.Sprint(fault.Wait))
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	case fault.Code != 0:
		w.WriteHeader(int(fault.Code.Class())*100 + int(fault.Code&31))
		return
	case fault.WholeFile:
		r.Header.Del("Range")
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	if f.ETag != "" {
		w.Header().Set("ETag", `"`+f.ETag+`"`)
	}
	if f.NoSize {
		_, _ = io.Copy(w, io.NewSectionReader(f.Content, 0, f.Size)) // the client has gone
		return
	}
	out := &faultyWriter{ResponseWriter: w, fault: fault, request: r, half: (f.Size - q.Offset) / 2}
	http.ServeContent(out, r, "", time.Time{}, io.NewSectionReader(f.Content, 0, f.Size))
}

// faultyWriter changes a response as a fault says.
type faultyWriter struct {
	http.ResponseWriter
	fault   FileFault
	request *http.Request
	half    int64 // of the body; the fault is there
	sent    int64
	failed  bool
}

// WriteHeader changes the size and the encoding.
func (w *faultyWriter) WriteHeader(status int) {
	h := w.Header()
	if w.fault.Encoding != "" {
		h.Set("Content-Encoding", w.fault.Encoding)
	}
	if w.fault.Size > 0 {
		if content, total, ok := strings.Cut(h.Get("Content-Range"), "/"); ok && total != "" {
			h.Set("Content-Range", fmt.Sprintf("%s/%d", content, w.fault.Size))
		} else {
			h.Set("Content-Length", fmt.Sprint(w.fault.Size))
		}
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write delays or breaks the body in its middle.
func (w *faultyWriter) Write(p []byte) (n int, err error) {
	if left := w.half - w.sent; (w.fault.Break || w.fault.Delay > 0) && !w.failed && left < int64(len(p)) {
		w.failed = true
		n, err = w.ResponseWriter.Write(p[:max(left, 0)])
		if f, ok := w.ResponseWriter.(http.Flusher); ok {
			f.Flush()
		}
		if w.fault.Break {
			panic(http.ErrAbortHandler)
		}
		select {
		case <-w.request.Context().Done():
			return n, w.request.Context().Err()
		case <-time.After(w.fault.Delay):
		}
		if err != nil {
			return n, err
		}
		p = p[n:]
	}
	m, err := w.ResponseWriter.Write(p)
	w.sent += int64(n + m)
	return n + m, err
}
