package lwm2m_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/net/tcp"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
)

// The last that a server hears of a stream is that it is released (RFC 8323 §5.5), behind the
// de-registration.
func TestReleasesStream(t *testing.T) {
	behind, err := tcp.Listen(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	srv := lwm2mtest.NewServer(t, behind)
	addr, heard := tap(t, srv.Addr().String())
	c, err := lwm2m.New(lwm2m.Config{
		Endpoint: "dev", Objects: []dm.Object{newDevice(t)}, Logger: quiet(),
		Servers: []lwm2m.Server{{URI: "coap+tcp://" + addr, Lifetime: time.Hour}},
		Dialers: []socket.Dialer{tcp.Dialer{}},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	srv.WaitRegistered("dev")
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if sent := <-heard; !bytes.HasSuffix(sent, []byte{0x00, 0xe4}) {
		t.Errorf("the device ended the stream with % x, want an empty 7.04", sent[max(0, len(sent)-8):])
	}
}

// tap passes one connection on to a server, and tells in the end what the device has sent.
func tap(t *testing.T, server string) (addr string, heard <-chan []byte) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	result := make(chan []byte, 1)
	go func() {
		var sent bytes.Buffer
		defer func() { result <- sent.Bytes() }()
		front, err := l.Accept()
		if err != nil {
			return
		}
		defer front.Close()
		back, err := net.Dial("tcp", server)
		if err != nil {
			return
		}
		defer back.Close()
		go func() { _, _ = io.Copy(front, back) }()
		_, _ = io.Copy(io.MultiWriter(&sent, back), front)
	}()
	return l.Addr().String(), result
}
