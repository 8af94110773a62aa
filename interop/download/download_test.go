package download

import (
	"bytes"
	"errors"
	"log/slog"
	"net"
	"net/url"
	"os/exec"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/net/dtls"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/net/tcp"
	"github.com/lwm2mgen/toolkit/net/udp"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/download"
)

// size is that of the image: a multiple of the block size, so that its end is between two blocks.
const size = 256 << 10

// identity and key are those of DTLS.
var identity, key = []byte("dev"), []byte("0123456789abcdef")

// image returns n bytes that do not repeat.
func image(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		x := uint32(i) * 2654435761
		b[i] = byte(x>>24) ^ byte(x>>13)
	}
	return b
}

// memory is a sink that counts the bytes that are written to it.
type memory struct {
	content []byte
	written int
}

func (m *memory) Write(p []byte) (int, error) {
	m.content = append(m.content, p...)
	m.written += len(p)
	return len(p), nil
}

func (m *memory) Sync() error { return nil }

func (m *memory) Truncate(n int64) error {
	if n > int64(len(m.content)) {
		return download.ErrShort
	}
	m.content = m.content[:n]
	return nil
}

// device is a device that downloads one file, and restarts.
type device struct {
	t      *testing.T
	uri    string
	sink   memory
	record download.Record
	rate   int64
}

// run downloads until at bytes have arrived, or to the end if at is 0.
func (d *device) run(at int64) error {
	d.t.Helper()
	c, err := download.New(download.Config{
		Dialers: []socket.Dialer{udp.Dialer{}, tcp.Dialer{}, dtls.Dialer{}}, Rate: d.rate, SyncEvery: 16 << 10,
		Params: coap.Params{AckTimeout: 100 * time.Millisecond},
		Retry:  download.Retry{First: 100 * time.Millisecond}, Logger: slog.New(slog.DiscardHandler),
		Security: func(*url.URL) (socket.Security, error) {
			return socket.Security{Mode: socket.ModePSK, Identity: identity, Key: socket.NewSecret(key)}, nil
		},
	})
	if err != nil {
		d.t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	enough := make(chan struct{})
	var once bool
	running, err := c.Start(download.Request{
		URI: d.uri, Sink: &d.sink, Record: d.record,
		Save: func(r download.Record) error { d.record = r; return nil },
		Progress: func(p download.Progress) {
			if at > 0 && p.Received >= at && !once {
				once = true
				close(enough)
			}
		},
	})
	if err != nil {
		return err
	}
	if at > 0 {
		go func() { <-enough; running.Cancel() }()
	}
	return running.Wait(d.t.Context())
}

// restart downloads half of the image, restarts the device, and downloads the rest. It fails unless
// the download continues or starts again, as the caller says.
func (d *device) restart(continues bool) {
	d.t.Helper()
	d.rate = 1 << 20
	if err := d.run(size / 2); !errors.Is(err, download.ErrCancelled) {
		d.t.Fatalf("the first half: %v, %d bytes", err, len(d.sink.content))
	}
	if d.record.Complete || d.record.Offset < size/4 {
		d.t.Errorf("the record is %+v", d.record)
	}
	d.sink.written = 0
	d.complete()
	if all := d.sink.written == size; all == continues {
		d.t.Errorf("%d of %d bytes were written after the restart", d.sink.written, size)
	}
}

// end continues a download that has all bytes and does not know that they are all.
func (d *device) end() {
	d.t.Helper()
	d.record.Total, d.record.Complete, d.sink.written = -1, false, 0
	d.complete()
	if d.sink.written != 0 {
		d.t.Errorf("%d bytes were written again", d.sink.written)
	}
}

// complete downloads to the end.
func (d *device) complete() {
	d.t.Helper()
	if err := d.run(0); err != nil || !bytes.Equal(d.sink.content, image(size)) || !d.record.Complete {
		d.t.Fatalf("%v, %d bytes, the record is %+v", err, len(d.sink.content), d.record)
	}
}

// freePort returns a port that is free on the loopback interface.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}

// program finds the first of some programs that is installed.
func program(t *testing.T, names ...string) string {
	t.Helper()
	for _, n := range names {
		if p, err := exec.LookPath(n); err == nil {
			return p
		}
	}
	t.Skipf("%s is not installed: run interop/install", names[0])
	return ""
}

// serve runs a server until the end of the test, and returns when it accepts connections.
func serve(t *testing.T, addr string, cmd *exec.Cmd) {
	t.Helper()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.WaitDelay = time.Second // a program that it has started may hold the pipe
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	for range 100 {
		if c, err := net.Dial("tcp", addr); err == nil {
			_ = c.Close()
			return
		}
		<-time.After(50 * time.Millisecond)
	}
	t.Fatalf("%s does not listen:\n%s", cmd.Path, out.String())
}
