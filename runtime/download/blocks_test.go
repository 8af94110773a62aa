package download_test

import (
	"bytes"
	"testing"
	"testing/synctest"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/download"
)

// TestSmallerBlocks continues at a server that answers with smaller blocks than asked for: one that
// gives the number of the block in its own size (RFC 7959 §2.4), and one that keeps the number of
// the request, as go-coap does.
func TestSmallerBlocks(t *testing.T) {
	const size, offset = 64 << 10, 40_000
	for name, keeps := range map[string]bool{"its own numbers": false, "the number of the request": true} {
		for _, scheme := range []string{"coap", "coap+tcp"} {
			t.Run(scheme+"/"+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := newRig(t)
					content, requests := image{}.bytes(size), 0
					r.serveRaw(func(q *rawRequest, resp *coap.Message) {
						if keeps && q.block.SZX > 3 {
							q.block.SZX = 3
						}
						requests++
						answerBlock(q, resp, content, 3)
					})
					uri := scheme + "://" + rawName
					for _, total := range []int64{-1, size} {
						requests = 0
						sink := &disk{written: image{}.bytes(offset)}
						err := r.get(r.client(), download.Request{
							URI: uri, Sink: sink, Record: download.Record{URI: uri, ETag: "v1", Offset: offset, Total: total},
						})
						if err != nil || !bytes.Equal(sink.content(), content) {
							t.Errorf("%v, %d bytes", err, len(sink.content()))
						}
						if want := (size-offset)/128 + 5; requests > want {
							t.Errorf("%d requests, want at most %d", requests, want)
						}
					}
					// A whole download asks for each block once.
					requests = 0
					if err := r.get(r.client(), download.Request{URI: uri, Sink: &disk{}}); err != nil || requests > size/128+1 {
						t.Errorf("%v, %d requests", err, requests)
					}
				})
			})
		}
	}
}
