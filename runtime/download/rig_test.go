package download_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/download"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mserver"
)

// image is content that is computed and not kept.
type image struct{ seed byte }

func (i image) ReadAt(p []byte, off int64) (int, error) {
	for n := range p {
		x := uint32(off+int64(n)) * 2654435761
		p[n] = byte(x>>24) ^ byte(x>>13) ^ i.seed
	}
	return len(p), nil
}

func (i image) bytes(n int64) []byte {
	b := make([]byte, n)
	_, _ = i.ReadAt(b, 0)
	return b
}

// disk is a sink that loses what is not synced.
type disk struct {
	mu      sync.Mutex
	written []byte
	synced  int
	err     error // of the next Write
	dead    bool  // nothing is written any more
	steps   int   // operations before the power is lost; 0 means never
	record  download.Record
}

// step counts an operation and reports whether the power is off.
func (d *disk) step() bool {
	if d.steps > 0 {
		d.steps--
		d.dead = d.dead || d.steps == 0
	}
	return d.dead
}

func (d *disk) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err != nil {
		return 0, d.err
	}
	if d.step() {
		return len(p), nil
	}
	d.written = append(d.written, p...)
	return len(p), nil
}

func (d *disk) Sync() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.step() {
		d.synced = len(d.written)
	}
	return nil
}

func (d *disk) Truncate(n int64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.step() {
		return nil
	}
	if int64(len(d.written)) < n {
		return download.ErrShort
	}
	d.written = d.written[:n]
	d.synced = min(d.synced, int(n))
	return nil
}

// afterPowerLoss returns what the disk holds after a loss of power: what was synced, and garbage.
// The old one is dead.
func (d *disk) afterPowerLoss() *disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dead = true
	b := d.written
	for i := d.synced; i < len(b); i++ {
		b[i] = 0xee
	}
	return &disk{written: b, synced: d.synced, record: d.record}
}

// save keeps the record of a download to the disk.
func (d *disk) save(r download.Record) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.step() {
		d.record = r
	}
	return nil
}

func (d *disk) content() []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	return bytes.Clone(d.written)
}

// rig is a device and a file server on a simulated network.
type rig struct {
	t              *testing.T
	net            *simnet.Network
	nat            *simnet.NAT // in front of the device
	device, server *simnet.Host
	files          *lwm2mserver.Server
	web            *http.Server
	cfg            download.Config
	down, up       int64 // bytes on the network, to the device and from it
	mu             sync.Mutex
}

const serverName = "files.example"

func newRig(t *testing.T) *rig {
	n := simnet.New(1)
	nat := n.NewNAT()
	r := &rig{t: t, net: n, nat: nat, device: nat.NewHost("device"), server: n.NewHost(serverName)}
	udp, err := r.server.Listen(5683)
	r.check(err)
	tcp, err := r.server.ListenStream(5683)
	r.check(err)
	web, err := r.server.ListenStream(80)
	r.check(err)
	r.files, err = lwm2mserver.New(lwm2mserver.Config{Listeners: []socket.Listener{udp, tcp}, History: 100_000})
	r.check(err)
	r.web = &http.Server{Handler: r.files.FileHandler()}
	go func() { _ = r.web.Serve(netListener{web}) }()
	t.Cleanup(func() {
		r.files.Close()
		_ = r.web.Close()
		time.Sleep(time.Second) // of the handlers that still write
	})
	n.SetFilter(func(p simnet.Packet) bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		if p.From.Port() == 5683 || p.From.Port() == 80 {
			r.down += int64(len(p.Data))
		} else {
			r.up += int64(len(p.Data))
		}
		return true
	})
	r.cfg = download.Config{
		Dialers: []socket.Dialer{r.device.Dialer(), r.device.StreamDialer()},
		Logger:  slog.New(slog.DiscardHandler),
	}
	return r
}

func (r *rig) check(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// serve offers an image.
func (r *rig) serve(f lwm2mserver.File) {
	r.t.Helper()
	r.check(r.files.ServeFile("/fw.bin", f))
}

// client makes a client that ends with the test.
func (r *rig) client() *download.Client {
	r.t.Helper()
	c, err := download.New(r.cfg)
	r.check(err)
	r.t.Cleanup(func() { _ = c.Close() })
	return c
}

// get downloads and returns the outcome.
func (r *rig) get(c *download.Client, q download.Request) error {
	r.t.Helper()
	d, err := c.Start(q)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.t.Context(), 1000*time.Hour)
	defer cancel()
	return d.Wait(ctx)
}

// uri returns the URI of the image for a scheme.
func uri(scheme string) string { return scheme + "://" + serverName + "/fw.bin" }

// schemes are those of the simulated network.
var schemes = []string{"coap", "coap+tcp", "http"}

// each runs a test in virtual time, by every scheme.
func each(t *testing.T, f func(t *testing.T, r *rig, uri string)) {
	for _, s := range schemes {
		t.Run(s, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { f(t, newRig(t), uri(s)) })
		})
	}
}

// kindOf returns the kind of an error of a download.
func kindOf(t *testing.T, err error) download.Kind {
	t.Helper()
	var e *download.Error
	if !errors.As(err, &e) {
		t.Fatalf("the outcome is %v, want an *Error", err)
	}
	return e.Kind
}

// netListener is a listener of net/http.
type netListener struct{ socket.Listener }

func (l netListener) Accept() (net.Conn, error) {
	s, err := l.Listener.Accept(context.Background())
	if err != nil {
		return nil, err
	}
	return socket.NetConn(s), nil
}

func (l netListener) Addr() net.Addr { return net.TCPAddrFromAddrPort(l.Listener.Addr()) }
