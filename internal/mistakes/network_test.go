package mistakes

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/net/dtls"
	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/net/tls"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mserver"
	"github.com/lwm2mgen/toolkit/runtime/objects/device"
)

// psk are the credentials of the device.
func psk(key string) lwm2m.PSK {
	return lwm2m.PSK{Identity: "boiler-7", Key: socket.NewSecret([]byte(key))}
}

func newDevice(t *testing.T) dm.Object {
	t.Helper()
	d, err := device.New(device.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// wrongScheme configures a URI of a scheme that no LwM2M server has, and one without a scheme.
func wrongScheme(t *testing.T) string {
	var texts []string
	for _, uri := range []string{"https://lwm2m.example.com", "lwm2m.example.com:5683", "coap:/lwm2m.example.com"} {
		_, err := lwm2m.New(lwm2m.Config{
			Endpoint: "boiler-7", Servers: []lwm2m.Server{{URI: uri}}, Objects: []dm.Object{newDevice(t)},
		})
		texts = append(texts, text(t, err))
	}
	return strings.Join(texts, "\n")
}

func missingDialer(t *testing.T) string {
	_, err := lwm2m.New(lwm2m.Config{
		Endpoint: "boiler-7", Objects: []dm.Object{newDevice(t)},
		Servers: []lwm2m.Server{{URI: "coaps://lwm2m.example.com", PSK: psk("a key of 16 bytes")}},
	})
	return text(t, err)
}

// field is a network with a device and a server at 198.18.0.1.
type field struct {
	net            *simnet.Network
	server, device *simnet.Host
	dialers        []socket.Dialer
}

func newField() *field {
	n := simnet.New(1)
	f := &field{net: n, server: n.NewHost("lwm2m.example.com"), device: n.NewHost("boiler-7")}
	f.dialers = []socket.Dialer{f.device.Dialer(), f.device.StreamDialer(), dtls.Dialer{}, tls.Dialer{}}
	return f
}

// status runs a client and returns what Status says two seconds after the first sign, which comes
// after the given time.
func (f *field) status(t *testing.T, cfg lwm2m.Config, sign time.Duration) string {
	t.Helper()
	cfg.Endpoint, cfg.Objects, cfg.Dialers = "boiler-7", []dm.Object{newDevice(t)}, f.dialers
	client, err := lwm2m.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- client.Run(ctx) }()
	<-time.After(sign + 2*time.Second)
	synctest.Wait()
	s := client.Status().String()
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	return s
}

// serve runs a server on listeners until the test ends.
func serve(t *testing.T, listeners ...socket.Listener) {
	t.Helper()
	s, err := lwm2mserver.New(lwm2mserver.Config{Listeners: listeners})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
}

func must[T any](t *testing.T, v T, err error) T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// The first sign of a silent DTLS server is the time-out of its handshake (RFC 6347 §4.2.4.1), that
// of a silent CoAP server the longest first time-out of a message (RFC 7252 §4.8).
const (
	silentHandshake = time.Second
	silentCoAP      = 3 * time.Second
)

// wrongPSK registers at a server that has another key for the identity. Many servers are silent
// then.
func wrongPSK(t *testing.T) string {
	f := newField()
	below, err := f.server.Listen(5684)
	l, errDTLS := dtls.Listen(must(t, below, err), dtls.ServerConfig{
		Key: func([]byte) (socket.Secret, error) { return socket.NewSecret([]byte("the key of the server")), nil },
	})
	serve(t, must(t, l, errDTLS))
	return f.status(t, lwm2m.Config{
		Servers: []lwm2m.Server{{URI: "coaps://lwm2m.example.com", PSK: psk("the key of the device")}},
	}, silentHandshake)
}

// schemeOfAnotherPort uses the scheme of CoAP for the port of DTLS, and the reverse.
func schemeOfAnotherPort(t *testing.T) string {
	f := newField()
	below, err := f.server.Listen(5684)
	l, errDTLS := dtls.Listen(must(t, below, err), dtls.ServerConfig{
		Key: func([]byte) (socket.Secret, error) { return socket.NewSecret([]byte("key")), nil },
	})
	plain, errPlain := f.server.Listen(5683)
	serve(t, must(t, l, errDTLS), must(t, plain, errPlain))
	return f.status(t, lwm2m.Config{Servers: []lwm2m.Server{{URI: "coap://lwm2m.example.com:5684"}}}, silentCoAP) +
		"\n" + f.status(t, lwm2m.Config{
		Servers: []lwm2m.Server{{URI: "coaps://lwm2m.example.com:5683", PSK: psk("key")}},
	}, silentHandshake)
}

// portInUse binds the client to a port that another program has.
func portInUse(t *testing.T) string {
	if runtime.GOOS == "windows" {
		t.Skip("the system has another text")
	}
	taken, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Skipf("no loopback here: %v", err)
	}
	defer taken.Close()
	local := netip.MustParseAddrPort(taken.LocalAddr().String())
	shown := make(chan string, 100)
	client, err := lwm2m.New(lwm2m.Config{
		Endpoint: "boiler-7", Objects: []dm.Object{newDevice(t)},
		Servers: []lwm2m.Server{{URI: "coap://127.0.0.1"}}, Socket: socket.Config{Local: local},
		OnStatus: func(s lwm2m.ServerStatus) {
			if s.Err != nil {
				shown <- fmt.Sprintf("%v: %v", s.State, s.Err)
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- client.Run(ctx) }()
	s := <-shown
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	return strings.ReplaceAll(s, strconv.Itoa(int(local.Port())), "40000")
}
