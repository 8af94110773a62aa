//go:build unix

package download_test

import (
	"io"
	"log/slog"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/net/tcp"
	"github.com/lwm2mgen/toolkit/net/udp"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/download"
	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// cpuTime is the CPU time of this process.
func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkDownload downloads 8 MiB from another process, compared with a loop that only fetches.
func BenchmarkDownload(b *testing.B) {
	const size = 8 << 20
	run := func(name string, once func(b *testing.B)) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(size)
			before := cpuTime()
			for b.Loop() {
				once(b)
			}
			b.ReportMetric(float64(cpuTime()-before)/float64(b.N)/(size>>20)/1e6, "cpu-ms/MB")
		})
	}
	for _, uri := range serverProcess(b) {
		scheme, _, _ := strings.Cut(uri, ":")
		run(scheme+"/download", func(b *testing.B) {
			c, err := download.New(download.Config{Dialers: []socket.Dialer{udp.Dialer{}, tcp.Dialer{}}, Logger: slog.New(slog.DiscardHandler)})
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = c.Close() }()
			d, err := c.Start(download.Request{URI: uri, Sink: discard{}})
			if err == nil {
				err = d.Wait(b.Context())
			}
			if err != nil || d.Progress().Received != size {
				b.Fatal(err, d.Progress())
			}
		})
		if scheme == "http" {
			run(scheme+"/io.Copy", func(b *testing.B) {
				resp, err := http.Get(uri)
				if err != nil {
					b.Fatal(err)
				}
				if n, err := io.Copy(discard{}, resp.Body); err != nil || n != size {
					b.Fatal(n, err)
				}
				_ = resp.Body.Close()
			})
		} else {
			run(scheme+"/bare", func(b *testing.B) { fetchBare(b, uri, size) })
		}
	}
}

// fetchBare fetches by one call, which asks for block after block.
func fetchBare(b *testing.B, uri string, size int64) {
	s := sched.New()
	e, err := coap.NewEndpoint(coap.Config{Scheduler: s})
	if err != nil {
		b.Fatal(err)
	}
	sock, remote, err := socket.Open([]socket.Dialer{udp.Dialer{}, tcp.Dialer{}}, uri, socket.Config{})
	if err != nil {
		b.Fatal(err)
	}
	if err := sock.Connect(b.Context(), remote); err != nil {
		b.Fatal(err)
	}
	defer func() { _ = sock.Close() }()
	conn, err := e.NewConn(coap.ConnConfig{Socket: sock, MaxMessage: 16<<10 + 256})
	if err != nil {
		b.Fatal(err)
	}
	sink, over := &counter{}, false
	call := &coap.Call{Code: coap.GET, Sink: sink, Done: func(r coap.Result) {
		if over = true; r.Err != nil {
			b.Error(r.Err)
		}
	}}
	call.Options.AddPath("/fw.bin")
	if err := conn.Do(call); err != nil {
		b.Fatal(err)
	}
	for !over {
		sock.SetRecvDeadline(time.Now().Add(s.Wait(time.Minute)))
		if _, err := conn.Receive(1); err != nil {
			b.Fatal(err)
		}
		s.Run()
	}
	if sink.n != size {
		b.Fatal(sink.n)
	}
}

type counter struct{ n int64 }

func (c *counter) Write(p []byte) (int, error) { c.n += int64(len(p)); return len(p), nil }
func (c *counter) Abort(error)                 {}
