package download_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/download"
)

// complete stands for a download that succeeds, in tables of kinds.
const complete = download.Kind(100)

// expect downloads with a record, and fails unless the outcome is the kind, or the whole content.
// It returns the record.
func (r *rig) expect(uri string, rec download.Record, content []byte, want download.Kind) download.Record {
	r.t.Helper()
	rec.URI = uri
	sink := &disk{written: bytes.Clone(content[:rec.Offset]), record: rec}
	c := r.client()
	defer func() { r.check(c.Close()) }()
	err := r.get(c, download.Request{URI: uri, Sink: sink, Record: rec, Save: sink.save})
	switch {
	case want == complete:
		if err != nil || !bytes.Equal(sink.content(), content) {
			r.t.Errorf("%v, %d bytes", err, len(sink.content()))
		}
	case err == nil:
		r.t.Errorf("it succeeds with %d bytes, want %v", len(sink.content()), want)
	default:
		if got := kindOf(r.t, err); got != want {
			r.t.Errorf("the outcome is %v, want %v", err, want)
		}
	}
	return sink.record
}

// TestHostileCoAP shows the outcome of downloads from servers of CoAP that break the rules.
func TestHostileCoAP(t *testing.T) {
	const size = 20 << 10
	content := image{}.bytes(size)
	block := func(resp *coap.Message, b coap.Block) { resp.Options.SetBlock(coap.OptionBlock2, b) }
	for _, c := range []struct {
		name   string
		only   string // a scheme, "" for all
		offset int64  // of the record
		answer func(q *rawRequest, resp *coap.Message, n int)
		want   download.Kind
	}{
		{"the rules are kept", "", 0, func(*rawRequest, *coap.Message, int) {}, complete},
		{"the first block is another one", "", 0, func(q *rawRequest, resp *coap.Message, n int) {
			block(resp, coap.Block{Num: 5, SZX: 6, More: true})
		}, download.Inconsistent},
		{"each block is the first one", "", 0, func(q *rawRequest, resp *coap.Message, n int) {
			block(resp, coap.Block{SZX: 6, More: true})
			resp.Payload = content[:1024]
		}, download.Inconsistent},
		{"blocks without content", "", 0, func(q *rawRequest, resp *coap.Message, n int) {
			resp.Payload = nil
			b, _ := resp.Options.Block(coap.OptionBlock2)
			block(resp, coap.Block{Num: b.Num, SZX: b.SZX, More: true})
		}, download.Inconsistent},
		{"short blocks", "", 0, func(q *rawRequest, resp *coap.Message, n int) {
			resp.Payload = resp.Payload[:len(resp.Payload)/2]
		}, download.Inconsistent},
		{"blocks larger than asked for", "coap", 8 << 10, func(q *rawRequest, resp *coap.Message, n int) {
			q.block = coap.Block{Num: uint32(q.block.Offset() / 1024), SZX: 6}
			resp.Options.Remove(coap.OptionBlock2)
			resp.Options.Remove(coap.OptionETag)
			answerBlock(q, resp, content, 6)
		}, complete},
		{"blocks of the reserved size", "coap", 0, func(q *rawRequest, resp *coap.Message, n int) {
			b, _ := resp.Options.Block(coap.OptionBlock2)
			block(resp, coap.Block{Num: b.Num, SZX: 7, More: b.More})
		}, download.Inconsistent},
		{"the blocks become smaller", "", 0, func(q *rawRequest, resp *coap.Message, n int) {
			if n > 5 {
				resp.Options.Remove(coap.OptionBlock2)
				resp.Options.Remove(coap.OptionETag)
				answerBlock(q, resp, content, uint8(max(1, 6-n/3)))
			}
		}, complete},
		{"an ETag of 9 bytes", "", 0, func(q *rawRequest, resp *coap.Message, n int) {
			resp.Options.Remove(coap.OptionETag)
			resp.Options.AddString(coap.OptionETag, "123456789")
		}, complete},
		{"an ETag without bytes", "", 0, func(q *rawRequest, resp *coap.Message, n int) {
			resp.Options.Remove(coap.OptionETag)
			resp.Options.AddString(coap.OptionETag, "")
		}, complete},
		{"the ETag is missing later", "", 0, func(q *rawRequest, resp *coap.Message, n int) {
			if n%7 == 6 {
				resp.Options.Remove(coap.OptionETag)
			}
		}, download.Inconsistent},
		{"a new ETag in each block", "", 0, func(q *rawRequest, resp *coap.Message, n int) {
			resp.Options.Remove(coap.OptionETag)
			resp.Options.AddString(coap.OptionETag, fmt.Sprint(n))
		}, download.Inconsistent},
		{"Size2 changes", "", 0, func(q *rawRequest, resp *coap.Message, n int) {
			resp.Options.SetUint(coap.OptionSize2, uint32(size+n))
		}, download.Inconsistent},
		{"Size2 is smaller than the content", "", 0, func(q *rawRequest, resp *coap.Message, n int) {
			resp.Options.SetUint(coap.OptionSize2, 3000)
		}, download.Inconsistent},
		{"Size2 is larger than the content", "", 0, func(q *rawRequest, resp *coap.Message, n int) {
			resp.Options.SetUint(coap.OptionSize2, size+1)
		}, download.Inconsistent},
		{"Size2 is larger than the bound", "", 0, func(q *rawRequest, resp *coap.Message, n int) {
			resp.Options.SetUint(coap.OptionSize2, 1<<32-1)
		}, download.NoSpace},
		{"Size2 has 5 bytes", "", 0, func(q *rawRequest, resp *coap.Message, n int) {
			resp.Options.Add(coap.OptionSize2, []byte{1, 0, 0, 0, 0})
		}, complete},
		{"the whole content for one block", "coap+tcp", 8 << 10, func(q *rawRequest, resp *coap.Message, n int) {
			resp.Options.Remove(coap.OptionBlock2)
			resp.Payload = content[:1000]
		}, download.Inconsistent},
		{"2.03", "", 0, func(q *rawRequest, resp *coap.Message, n int) { resp.Code = coap.Valid }, download.InvalidURI},
		{"2.31", "", 0, func(q *rawRequest, resp *coap.Message, n int) { resp.Code = coap.Continue }, download.Inconsistent},
		{"4.08", "", 0, func(q *rawRequest, resp *coap.Message, n int) { resp.Code = coap.RequestEntityIncomplete }, download.ConnectionLost},
		{"5.05", "", 0, func(q *rawRequest, resp *coap.Message, n int) { resp.Code = coap.ProxyingNotSupported }, download.ConnectionLost},
		{"a critical option that nobody knows", "", 0, func(q *rawRequest, resp *coap.Message, n int) {
			resp.Options.Add(65001, []byte{1})
		}, download.Inconsistent},
		{"content as text", "", 0, func(q *rawRequest, resp *coap.Message, n int) {
			resp.Options.SetContentFormat(0)
		}, complete},
	} {
		for _, scheme := range []string{"coap", "coap+tcp"} {
			if c.only != "" && c.only != scheme {
				continue
			}
			t.Run(scheme+"/"+c.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := newRig(t)
					r.cfg.MaxSize = 1 << 20
					if strings.HasPrefix(c.name, "blocks larger") {
						r.cfg.BlockSize = 64
					}
					n := 0
					r.serveRaw(func(q *rawRequest, resp *coap.Message) {
						answerBlock(q, resp, content, 6)
						if resp.Code == coap.Content {
							c.answer(q, resp, n)
						}
						if n++; n > 500 {
							t.Fatal("the download asks again and again")
						}
					})
					rec := download.Record{ETag: "v1", Offset: c.offset, Total: -1}
					rec = r.expect(scheme+"://"+rawName, rec, content, c.want)
					if len(rec.ETag) > 8 {
						t.Errorf("the record is %+v", rec)
					}
				})
			})
		}
	}
}

