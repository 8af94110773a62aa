package session

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/lwm2mserver"
)

// A device downloads an image over the transport that it has registered over, or from the URI that
// the user names.
func TestPull(t *testing.T) {
	for _, c := range []struct{ account, option, uri string }{
		{"coap://cloud", "", "coap://%s:5683/pull/1/fw-2.0.bin"},
		{"coap+tcp://cloud", "", "coap+tcp://%s:5683/pull/1/fw-2.0.bin"},
		{"coap+tcp://cloud", "-uri coap://cloud", "coap://cloud/pull/1/fw-2.0.bin"},
		{"coap://cloud", "-uri coap+tcp://cloud:5683/", "coap+tcp://cloud:5683/pull/1/fw-2.0.bin"},
	} {
		onBench(t, func(b *bench) {
			b.client.Servers[0].URI = c.account
			b.pulls()
			defer b.start()()
			b.flash.verifying = time.Minute
			blocks := []string{"100 %, 5.0 of 5.0 kB"}
			if strings.HasPrefix(c.uri, "coap://") {
				blocks = append([]string{"20 %, 1.0 of 5.0 kB", "40 %, 2.0 of 5.0 kB", "61 %, 3.1 of 5.0 kB", "81 %, 4.1 of 5.0 kB"}, blocks...)
			}
			b.runs("pull dev "+b.image("2.0", 5000)+" "+c.option, "",
				slices.Concat([]string{"PUT /5/0/1: 2.04 Changed"}, blocks, []string{"State 2: Downloaded"})...)
			uri := strings.Replace(c.uri, "%s", b.cloud.Addrs()[0].String(), 1)
			b.runs("read dev 5/0/1", "", "2.05 Content", "  /5/0/1  Package URI  "+uri)
			b.runs("execute dev 5/0/2", "", "2.04 Changed")
			b.runs("read dev 5/0/5", "", "2.05 Content", "  /5/0/5  Update Result  1")
			if !b.flash.runs("2.0") {
				t.Error("the new firmware does not run")
			}
		})
	}
}

// A pull ends with the Update Result of a device that cannot use the image or its URI, and with a
// time-out if the device does nothing. The file is offered until then.
func TestPullFails(t *testing.T) {
	onBench(t, func(b *bench) {
		b.pulls()
		defer b.start()()
		b.flash.verifyErr = errors.New("the signature is wrong")
		image := b.image("2.0", 1500)
		b.runs("pull dev "+image+" -update", ErrRefused.Error(),
			"PUT /5/0/1: 2.04 Changed",
			"68 %, 1.0 of 1.5 kB", "100 %, 1.5 of 1.5 kB",
			"Update Result 5: the integrity check of the image has failed")
		b.runs("pull dev "+image+" -uri coaps://cloud", ErrRefused.Error(),
			"PUT /5/0/1: 2.04 Changed",
			"Update Result 9: the device does not support the protocol of the URI")
		b.runs("pull dev "+image+" -uri coap://10.9.8.7", "the device has not asked for coap://10.9.8.7/pull/3/fw-2.0.bin within 30s",
			"PUT /5/0/1: 2.04 Changed")
		b.runs("pull dev "+image, ErrRefused.Error(), "PUT /5/0/1: 4.05 Method Not Allowed: /5/0/1",
			`the device receives or verifies another image: wait for its end, or discard it with write dev /5/0/1 ""`)
		b.runs(`write dev /5/0/1 ""`, "", "2.04 Changed")

		b.server.DisturbFiles(1<<30, lwm2mserver.FileFault{Drop: true}, func(r lwm2mserver.FileRequest) bool { return r.Offset > 0 })
		b.runs("pull dev "+image, "no progress for 30s", "PUT /5/0/1: 2.04 Changed", "68 %, 1.0 of 1.5 kB")
		for _, path := range []string{"/pull/1/fw-2.0.bin", "/pull/5/fw-2.0.bin"} {
			if b.offers(path) {
				t.Errorf("%s is still offered", path)
			}
		}
	})
}

// A device whose connection breaks continues, and its pull with it.
func TestPullContinues(t *testing.T) {
	onBench(t, func(b *bench) {
		b.pulls()
		defer b.start()()
		b.server.DisturbFiles(2, lwm2mserver.FileFault{Drop: true}, func(r lwm2mserver.FileRequest) bool { return r.Offset == 2048 })
		b.runs("pull dev "+b.image("2.0", 4000), "",
			"PUT /5/0/1: 2.04 Changed",
			"25 %, 1.0 of 4.0 kB", "51 %, 2.0 of 4.0 kB",
			"76 %, 3.1 of 4.0 kB",
			"100 %, 4.0 of 4.0 kB",
			"State 2: Downloaded")
	})
}

// A device that loses its power while it downloads continues when it is back.
func TestPullOverRestart(t *testing.T) {
	onBench(t, func(b *bench) {
		b.pulls()
		halt := b.start()
		restarted := make(chan struct{})
		time.AfterFunc(time.Second, func() {
			defer close(restarted)
			b.site.SetDown(true)
			halt()
			<-time.After(15 * time.Second)
			b.site.SetDown(false)
			halt = b.start()
		})
		b.runs("pull dev "+b.image("2.0", 20_480), "",
			"PUT /5/0/1: 2.04 Changed",
			"10 %, 2.0 of 20.5 kB", "20 %, 4.1 of 20.5 kB", "30 %, 6.1 of 20.5 kB", "40 %, 8.2 of 20.5 kB",
			"50 %, 10.2 of 20.5 kB", "60 %, 12.3 of 20.5 kB", "70 %, 14.3 of 20.5 kB", "80 %, 16.4 of 20.5 kB",
			"90 %, 18.4 of 20.5 kB", "100 %, 20.5 of 20.5 kB",
			"State 2: Downloaded")
		<-restarted
		halt()
	})
}
