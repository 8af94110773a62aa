package udp

import (
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/lwm2mgen/toolkit/net/internal/loopbacktest"
	"github.com/lwm2mgen/toolkit/net/internal/osnet"
	"github.com/lwm2mgen/toolkit/net/socket"
)

// BenchmarkIdle shows what a connected socket costs while nothing happens: bytes of the process
// (resident, the heap's share, and the stacks'), and goroutines, per socket.
func BenchmarkIdle(b *testing.B) {
	const count = 2000
	far := farSide(b)
	remote := loopbacktest.Endpoint(osnet.AddrPort(far.LocalAddr()))
	for name, keep := range map[string]func(b *testing.B, s socket.Socket, p *socket.Poller) socket.Socket{
		"alone": func(_ *testing.B, s socket.Socket, _ *socket.Poller) socket.Socket { return s },
		"pending Recv": func(_ *testing.B, s socket.Socket, _ *socket.Poller) socket.Socket {
			return s
		},
		"in a Poller": func(b *testing.B, s socket.Socket, p *socket.Poller) socket.Socket {
			w, err := p.Wrap(s)
			if err != nil {
				b.Fatal(err)
			}
			socket.Detect(w).Notifier.NotifyReadable(func() {})
			return w
		},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				var poller socket.Poller
				var readers sync.WaitGroup
				shared := make([]byte, 2048) // nothing arrives
				before := measure()
				socks := make([]socket.Socket, count)
				for i := range socks {
					s, err := Dialer{}.NewSocket(socket.Config{})
					if err != nil {
						b.Fatal(err)
					}
					if err := s.Connect(b.Context(), remote); err != nil {
						b.Fatal(err)
					}
					socks[i] = keep(b, s, &poller)
					if name == "pending Recv" {
						readers.Go(func() { _, _ = s.Recv(shared) })
					}
				}
				after := measure()
				b.ReportMetric(float64(after.resident-before.resident)/count, "B-resident/socket")
				b.ReportMetric(float64(after.heap-before.heap)/count, "B-heap/socket")
				b.ReportMetric(float64(after.stack-before.stack)/count, "B-stack/socket")
				b.ReportMetric(float64(after.goroutines-before.goroutines)/count, "goroutines/socket")
				for _, s := range socks {
					_ = s.Close()
				}
				readers.Wait()
				_ = poller.Close()
			}
		})
	}
}

type cost struct{ resident, heap, stack, goroutines int64 }

func measure() cost {
	for range 3 {
		runtime.Gosched()
		debug.FreeOSMemory()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	c := cost{heap: int64(m.HeapAlloc), stack: int64(m.StackInuse), goroutines: int64(runtime.NumGoroutine())}
	status, err := os.ReadFile("/proc/self/statm")
	if fields := strings.Fields(string(status)); err == nil && len(fields) > 1 {
		pages, _ := strconv.ParseInt(fields[1], 10, 64)
		c.resident = pages * int64(os.Getpagesize())
	}
	return c
}
