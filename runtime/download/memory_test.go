package download_test

import (
	"bufio"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/net/tcp"
	"github.com/lwm2mgen/toolkit/net/udp"
	"github.com/lwm2mgen/toolkit/runtime/download"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mserver"
)

// startFiles starts a file server on loopback and returns its URIs.
func startFiles(tb testing.TB, size int64) []string {
	tb.Helper()
	anywhere := netip.MustParseAddrPort("127.0.0.1:0")
	u, err := udp.Listen(anywhere)
	if err != nil {
		tb.Fatal(err)
	}
	s, err := tcp.Listen(anywhere)
	if err != nil {
		tb.Fatal(err)
	}
	srv, err := lwm2mserver.New(lwm2mserver.Config{Listeners: []socket.Listener{u, s}, History: 1})
	if err != nil {
		tb.Fatal(err)
	}
	web := httptest.NewServer(srv.FileHandler())
	tb.Cleanup(func() { web.Close(); srv.Close() })
	if err := srv.ServeFile("/fw.bin", lwm2mserver.File{Content: image{}, Size: size}); err != nil {
		tb.Fatal(err)
	}
	return []string{"coap://" + u.Addr().String() + "/fw.bin", "coap+tcp://" + s.Addr().String() + "/fw.bin", web.URL + "/fw.bin"}
}

// TestFileServerProcess is the server of TestMemory and of the benchmarks, in a process of its own.
func TestFileServerProcess(t *testing.T) {
	if os.Getenv("DOWNLOAD_SERVER") == "" {
		t.Skip("it runs in the process of another test")
	}
	fmt.Println("URIS", strings.Join(startFiles(t, 8<<20), " "))
	_, _ = bufio.NewReader(os.Stdin).ReadByte() // until the other test ends
}

// serverProcess starts a file server in a process of its own and returns its URIs.
func serverProcess(tb testing.TB) []string {
	tb.Helper()
	cmd := exec.Command(os.Args[0], "-test.run", "^TestFileServerProcess$", "-test.v")
	cmd.Env = append(os.Environ(), "DOWNLOAD_SERVER=1")
	in, err := cmd.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = in.Close(); _ = cmd.Wait() })
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if uris, ok := strings.CutPrefix(lines.Text(), "URIS "); ok {
			go func() {
				for lines.Scan() {
				}
			}()
			return strings.Fields(uris)
		}
	}
	tb.Fatal("the server does not start")
	return nil
}

// TestMemory measures the memory of running downloads, each with a client of its own.
func TestMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	for _, uri := range serverProcess(t) {
		scheme, _, _ := strings.Cut(uri, ":")
		t.Run(scheme, func(t *testing.T) {
			heap := func() int64 {
				runtime.GC()
				runtime.GC()
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				return int64(m.HeapAlloc + m.StackInuse)
			}
			const n = 20
			before := heap()
			reached := make(chan bool, n)
			for range n {
				c, err := download.New(download.Config{
					Dialers: []socket.Dialer{udp.Dialer{}, tcp.Dialer{}}, Rate: 200_000, Logger: slog.New(slog.DiscardHandler),
				})
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = c.Close() }()
				var once bool
				_, err = c.Start(download.Request{URI: uri, Sink: discard{}, Progress: func(p download.Progress) {
					if p.Received > 100_000 && !once {
						once = true
						reached <- true
					}
				}})
				if err != nil {
					t.Fatal(err)
				}
			}
			for range n {
				<-reached
			}
			each := (heap() - before) / n
			t.Logf("%d bytes for each download", each)
			if each > 256<<10 {
				t.Errorf("a download needs %d bytes", each)
			}
		})
	}
}
