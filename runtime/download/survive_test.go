package download_test

import (
	"bytes"
	"crypto/sha256"
	"flag"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/runtime/download"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mserver"
)

var full = flag.Bool("full", false, "download 100 MB where a normal run downloads 16 MB, and from 3000 random servers in place of 30")

// TestSurviveKills downloads an image while the device loses its power 20 times: by CoAP with 10 %
// loss, by HTTP with a link that breaks every few seconds. The router changes the address of the
// device at each break. At most 1.3 times the image is sent.
func TestSurviveKills(t *testing.T) {
	size, kills := int64(16_000_000), 20
	switch {
	case *full:
		size = 100_000_000
	case testing.Short():
		size, kills = size/4, kills/5
	}
	for _, c := range []struct {
		scheme string
		link   simnet.Link
		rate   int64         // bytes per second
		breaks time.Duration // the time between two breaks of the link
	}{
		{"coap", simnet.Link{Delay: 10 * time.Millisecond, Loss: 0.1}, 0, 10 * time.Minute},
		{"coap+tcp", simnet.Link{Delay: 10 * time.Millisecond}, size / 100, 4 * time.Second},
		{"http", simnet.Link{Delay: 10 * time.Millisecond}, max(size/100, 250_000), 4 * time.Second},
	} {
		t.Run(c.scheme, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.cfg.Rate = c.rate
				r.check(r.net.SetDefaultLink(c.link))
				r.serve(lwm2mserver.File{Content: image{}, Size: size})
				stop := make(chan struct{})
				go func() {
					for {
						select {
						case <-stop:
							return
						case <-time.After(c.breaks):
							r.nat.Rebind()
						}
					}
				}()
				defer close(stop)
				began := time.Now()
				sink := &disk{}
				for kill := range kills + 1 {
					client, err := download.New(r.cfg)
					r.check(err)
					d, err := client.Start(download.Request{
						URI: uri(c.scheme), Sink: sink, Record: sink.record, Save: sink.save,
					})
					r.check(err)
					if kill == kills {
						r.check(d.Wait(t.Context()))
						r.check(client.Close())
						break
					}
					// The kills are spread over the image, each at another byte of a block.
					until := size * int64(kill+1) / int64(kills+1)
					for d.Progress().Received < until && d.Progress().State != download.Ended {
						time.Sleep(97 * time.Millisecond)
					}
					sink = sink.afterPowerLoss()
					r.check(client.Close())
					time.Sleep(time.Second)
				}
				h, want := sha256.New(), sha256.New()
				_, _ = h.Write(sink.content())
				_, _ = io.Copy(want, io.NewSectionReader(image{}, 0, size))
				if !bytes.Equal(h.Sum(nil), want.Sum(nil)) || !sink.record.Complete {
					t.Errorf("%d bytes, the hash differs; the record is %+v", len(sink.content()), sink.record)
				}
				r.mu.Lock()
				defer r.mu.Unlock()
				ratio := float64(r.down) / float64(size)
				t.Logf("%d bytes in %v of virtual time: %.3f times the image sent to the device, %.3f by it",
					size, time.Since(began), ratio, float64(r.up)/float64(size))
				const allowed = 1.3
				if ratio > allowed {
					t.Errorf("%.3f times the image was sent, at most %.2f are allowed", ratio, allowed)
				}
			})
		})
	}
}
