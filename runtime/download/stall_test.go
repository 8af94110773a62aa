package download_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/download"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mserver"
)

// expectStall downloads from a server that sends too little and expects the end of the retries.
func (r *rig) expectStall(uri, reason string, within time.Duration) {
	r.t.Helper()
	began := time.Now()
	err := r.get(r.client(), download.Request{URI: uri, Sink: &disk{}})
	if kindOf(r.t, err) != download.ConnectionLost || !strings.Contains(err.Error(), reason) {
		r.t.Error(err)
	}
	if took := time.Since(began); took > within {
		r.t.Errorf("it takes %v", took)
	}
}

// sleep waits until ctx ends or d has passed.
func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// TestTricklingServer ends downloads from servers that send a little now and then for ever.
func TestTricklingServer(t *testing.T) {
	const reason = "fewer than 1024 bytes in 10m0s"
	for _, scheme := range []string{"coap", "coap+tcp"} {
		t.Run(scheme, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				content := image{}.bytes(1 << 20)
				r.serveRaw(func(q *rawRequest, resp *coap.Message) {
					time.Sleep(50 * time.Second)
					answerBlock(q, resp, content, 0)
				})
				r.expectStall(scheme+"://"+rawName, reason, 4*time.Hour)
			})
		})
	}
	t.Run("http", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			r.web.Handler = http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
				w.Header().Set("ETag", `"v1"`)
				for q.Context().Err() == nil {
					_, _ = w.Write([]byte{1})
					w.(http.Flusher).Flush()
					sleep(q.Context(), 50*time.Second)
				}
			})
			r.expectStall(uri("http"), reason, 4*time.Hour)
		})
	})
	t.Run("a byte for each attempt", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			r.web.Handler = http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
				from, _ := strconv.Atoi(strings.Trim(q.Header.Get("Range"), "bytes=-"))
				w.Header().Set("ETag", `"v1"`)
				w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-9999/10000", from))
				w.Header().Set("Content-Length", strconv.Itoa(10_000-from))
				if from > 0 {
					w.WriteHeader(http.StatusPartialContent)
				} else {
					w.Header().Set("Content-Length", "10000")
				}
				_, _ = w.Write([]byte{1})
				w.(http.Flusher).Flush()
				panic(http.ErrAbortHandler)
			})
			r.expectStall(uri("http"), "EOF", 4*time.Hour)
		})
	})
}

// TestTricklingServerWhileSuspended shows that suspensions now and then do not keep a download from
// a trickling server for ever.
func TestTricklingServerWhileSuspended(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		content := image{}.bytes(1 << 20)
		r.serveRaw(func(q *rawRequest, resp *coap.Message) {
			time.Sleep(50 * time.Second)
			answerBlock(q, resp, content, 0)
		})
		c := r.client()
		d, err := c.Start(download.Request{URI: "coap://" + rawName, Sink: &disk{}})
		r.check(err)
		for n := 0; d.Progress().State != download.Ended; n++ {
			if time.Sleep(15 * time.Minute); n > 100 {
				t.Fatal("it never ends")
			}
			c.Suspend()
			time.Sleep(time.Hour)
			c.Resume()
		}
		if err := d.Wait(t.Context()); kindOf(t, err) != download.ConnectionLost {
			t.Error(err)
		}
	})
}

// TestSlowServer completes a download from a server that is slow but goes on. Time in which the
// download is suspended does not count.
func TestSlowServer(t *testing.T) {
	each(t, func(t *testing.T, r *rig, uri string) {
		const size = 4000
		content := image{}.bytes(size)
		if uri[:4] == "coap" {
			uri = strings.Replace(uri, serverName, rawName, 1)
			r.serveRaw(func(q *rawRequest, resp *coap.Message) {
				time.Sleep(30 * time.Second)
				answerBlock(q, resp, content, 2)
			})
		}
		r.web.Handler = http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
			from, _ := strconv.Atoi(strings.Trim(q.Header.Get("Range"), "bytes=-"))
			w.Header().Set("ETag", `"v1"`)
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, size-1, size))
			w.WriteHeader(http.StatusPartialContent)
			for ; from < size && q.Context().Err() == nil; from += 64 {
				sleep(q.Context(), 30*time.Second)
				_, _ = w.Write(content[from:min(from+64, size)])
				w.(http.Flusher).Flush()
			}
		})
		sink, c := &disk{}, r.client()
		d, err := c.Start(download.Request{URI: uri, Sink: sink})
		r.check(err)
		for d.Progress().State != download.Ended {
			time.Sleep(5 * time.Minute)
			c.Suspend()
			time.Sleep(time.Hour)
			c.Resume()
		}
		if err := d.Wait(t.Context()); err != nil || !bytes.Equal(sink.content(), content) {
			t.Errorf("%v, %d bytes", err, len(sink.content()))
		}
	})
}

// slowSink blocks in each Write.
type slowSink struct{ disk }

func (s *slowSink) Write(p []byte) (int, error) {
	time.Sleep(15 * time.Minute)
	return s.disk.Write(p)
}

// TestOwnPauses shows that a pause that the device makes by itself is no stall: a low Rate, and a
// sink that blocks.
func TestOwnPauses(t *testing.T) {
	for _, rate := range []int64{0, 1} {
		each(t, func(t *testing.T, r *rig, uri string) {
			r.cfg.Rate = rate
			size := int64(200_000)
			if rate > 0 {
				size, r.cfg.BlockSize = 5000, 64
			}
			r.serve(lwm2mserver.File{Content: image{}, Size: size})
			interrupted := 0
			var sink download.Sink = &slowSink{}
			if rate > 0 {
				sink = &disk{}
			}
			r.check(r.get(r.client(), download.Request{URI: uri, Sink: sink, Progress: func(p download.Progress) {
				if p.State == download.Waiting {
					interrupted++
				}
			}}))
			if interrupted > 0 {
				t.Errorf("it is interrupted %d times", interrupted)
			}
		})
	}
}
