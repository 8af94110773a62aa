package main

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/lwm2mgen/toolkit/net/dtls"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/net/sockettest"
	"github.com/lwm2mgen/toolkit/net/udp"
)

var key = []byte("0123456789abcdef")

// listen accepts with net/dtls.
func listen(t testing.TB) socket.Listener {
	below, err := udp.Listen(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	l, err := dtls.Listen(below, dtls.ServerConfig{Key: func([]byte) (socket.Secret, error) { return socket.NewSecret(key), nil }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func TestConformance(t *testing.T) {
	sockettest.Run(t, func(t testing.TB) sockettest.Rig {
		l := listen(t)
		silent, err := udp.Listen(netip.MustParseAddrPort("127.0.0.1:0"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = silent.Close() })
		return sockettest.Rig{
			Dialer:  Dialer{},
			Config:  socket.Config{Security: socket.Security{Mode: socket.ModePSK, Identity: []byte("device-1"), Key: socket.NewSecret(key)}},
			Remote:  socket.Endpoint{Host: "127.0.0.1", Port: l.Addr().Port()},
			Peer:    l,
			Silent:  socket.Endpoint{Host: "127.0.0.1", Port: silent.Addr().Port()},
			Unknown: "nobody..invalid",
			Secrets: [][]byte{key},
		}
	})
}

func TestRun(t *testing.T) {
	l := listen(t)
	done := make(chan error, 1)
	go func() {
		s, err := l.Accept(t.Context())
		if err != nil {
			done <- err
			return
		}
		defer s.Close()
		buf := make([]byte, 100)
		if _, err = s.Recv(buf); err == nil {
			err = s.Send([]byte{0x70, 0, buf[2], buf[3]})
		}
		done <- err
		_, _ = s.Recv(buf) // until the other side closes
	}()
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, key, 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	err := run(t.Context(), &out, []string{"-host", "127.0.0.1", "-port", fmt.Sprint(l.Addr().Port()), "-identity", "device-1", "-key-file", file})
	if err != nil || out.String() != "answer: 70 00 12 34\n" {
		t.Errorf("%q, %v", out.String(), err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}
