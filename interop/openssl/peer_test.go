package openssl

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/net/dtls"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/net/tcp"
	"github.com/lwm2mgen/toolkit/net/tls"
	"github.com/lwm2mgen/toolkit/net/udp"
)

const patience = 10 * time.Second

// program is a running openssl.
type program struct {
	in   io.WriteCloser
	kill func()
	mu   sync.Mutex
	out  strings.Builder
	new  chan struct{}
}

// start runs openssl until the end of the test.
func start(t *testing.T, args ...string) *program {
	t.Helper()
	path, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("there is no openssl program: on Debian: apt-get install openssl")
	}
	cmd := exec.Command(path, args...)
	p := &program{new: make(chan struct{}, 1)}
	if p.in, err = cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for r := bufio.NewReader(out); ; {
			line, err := r.ReadString('\n')
			p.mu.Lock()
			p.out.WriteString(line)
			p.mu.Unlock()
			select {
			case p.new <- struct{}{}:
			default:
			}
			if err != nil {
				return
			}
		}
	}()
	p.kill = sync.OnceFunc(func() {
		_ = cmd.Process.Kill()
		<-done
		_ = cmd.Wait()
	})
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("openssl %s\n%s", strings.Join(args, " "), p.said())
		}
	})
	return p
}

func (p *program) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.String()
}

// expect waits until openssl has printed text.
func (p *program) expect(t *testing.T, text string) {
	t.Helper()
	timeout := time.After(patience)
	for !strings.Contains(p.said(), text) {
		select {
		case <-p.new:
		case <-timeout:
			t.Fatalf("openssl did not say %q", text)
		}
	}
}

// freePort finds a port that is free for the network.
func freePort(t *testing.T, network string) uint16 {
	t.Helper()
	if network == "udp" {
		c, err := net.ListenPacket("udp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return uint16(c.LocalAddr().(*net.UDPAddr).Port)
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return uint16(l.Addr().(*net.TCPAddr).Port)
}

// server runs s_server and returns its endpoint.
func server(t *testing.T, network string, args ...string) (*program, socket.Endpoint) {
	t.Helper()
	at := socket.Endpoint{Host: "127.0.0.1", Port: freePort(t, network)}
	return serverAt(t, at, args...), at
}

// serverAt runs s_server at an endpoint.
func serverAt(t *testing.T, at socket.Endpoint, args ...string) *program {
	t.Helper()
	p := start(t, append([]string{"s_server", "-accept", "127.0.0.1:" + strconv.Itoa(int(at.Port))}, args...)...)
	p.expect(t, "ACCEPT")
	return p
}

// client makes a socket of the toolkit.
func client(t *testing.T, network string, sec socket.Security) socket.Socket {
	t.Helper()
	var d socket.Dialer = dtls.Dialer{Below: udp.Dialer{}}
	if network == "tcp" {
		d = tls.Dialer{Below: tcp.Dialer{}}
	}
	s, err := d.NewSocket(socket.Config{Security: sec})
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

// talk sends a line in each direction.
func talk(t *testing.T, s socket.Socket, p *program, text string) {
	t.Helper()
	if err := s.Send([]byte(text + " from the device\n")); err != nil {
		t.Fatal(err)
	}
	p.expect(t, text+" from the device")
	if _, err := io.WriteString(p.in, text+" from openssl\n"); err != nil {
		t.Fatal(err)
	}
	receive(t, s, text+" from openssl\n")
}

func receive(t *testing.T, s socket.Socket, want string) {
	t.Helper()
	s.SetRecvDeadline(time.Now().Add(patience))
	buf := make([]byte, 200)
	n, err := s.Recv(buf)
	if err != nil || string(buf[:n]) != want {
		t.Fatalf("received %q, %v; want %q", buf[:n], err, want)
	}
}

func isAlert(err error, a socket.Alert, received bool) bool {
	var e *socket.AlertError
	return errors.As(err, &e) && e.Description == a && e.Received == received
}

// accept accepts the connection of an s_client, on which both sides then send a greeting.
func accept(t *testing.T, l socket.Listener, p *program) socket.Socket {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s, err := l.Accept(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if _, err := p.in.Write([]byte("hello from openssl\n")); err != nil {
		t.Fatal(err)
	}
	receive(t, s, "hello from openssl\n")
	if err := s.Send([]byte("hello from the listener\n")); err != nil {
		t.Fatal(err)
	}
	p.expect(t, "hello from the listener")
	return s
}
