//go:build linux

package main

import (
	"bytes"
	"net/netip"
	"testing"

	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/net/sockettest"
	"github.com/lwm2mgen/toolkit/net/udp"
)

func TestConformance(t *testing.T) {
	for name, at := range map[string]string{"IPv4": "127.0.0.1:0", "IPv6": "[::1]:0"} {
		t.Run(name, func(t *testing.T) {
			sockettest.Run(t, func(t testing.TB) sockettest.Rig {
				l, gone := listen(t, at), listen(t, at)
				unused := gone.Addr().Port()
				if err := gone.Close(); err != nil {
					t.Fatal(err)
				}
				host := l.Addr().Addr().String()
				return sockettest.Rig{
					Dialer:  Dialer{},
					Remote:  socket.Endpoint{Host: host, Port: l.Addr().Port()},
					Peer:    l,
					Unused:  socket.Endpoint{Host: host, Port: unused},
					Unknown: "nobody..invalid",
				}
			})
		})
	}
}

func listen(t testing.TB, at string) socket.Listener {
	t.Helper()
	l, err := udp.Listen(netip.MustParseAddrPort(at))
	if err != nil {
		t.Skipf("no such loopback here: %v", err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func TestRun(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), &out, nil); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); got != "answer: 70 00 12 34\n" {
		t.Errorf("it printed %q", got)
	}
}
