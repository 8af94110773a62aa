package scandium

import (
	"context"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/interop/internal/jvm"
	"github.com/lwm2mgen/toolkit/net/dtls"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/net/udp"
)

const patience = 20 * time.Second

// server is a running Echo.java.
type server struct {
	port  uint16
	lines chan string
}

var (
	identity = []byte("device-1")
	key      = []byte("0123456789abcdef")
)

func psk() socket.Security {
	return socket.Security{Mode: socket.ModePSK, Identity: identity, Key: socket.NewSecret(key)}
}

// start runs the server with Connection IDs of some length. files are those of its certificate.
func start(t *testing.T, cidLength int, files ...string) *server {
	t.Helper()
	s := &server{lines: make(chan string, 1000)}
	p := jvm.Start(t, "scandium", func(line []byte) {
		if line != nil {
			s.lines <- string(line)
		}
	}, []string{"-Xmx128m", "-XX:TieredStopAtLevel=1"},
		append([]string{"Echo.java", strconv.Itoa(cidLength), string(identity), hex.EncodeToString(key)}, files...)...)
	t.Cleanup(p.Stop)
	port, err := strconv.ParseUint(strings.TrimPrefix(s.next(t, time.Minute), "port "), 10, 16)
	if err != nil {
		t.Fatal(err)
	}
	s.port = uint16(port)
	return s
}

// next returns the next line that the server prints.
func (s *server) next(t *testing.T, wait time.Duration) string {
	t.Helper()
	select {
	case line := <-s.lines:
		return line
	case <-time.After(wait):
		t.Fatal("the server says nothing")
		return ""
	}
}

// client makes a socket of the toolkit.
func client(t *testing.T, sec socket.Security) socket.Socket {
	t.Helper()
	s, err := dtls.Dialer{Below: udp.Dialer{}}.NewSocket(socket.Config{Security: sec})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func connect(t *testing.T, s socket.Socket, to socket.Endpoint) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return s.Connect(ctx, to)
}

// mustConnect connects and checks the Resumption.
func mustConnect(t *testing.T, s socket.Socket, to socket.Endpoint, want socket.Resumption) {
	t.Helper()
	if err := connect(t, s, to); err != nil {
		t.Fatal(err)
	}
	if got := socket.Detect(s).Session.Resumption(); got != want {
		t.Fatalf("the connection is a %s, want a %s", got, want)
	}
}

// echo sends a message until it is echoed.
func echo(t *testing.T, s socket.Socket, text string) {
	t.Helper()
	buf := make([]byte, 200)
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if err := s.Send([]byte(text)); err != nil {
			t.Fatal(err)
		}
		s.SetRecvDeadline(time.Now().Add(time.Second))
		n, err := s.Recv(buf)
		for err == nil && string(buf[:n]) != text { // of an earlier one
			n, err = s.Recv(buf)
		}
		if err == nil {
			return
		}
		if !errors.Is(err, socket.ErrTimeout) {
			t.Fatal(err)
		}
	}
	t.Fatalf("%q does not come back", text)
}

// said fails unless the server has made the given number of connections since the last call.
func (s *server) said(t *testing.T, connections int) {
	t.Helper()
	for range connections {
		if line := s.next(t, patience); line != "established" {
			t.Fatalf("the server says %q", line)
		}
	}
	if n := len(s.lines); n != 0 {
		t.Fatalf("the server has made %d connections more", n)
	}
}
