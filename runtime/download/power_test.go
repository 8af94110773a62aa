package download_test

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/lwm2mgen/toolkit/runtime/download"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mserver"
)

// TestPowerLossAtEveryStep loses the power before each write, sync, truncation and save of a
// download. In between the content changes on the server, and changes back.
func TestPowerLossAtEveryStep(t *testing.T) {
	each(t, func(t *testing.T, r *rig, uri string) {
		const size = 90_000
		r.cfg.SyncEvery = 20_000
		contents := []image{{}, {7}, {}}
		// whole returns the content that a record is about. A record of all bytes is complete, so
		// the server is not asked whether it has other content in the meantime.
		whole := func(rec download.Record) []byte {
			if strings.Trim(rec.ETag, `"`) == "v7" {
				return image{7}.bytes(size)
			}
			return image{}.bytes(size)
		}
		for steps, over := 1, false; !over; steps++ {
			sink := &disk{}
			for _, content := range contents {
				r.serve(lwm2mserver.File{Content: content, Size: size, ETag: fmt.Sprint("v", content.seed)})
				held := sink.record
				sink.steps = steps
				c := r.client()
				r.check(r.get(c, download.Request{URI: uri, Sink: sink, Record: sink.record, Save: sink.save}))
				r.check(c.Close())
				over = !sink.dead
				if complete := sink.record.Complete; complete && !bytes.Equal(sink.written[:sink.synced], whole(sink.record)) {
					t.Fatalf("power loss at step %d: the record claims a content that is not there", steps)
				} else if complete && held.Offset < size && !bytes.Equal(whole(sink.record), content.bytes(size)) {
					t.Fatalf("power loss at step %d: the content is not that of the server", steps)
				} else if complete {
					sink.record = download.Record{URI: uri, ETag: sink.record.ETag, Offset: size - 1, Total: size}
				}
				sink = sink.afterPowerLoss()
			}
			c := r.client()
			err := r.get(c, download.Request{URI: uri, Sink: sink, Record: sink.record, Save: sink.save})
			if err != nil || !bytes.Equal(sink.content(), whole(sink.record)) {
				t.Fatalf("power loss at step %d: %v, %d bytes", steps, err, len(sink.content()))
			}
			r.check(c.Close())
		}
	})
}

// TestContinueAtByte continues at a byte inside of a block, between two blocks, and at the end of
// the content: it never begins again from 0 while the ETag holds.
func TestContinueAtByte(t *testing.T) {
	each(t, func(t *testing.T, r *rig, uri string) {
		tag := "v1"
		if uri[:4] == "http" {
			tag = `"v1"`
		}
		for _, size := range []int64{50_000, 50 * 1024, 64 << 10} {
			for _, blockSize := range []int{0, 64} {
				if blockSize > 0 && size != 50_000 {
					continue
				}
				r.cfg.BlockSize = blockSize
				r.serve(lwm2mserver.File{Content: image{}, Size: size, ETag: "v1"})
				for _, offset := range []int64{1, 64, 1500, 2048, size - 1024, size - 1, size} {
					for _, total := range []int64{-1, size} {
						sink := &disk{written: image{}.bytes(offset)}
						c := r.client()
						down, before := r.down, len(r.files.FileRequests())
						err := r.get(c, download.Request{
							URI: uri, Sink: sink, Save: sink.save,
							Record: download.Record{URI: uri, ETag: tag, Offset: offset, Total: total},
						})
						if err != nil || !bytes.Equal(sink.content(), image{}.bytes(size)) || !sink.record.Complete {
							t.Errorf("%d of %d (%d): %v, %d bytes", offset, size, total, err, len(sink.content()))
						}
						if sent := r.down - down; sent > (size-offset)*12/10+2000 && blockSize == 0 {
							t.Errorf("%d of %d (%d): %d bytes were sent", offset, size, total, sent)
						}
						for _, q := range r.files.FileRequests()[before:] {
							if q.Offset < offset-1024 {
								t.Errorf("%d of %d (%d): the server is asked for the bytes from %d on", offset, size, total, q.Offset)
							}
						}
						r.check(c.Close())
					}
				}
			}
		}
	})
}

// TestNextAddress tries the next address of a host whose first one is silent.
func TestNextAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.serve(lwm2mserver.File{Content: image{}, Size: 5000})
		silent := r.net.NewHost("silent")
		silent.SetDown(true)
		r.net.SetName("two.example", append([]netip.Addr{silent.Addrs()[0]}, r.server.Addrs()...)...)
		for _, scheme := range schemes {
			sink := &disk{}
			err := r.get(r.client(), download.Request{URI: scheme + "://two.example/fw.bin", Sink: sink})
			if err != nil || !bytes.Equal(sink.content(), image{}.bytes(5000)) {
				t.Errorf("%s: %v", scheme, err)
			}
		}
	})
}