// TestHostileHTTP shows the outcome of downloads from servers of HTTP that break the rules, or that
// use what a download does not ask for.
func TestHostileHTTP(t *testing.T) {
	const size = 20_000
	content := image{}.bytes(size)
	partial := func(w http.ResponseWriter, contentRange string, body []byte) {
		if contentRange != "" {
			w.Header().Set("Content-Range", contentRange)
		}
		w.WriteHeader(http.StatusPartialContent)
		_, _ = w.Write(body)
	}
	for _, c := range []struct {
		name   string
		offset int64 // of the record
		total  int64
		serve  func(w http.ResponseWriter, q *http.Request)
		want   download.Kind
	}{
		{"206 without Content-Range", 8000, size, func(w http.ResponseWriter, q *http.Request) {
			partial(w, "", content[8000:])
		}, download.Inconsistent},
		{"206 for other units", 8000, size, func(w http.ResponseWriter, q *http.Request) {
			partial(w, "items 8000-19999/20000", content[8000:])
		}, download.Inconsistent},
		{"206 for a later range", 8000, size, func(w http.ResponseWriter, q *http.Request) {
			partial(w, "bytes 9000-19999/20000", content[9000:])
		}, download.Inconsistent},
		{"206 for an earlier range", 8000, size, func(w http.ResponseWriter, q *http.Request) {
			partial(w, "bytes 7000-19999/20000", content[7000:])
		}, complete},
		{"206 for another size", 8000, size, func(w http.ResponseWriter, q *http.Request) {
			partial(w, "bytes 8000-19999/20001", content[8000:])
		}, download.Inconsistent},
		{"206 with more than the range", 8000, size, func(w http.ResponseWriter, q *http.Request) {
			partial(w, "bytes 8000-19999/20000", append(bytes.Clone(content[8000:]), 1))
		}, download.Inconsistent},
		{"206 with less than the range, always", 8000, size, func(w http.ResponseWriter, q *http.Request) {
			partial(w, "bytes 8000-19999/20000", content[8000:9000])
		}, download.Inconsistent},
		{"206 without a request for a range", 0, -1, func(w http.ResponseWriter, q *http.Request) {
			partial(w, "bytes 0-19999/20000", content)
		}, complete},
		{"206 for a later range without a request for one", 0, -1, func(w http.ResponseWriter, q *http.Request) {
			partial(w, "bytes 5-19999/20000", content[5:])
		}, download.Inconsistent},
		{"206 for a size that is too large", 8000, -1, func(w http.ResponseWriter, q *http.Request) {
			partial(w, "bytes 8000-9223372036854775806/9223372036854775807", content[8000:])
		}, download.NoSpace},
		{"206 without a size", 8000, -1, func(w http.ResponseWriter, q *http.Request) {
			partial(w, "bytes 7999-19999/*", content[7999:])
		}, complete},
		{"206 of other content", 8000, size, func(w http.ResponseWriter, q *http.Request) {
			if q.Header.Get("Range") == "" {
				_, _ = w.Write(content)
				return
			}
			w.Header().Set("ETag", `"v2"`)
			partial(w, "bytes 8000-19999/20000", content[8000:])
		}, complete},
		{"several ranges", 8000, size, func(w http.ResponseWriter, q *http.Request) {
			w.Header().Set("Content-Type", "multipart/byteranges; boundary=x")
			partial(w, "", []byte("--x\r\nContent-Range: bytes 8000-19999/20000\r\n\r\n"))
		}, download.Inconsistent},
		{"several ranges that say to be one", 8000, size, func(w http.ResponseWriter, q *http.Request) {
			w.Header().Set("Content-Type", "Multipart/ByteRanges; boundary=x")
			partial(w, "bytes 8000-19999/20000", content[8000:])
		}, download.Inconsistent},
		{"200 for a range", 8000, size, func(w http.ResponseWriter, q *http.Request) {
			w.Header().Set("ETag", `"v1"`)
			_, _ = w.Write(content)
		}, complete},
		{"200 for a range, with less content", 8000, -1, func(w http.ResponseWriter, q *http.Request) {
			w.Header().Set("ETag", `"v1"`)
			_, _ = w.Write(content[:5000])
		}, download.Inconsistent},
		{"200 for a range, without an ETag", 8000, size, func(w http.ResponseWriter, q *http.Request) {
			_, _ = w.Write(content)
		}, complete},
		{"416 without a reason", 8000, size, func(w http.ResponseWriter, q *http.Request) {
			if q.Header.Get("Range") != "" {
				w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
				return
			}
			_, _ = w.Write(content)
		}, complete},
		{"416 always", 8000, size, func(w http.ResponseWriter, q *http.Request) {
			w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
		}, download.InvalidURI},
		{"416 for content that has not changed", 8000, size, func(w http.ResponseWriter, q *http.Request) {
			w.Header().Set("ETag", `"v1"`)
			w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
		}, download.Inconsistent},
		{"compressed content", 0, -1, func(w http.ResponseWriter, q *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			_, _ = z.Write(content)
			_ = z.Close()
		}, download.UnsupportedType},
		{"compressed twice", 0, -1, func(w http.ResponseWriter, q *http.Request) {
			w.Header()["Content-Encoding"] = []string{"identity", "gzip"}
			_, _ = w.Write(content)
		}, download.UnsupportedType},
		{"a weak ETag", 8000, size, func(w http.ResponseWriter, q *http.Request) {
			w.Header().Set("ETag", `W/"v1"`)
			_, _ = w.Write(content)
		}, complete},
		{"an ETag of 10 kB", 0, -1, func(w http.ResponseWriter, q *http.Request) {
			w.Header().Set("ETag", `"`+strings.Repeat("x", 10_000)+`"`)
			_, _ = w.Write(content)
		}, complete},
		{"a header of 100 kB", 0, -1, func(w http.ResponseWriter, q *http.Request) {
			w.Header().Set("X", strings.Repeat("x", 100_000))
			_, _ = w.Write(content)
		}, download.ConnectionLost},
		{"204", 0, -1, func(w http.ResponseWriter, q *http.Request) { w.WriteHeader(204) }, download.InvalidURI},
		{"300 without a Location", 0, -1, func(w http.ResponseWriter, q *http.Request) { w.WriteHeader(300) }, download.InvalidURI},
		{"302 without a Location", 0, -1, func(w http.ResponseWriter, q *http.Request) { w.WriteHeader(302) }, download.InvalidURI},
		{"304", 0, -1, func(w http.ResponseWriter, q *http.Request) { w.WriteHeader(304) }, download.InvalidURI},
		{"401", 0, -1, func(w http.ResponseWriter, q *http.Request) {
			w.Header().Set("WWW-Authenticate", "Basic")
			w.WriteHeader(401)
		}, download.InvalidURI},
		{"a redirect to a URI that is not valid", 0, -1, func(w http.ResponseWriter, q *http.Request) {
			w.Header().Set("Location", "http://%zz/")
			w.WriteHeader(302)
		}, download.InvalidURI},
		{"redirects that never end", 0, -1, func(w http.ResponseWriter, q *http.Request) {
			w.Header().Set("Location", q.URL.Path+"x")
			w.WriteHeader(307)
		}, download.InvalidURI},
		{"a server that asks for a pause of a century", 0, -1, func(w http.ResponseWriter, q *http.Request) {
			w.Header().Set("Retry-After", "3155760000")
			w.WriteHeader(429)
		}, download.ConnectionLost},
		{"a header that never ends", 0, -1, func(w http.ResponseWriter, q *http.Request) {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				return
			}
			defer func() { _ = conn.Close() }()
			_, _ = conn.Write([]byte("HTTP/1.1 200 OK\r\n"))
			for range 4 { // longer than IdleTimeout
				_, _ = conn.Write([]byte("X: x\r\n"))
				time.Sleep(50 * time.Second)
			}
		}, download.ConnectionLost},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.cfg.MaxSize = 1 << 20
				n := 0
				r.web.Handler = http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
					if n++; n > 100 {
						t.Error("the download asks again and again")
						panic(http.ErrAbortHandler)
					}
					c.serve(w, q)
				})
				r.expect(uri("http"), download.Record{ETag: `"v1"`, Offset: c.offset, Total: c.total}, content, c.want)
				time.Sleep(5 * time.Minute) // of handlers that still write
			})
		})
	}
}
