package download_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/net/udp"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/download"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mserver"
	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// connect makes a CoAP connection to the server that a loop serves.
func (r *rig) connect(s *sched.Scheduler) (*coap.Conn, socket.Socket) {
	r.t.Helper()
	e, err := coap.NewEndpoint(coap.Config{Scheduler: s})
	r.check(err)
	sock, remote, err := socket.Open(r.cfg.Dialers, "coap://"+serverName, socket.Config{})
	r.check(err)
	r.check(sock.Connect(r.t.Context(), remote))
	sock.SetRecvDeadline(socket.NoWait())
	conn, err := e.NewConn(coap.ConnConfig{Socket: sock})
	r.check(err)
	socket.Detect(sock).Notifier.NotifyReadable(func() {
		s.Post(func() { _, _ = conn.Receive(100) })
	})
	return conn, sock
}

// TestConn downloads over a connection of the caller, which is lost and made again.
func TestConn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		const size = 100_000
		r.serve(lwm2mserver.File{Content: image{}, Size: size})
		r.cfg.Scheduler = sched.New()
		r.cfg.Rate = 10_000
		conn, sock := r.connect(r.cfg.Scheduler)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		var outcome error
		c := r.client()
		sink := &disk{}
		_, err := c.Start(download.Request{
			URI: uri("coap"), Sink: sink, Conn: func(string) (*coap.Conn, bool) { return conn, true },
			Done: func(err error) { outcome = err; stop() },
		})
		r.check(err)
		r.cfg.Scheduler.AfterFunc(3*time.Second, func() {
			conn.Close(errors.New("lost"))
			_ = sock.Close()
			conn = nil
		})
		r.cfg.Scheduler.AfterFunc(time.Minute, func() { conn, sock = r.connect(r.cfg.Scheduler) })
		go func() {
			defer close(ended)
			for r.cfg.Scheduler.Sleep(ctx, time.Minute) == nil {
				r.cfg.Scheduler.Run()
			}
		}()
		<-ended
		if outcome != nil || !bytes.Equal(sink.content(), image{}.bytes(size)) {
			t.Errorf("%v, %d bytes", outcome, len(sink.content()))
		}
		if conn.Closed() != nil || r.down > size*12/10 {
			t.Errorf("the connection is %v, %d bytes were sent", conn.Closed(), r.down)
		}
		_ = sock.Close()
	})
}

// discard is a sink that keeps nothing.
type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
func (discard) Sync() error                 { return nil }
func (discard) Truncate(int64) error        { return nil }

// TestFileSurvives continues a file over loopback with a record that was read back.
func TestFileSurvives(t *testing.T) {
	l, err := udp.Listen(netip.MustParseAddrPort("[::1]:0"))
	if err != nil {
		t.Skip("no IPv6:", err)
	}
	srv, err := lwm2mserver.New(lwm2mserver.Config{Listeners: []socket.Listener{l}})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	const size = 300_000
	if err := srv.ServeFile("/fw.bin", lwm2mserver.File{Content: image{}, Size: size}); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "image")
	var record []byte
	for attempt := range 2 {
		file, err := download.OpenFile(path)
		if err != nil {
			t.Fatal(err)
		}
		client, err := download.New(download.Config{Dialers: []socket.Dialer{udp.Dialer{}}, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		var rec download.Record
		if err := rec.UnmarshalBinary(record); err != nil {
			t.Fatal(err)
		}
		if attempt == 1 && rec.Offset < 100_000 {
			t.Errorf("the record is %+v", rec)
		}
		var d *download.Download
		started := make(chan struct{})
		d, err = client.Start(download.Request{
			URI: srv.URI() + "/fw.bin", Sink: file, Record: rec,
			Save: func(r download.Record) (err error) { record, err = r.MarshalBinary(); return err },
			Progress: func(p download.Progress) {
				if <-started; attempt == 0 && p.Received >= 150_000 {
					d.Cancel()
				}
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		close(started)
		if err := d.Wait(t.Context()); (err != nil) != (attempt == 0) || err != nil && !errors.Is(err, download.ErrCancelled) {
			t.Errorf("attempt %d: %v", attempt, err)
		}
		_ = client.Close()
		_ = file.Close()
	}
	if b, err := os.ReadFile(path); err != nil || !bytes.Equal(b, image{}.bytes(size)) {
		t.Errorf("%d bytes, %v", len(b), err)
	}
}
