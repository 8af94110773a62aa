//go:build unix

package dtls

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	pion "github.com/pion/dtls/v3"

	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/net/udp"
)

const envEcho = "DTLS_TEST_ECHO"

// TestEchoServer is pion's server for the benchmarks. It runs in another process, so that the CPU
// time of this process is that of the client.
func TestEchoServer(t *testing.T) {
	if os.Getenv(envEcho) == "" {
		t.Skip("the benchmarks run it")
	}
	l, err := pion.ListenWithOptions("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}, pskServer()...)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println("port:", l.Addr().(*net.UDPAddr).Port)
	for {
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			buf := make([]byte, 2000)
			for {
				n, err := c.Read(buf)
				if err != nil {
					return
				}
				if _, err := c.Write(buf[:n]); err != nil {
					return
				}
			}
		}()
	}
}

func echoServer(tb testing.TB) *net.UDPAddr {
	tb.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestEchoServer$", "-test.timeout=10m")
	cmd.Env = append(os.Environ(), envEcho+"=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var port int
		if _, err := fmt.Sscanf(lines.Text(), "port: %d", &port); err == nil {
			return &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port}
		}
	}
	tb.Fatal("the echo server did not start")
	return nil
}

// echoClient sends one datagram and receives one.
type echoClient struct {
	name       string
	send, recv func(p []byte) error
}

func ourClient(tb testing.TB, at *net.UDPAddr) echoClient {
	s, err := Dialer{Below: udp.Dialer{}}.NewSocket(socket.Config{Security: pskSecurity()})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.Close() })
	mustConnect(tb, s, socket.Endpoint{Host: "127.0.0.1", Port: uint16(at.Port)})
	return echoClient{"ours", s.Send, func(p []byte) error { _, err := s.Recv(p); return err }}
}

func barePion(tb testing.TB, at *net.UDPAddr) *pion.Conn {
	c, err := pion.DialWithOptions("udp4", at, pion.WithPSK(func([]byte) ([]byte, error) { return testKey, nil }),
		pion.WithPSKIdentityHint(testIdentity), pion.WithCipherSuites(pion.TLS_PSK_WITH_AES_128_CCM_8))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = c.Close() })
	if err := c.HandshakeContext(context.Background()); err != nil {
		tb.Fatal(err)
	}
	return c
}

