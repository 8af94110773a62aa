package download_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/download"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mserver"
)

func TestDownload(t *testing.T) {
	each(t, func(t *testing.T, r *rig, uri string) {
		for _, size := range []int64{0, 1, 1023, 1024, 1025, 16 << 10, 200_000} {
			r.serve(lwm2mserver.File{Content: image{}, Size: size})
			sink, c := &disk{}, r.client()
			var saved download.Record
			var last download.Progress
			err := r.get(c, download.Request{
				URI: uri, Sink: sink,
				Save:     func(rec download.Record) error { saved = rec; return nil },
				Progress: func(p download.Progress) { last = p },
			})
			if err != nil || !bytes.Equal(sink.content(), image{}.bytes(size)) || sink.synced != int(size) {
				t.Fatalf("%d bytes: %v, got %d, synced %d", size, err, len(sink.content()), sink.synced)
			}
			if !saved.Complete || saved.Offset != size || saved.Total != size || saved.URI != uri || size > 2048 && saved.ETag == "" {
				t.Errorf("the record is %+v", saved)
			}
			if last.State != download.Ended || last.Received != size || last.Durable != size || last.Total != size {
				t.Errorf("the progress is %+v", last)
			}
			before := len(r.files.FileRequests())
			if err := r.get(c, download.Request{URI: uri, Sink: sink, Record: saved}); err != nil || len(r.files.FileRequests()) != before {
				t.Errorf("with the record of a complete download: %v; is the server asked again?", err)
			}
			_ = c.Close()
		}
	})
}

// TestContinueAfterBrokenConnection breaks the connection every 30 s of a slow download.
func TestContinueAfterBrokenConnection(t *testing.T) {
	each(t, func(t *testing.T, r *rig, uri string) {
		const size = 300_000
		r.serve(lwm2mserver.File{Content: image{}, Size: size})
		r.files.DisturbFiles(5, lwm2mserver.FileFault{Break: true}, func(q lwm2mserver.FileRequest) bool { return q.Offset%3 == 0 || q.Offset > 50_000 })
		sink := &disk{}
		if err := r.get(r.client(), download.Request{URI: uri, Sink: sink}); err != nil || !bytes.Equal(sink.content(), image{}.bytes(size)) {
			t.Fatalf("%v, %d bytes", err, len(sink.content()))
		}
		if r.down > size*13/10 {
			t.Errorf("%d bytes were sent for %d", r.down, size)
		}
	})
}

func TestSuspend(t *testing.T) {
	each(t, func(t *testing.T, r *rig, uri string) {
		const size = 400_000
		r.cfg.Rate = 10_000
		r.serve(lwm2mserver.File{Content: image{}, Size: size})
		sink, c := &disk{}, r.client()
		began := time.Now()
		d, err := c.Start(download.Request{URI: uri, Sink: sink})
		r.check(err)
		time.Sleep(10 * time.Second)
		c.Suspend()
		time.Sleep(time.Second)
		p := d.Progress()
		if p.State != download.Suspended || p.Received < 80_000 || p.Received > 130_000 || p.Durable != p.Received {
			t.Fatalf("suspended: %+v", p)
		}
		time.Sleep(time.Hour)
		if q := d.Progress(); q != p {
			t.Errorf("it goes on: %+v", q)
		}
		d.Resume() // the client is still suspended
		time.Sleep(time.Second)
		if q := d.Progress(); q != p {
			t.Errorf("it goes on: %+v", q)
		}
		c.Resume()
		r.check(d.Wait(t.Context()))
		took := time.Since(began) - time.Hour
		if !bytes.Equal(sink.content(), image{}.bytes(size)) || took < 36*time.Second || took > 46*time.Second {
			t.Errorf("%d bytes in %v", len(sink.content()), took)
		}
		// What a stream has sent ahead when it ends is lost.
		if r.down > size*12/10 && (uri[:4] == "coap" || r.down > size+150_000) {
			t.Errorf("%d bytes were sent for %d", r.down, size)
		}
	})
}
