package download_test

import (
	"bytes"
	"net/netip"
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
		for steps, over := 1, false; !over; steps++ {
			sink := &disk{}
			for _, content := range contents {
				r.serve(lwm2mserver.File{Content: content, Size: size})
				sink.steps = steps
				c := r.client()
				r.check(r.get(c, download.Request{URI: uri, Sink: sink, Record: sink.record, Save: sink.save}))
				r.check(c.Close())
				over = !sink.dead
				if complete := sink.record.Complete; complete && !bytes.Equal(sink.written[:sink.synced], content.bytes(size)) {
					t.Fatalf("power loss at step %d: the record claims a content that is not there", steps)
				} else if complete {
					sink.record = download.Record{URI: uri, ETag: sink.record.ETag, Offset: size, Total: size}
				}
				sink = sink.afterPowerLoss()
			}
			c := r.client()
			err := r.get(c, download.Request{URI: uri, Sink: sink, Record: sink.record, Save: sink.save})
			if err != nil || !bytes.Equal(sink.content(), contents[2].bytes(size)) {
				t.Fatalf("power loss at step %d: %v, %d bytes", steps, err, len(sink.content()))
			}
			r.check(c.Close())
		}
	})
}

// TestContinueInsideBlock continues at a byte that is inside of a block.
func TestContinueInsideBlock(t *testing.T) {
	each(t, func(t *testing.T, r *rig, uri string) {
		const size = 50_000
		r.serve(lwm2mserver.File{Content: image{}, Size: size, ETag: "v1"})
		for _, offset := range []int64{1, 1500, 2048, 49_999, 50_000} {
			tag := "v1"
			if uri[:4] == "http" {
				tag = `"v1"`
			}
			sink := &disk{written: image{}.bytes(offset)}
			c := r.client()
			down := r.down
			err := r.get(c, download.Request{URI: uri, Sink: sink, Record: download.Record{URI: uri, ETag: tag, Offset: offset, Total: -1}})
			if err != nil || !bytes.Equal(sink.content(), image{}.bytes(size)) {
				t.Errorf("from %d on: %v, %d bytes", offset, err, len(sink.content()))
			}
			if sent := r.down - down; sent > (size-offset)*12/10+2000 {
				t.Errorf("from %d on: %d bytes were sent", offset, sent)
			}
			r.check(c.Close())
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