func pionClient1(tb testing.TB, at *net.UDPAddr) echoClient {
	c := barePion(tb, at)
	return echoClient{"pion", func(p []byte) error { _, err := c.Write(p); return err }, func(p []byte) error { _, err := c.Read(p); return err }}
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkEcho compares the CPU time of a client whose datagrams are echoed with that of one on
// bare pion, in turns in one run, with CCM_8 and 32 datagrams outstanding. The aim is a ratio of at
// most 1.05.
func BenchmarkEcho(b *testing.B) {
	at := echoServer(b)
	clients := []echoClient{ourClient(b, at), pionClient1(b, at)}
	used := make([]time.Duration, len(clients))
	msg, buf := make([]byte, 20), make([]byte, 2000)
	const outstanding, each = 32, 64
	rounds := 0
	for b.Loop() {
		rounds++
		for i, c := range clients {
			start := cpuTime()
			for range each {
				for range outstanding {
					if err := c.send(msg); err != nil {
						b.Fatal(err)
					}
				}
				for range outstanding {
					if err := c.recv(buf); err != nil {
						b.Fatal(err)
					}
				}
			}
			used[i] += cpuTime() - start
		}
	}
	n := float64(rounds * each * outstanding)
	for i, c := range clients {
		b.ReportMetric(float64(used[i].Nanoseconds())/n, c.name+"-cpu-ns/echo")
	}
	b.ReportMetric(float64(used[0])/float64(used[1]), "x-pion")
	b.ReportMetric(0, "ns/op")
}

func reportCPU(b *testing.B, start time.Duration) {
	b.ReportMetric(float64((cpuTime()-start).Nanoseconds())/float64(b.N), "cpu-ns/op")
}

// BenchmarkHandshake counts full handshakes, one at a time, with Close.
func BenchmarkHandshake(b *testing.B) {
	at := echoServer(b)
	b.Run("ours", func(b *testing.B) {
		defer reportCPU(b, cpuTime())
		for b.Loop() {
			s, err := Dialer{Below: udp.Dialer{}}.NewSocket(socket.Config{Security: pskSecurity()})
			if err != nil {
				b.Fatal(err)
			}
			mustConnect(b, s, socket.Endpoint{Host: "127.0.0.1", Port: uint16(at.Port)})
			_ = s.Close()
		}
	})
	b.Run("pion", func(b *testing.B) {
		defer reportCPU(b, cpuTime())
		for b.Loop() {
			c, err := pion.DialWithOptions("udp4", at, pion.WithPSK(func([]byte) ([]byte, error) { return testKey, nil }),
				pion.WithPSKIdentityHint(testIdentity), pion.WithCipherSuites(pion.TLS_PSK_WITH_AES_128_CCM_8))
			if err != nil {
				b.Fatal(err)
			}
			if err := c.HandshakeContext(context.Background()); err != nil {
				b.Fatal(err)
			}
			_ = c.Close()
		}
	})
}

// BenchmarkIdle measures what an idle connection costs this process, with and without a Recv that
// waits.
func BenchmarkIdle(b *testing.B) {
	const count = 500
	open := map[string]func(tb testing.TB, at *net.UDPAddr) (wait func()){
		"ours": func(tb testing.TB, at *net.UDPAddr) func() {
			c := ourClient(tb, at)
			buf := make([]byte, 1500)
			return func() { _ = c.recv(buf) }
		},
		"pion": func(tb testing.TB, at *net.UDPAddr) func() {
			c := pionClient1(tb, at)
			buf := make([]byte, 1500)
			return func() { _ = c.recv(buf) }
		},
	}
	for _, name := range []string{"ours", "pion"} {
		for _, waiting := range []bool{false, true} {
			b.Run(fmt.Sprintf("%s/waiting=%v", name, waiting), func(b *testing.B) {
				at := echoServer(b)
				before, goroutines, resident := usage()
				total := 0
				for b.Loop() {
					for range count {
						wait := open[name](b, at)
						if waiting {
							go wait()
						}
					}
					total += count
				}
				after, now, rss := usage()
				each := func(from, to uint64) float64 { return (float64(to) - float64(from)) / float64(total) }
				b.ReportMetric(each(before.HeapAlloc, after.HeapAlloc), "heap-B/conn")
				b.ReportMetric(each(before.StackInuse, after.StackInuse), "stack-B/conn")
				b.ReportMetric(each(uint64(resident), uint64(rss)), "resident-B/conn")
				b.ReportMetric(each(uint64(goroutines), uint64(now)), "goroutines/conn")
			})
		}
	}
}

// usage collects garbage and returns what is left.
func usage() (runtime.MemStats, int, int) {
	for range 3 {
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	status, _ := os.ReadFile("/proc/self/statm")
	var size, resident int
	_, _ = fmt.Sscan(strings.TrimSpace(string(status)), &size, &resident)
	return m, runtime.NumGoroutine(), resident * os.Getpagesize()
}

// TestNoAllocations: AEAD suites send and receive without allocating.
func TestNoAllocations(t *testing.T) {
	for _, id := range []socket.CipherSuite{0xc0a8, 0xc0a4, 0xccab} {
		for _, cid := range [][]byte{nil, {1, 2, 3, 4, 5, 6, 7, 8}} {
			u, _ := suiteByID(id)
			loop := &loopSocket{}
			sec := secrets{suite: u, client: true, master: make([]byte, 48)}
			l, err := newLink(loop, &established{secrets: sec, sendCID: cid, recvCID: cid})
			if err != nil {
				t.Fatal(err)
			}
			// It receives its own records: both directions have the same keys.
			sec.client = false
			if _, l.open, err = sec.protections(); err != nil {
				t.Fatal(err)
			}
			msg, buf := make([]byte, 50), make([]byte, 100)
			allocs := testing.AllocsPerRun(200, func() {
				if err := l.send(msg); err != nil {
					t.Fatal(err)
				}
				if n, err := l.recv(buf); err != nil || n != len(msg) {
					t.Fatal(n, err)
				}
			})
			if allocs != 0 {
				t.Errorf("%s with a Connection ID of %d bytes: %v allocations", u.name, len(cid), allocs)
			}
		}
	}
}

// loopSocket returns the datagrams that were sent.
type loopSocket struct {
	socket.Socket
	buf [2048]byte
	n   int
}

func (s *loopSocket) Send(p []byte) error {
	s.n = copy(s.buf[:], p)
	return nil
}
func (s *loopSocket) Recv(p []byte) (int, error) { return copy(p, s.buf[:s.n]), nil }
func (s *loopSocket) InnerMTU() int              { return 1400 }
