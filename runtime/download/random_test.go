package download_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/download"
)

// moody is a server that often does something else than to answer, and sometimes has new content.
// It never sends wrong content with an ETag.
type moody struct {
	mu      sync.Mutex
	rand    *rand.Rand
	version int
}

// content returns a version of the content.
func (m *moody) content(version int) []byte {
	return image{byte(version)}.bytes(40_000 + int64(version)*1024)
}

// next returns what the server does, a number below n, and the present version.
func (m *moody) next(n int) (mood, version int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.version < 2 && m.rand.IntN(150) == 0 {
		m.version++
	}
	return m.rand.IntN(n), m.version
}

// random returns a number below n.
func (m *moody) random(n int) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.rand.IntN(n)
}

func (m *moody) answerCoAP(q *rawRequest, resp *coap.Message) {
	mood, version := m.next(60)
	content := m.content(version)
	szx := uint8(6)
	switch mood {
	case 0:
		return
	case 1:
		time.Sleep(time.Duration(m.random(90)) * time.Second)
	case 2:
		resp.Code = coap.ServiceUnavailable
		resp.Options.SetUint(coap.OptionMaxAge, uint32(m.random(1000)))
		return
	case 3:
		if q.block.Num > 0 {
			resp.Code = coap.BadRequest
			return
		}
	case 4, 5, 6:
		szx = uint8(m.random(6))
	}
	answerBlock(q, resp, content, szx)
	if resp.Code != coap.Content {
		return
	}
	resp.Options.Remove(coap.OptionETag)
	resp.Options.AddString(coap.OptionETag, fmt.Sprint("v", version))
	if mood%2 == 0 {
		resp.Options.SetUint(coap.OptionSize2, uint32(len(content)))
	}
}

func (m *moody) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	mood, version := m.next(20)
	content := m.content(version)
	tag := fmt.Sprintf(`"v%d"`, version)
	from, _ := strconv.Atoi(strings.Trim(q.Header.Get("Range"), "bytes=-"))
	if from > 0 && q.Header.Get("If-Range") != tag {
		from = 0
	}
	end := len(content)
	w.Header().Set("ETag", tag)
	switch mood {
	case 0:
		panic(http.ErrAbortHandler)
	case 1:
		sleep(q.Context(), time.Duration(m.random(90))*time.Second)
	case 2:
		w.Header().Set("Retry-After", strconv.Itoa(m.random(1000)))
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	case 3:
		if from > 0 {
			w.Header().Del("ETag")
			w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
			return
		}
	case 4:
		from = 0
	case 5:
		from /= 2
	case 6, 7:
		if from > 0 {
			end = from + m.random(end-from) + 1
		}
	}
	if from > 0 {
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, end-1, len(content)))
	}
	if mood%2 == 0 {
		w.Header().Set("Content-Length", strconv.Itoa(end-from))
	}
	if from > 0 {
		w.WriteHeader(http.StatusPartialContent)
	}
	if mood > 9 && mood < 16 {
		_, _ = w.Write(content[from : from+m.random(end-from)])
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
	_, _ = w.Write(content[from:end])
}

// TestRandomServers downloads from servers that often fail, with losses of power and suspensions in
// between: a download that succeeds holds one version of the content, and each one ends.
func TestRandomServers(t *testing.T) {
	seeds := 30
	switch {
	case testing.Short():
		seeds = 5
	case *full:
		seeds = 3000
	}
	for _, scheme := range schemes {
		t.Run(scheme, func(t *testing.T) {
			whole := 0
			for seed := range seeds {
				synctest.Test(t, func(t *testing.T) {
					if downloadFromMoody(t, scheme, uint64(seed)) {
						whole++
					}
				})
			}
			if t.Logf("%d of %d downloads are complete", whole, seeds); whole < seeds/2 {
				t.Error("too few downloads are complete")
			}
		})
	}
}

// downloadFromMoody downloads once and reports whether the download is complete.
func downloadFromMoody(t *testing.T, scheme string, seed uint64) bool {
	r := newRig(t)
	r.cfg.SyncEvery, r.cfg.Rate = 4096, 2000
	m := &moody{rand: rand.New(rand.NewPCG(seed, 0))}
	r.serveRaw(m.answerCoAP)
	r.web.Handler = m
	uri := strings.Replace(uri(scheme), serverName, rawName, 1)
	if scheme == "http" {
		uri = strings.Replace(uri, rawName, serverName, 1)
	}
	own := rand.New(rand.NewPCG(seed, 1))
	sink := &disk{}
	var err error
	for kill := range 4 {
		c := r.client()
		var d *download.Download
		d, err = c.Start(download.Request{URI: uri, Sink: sink, Record: sink.record, Save: sink.save})
		r.check(err)
		if kill < 3 {
			time.Sleep(time.Duration(own.IntN(10_000)) * time.Millisecond)
			c.Suspend()
			time.Sleep(time.Minute)
			c.Resume()
			time.Sleep(time.Duration(own.IntN(10_000)) * time.Millisecond)
			if d.Progress().State != download.Ended {
				sink = sink.afterPowerLoss()
				r.check(c.Close())
				_ = d.Wait(t.Context())
				continue
			}
		}
		err = d.Wait(t.Context())
		r.check(c.Close())
		break
	}
	time.Sleep(5 * time.Minute) // of handlers that still write
	if e := (*download.Error)(nil); err != nil {
		if !errors.As(err, &e) || e.Kind != download.Inconsistent && e.Kind != download.ConnectionLost {
			t.Errorf("seed %d: %v", seed, err)
		}
		return false
	}
	version, _ := strconv.Atoi(strings.Trim(sink.record.ETag, `"v`))
	if !sink.record.Complete || !bytes.Equal(sink.content(), m.content(version)) {
		t.Errorf("seed %d: %d bytes, the record is %+v", seed, len(sink.content()), sink.record)
	}
	return true
}
