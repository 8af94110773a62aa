package libcoapdtls

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/net/dtls"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/net/udp"
)

func psk() socket.Security {
	return socket.Security{Mode: socket.ModePSK, Identity: []byte("device-1"), Key: socket.NewSecret([]byte("secret key"))}
}

func program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("there is no %s: on Debian: apt-get install libcoap3-bin", name)
	}
	return path
}

// get is a confirmable GET of / (RFC 7252 §3).
func get(id byte) []byte { return []byte{0x40, 0x01, 0, id} }

// libcoapServer runs one of the coap-server programs, with a pre-shared key if no arguments are
// given, and returns its port for DTLS.
func libcoapServer(t *testing.T, name string, args ...string) uint16 {
	t.Helper()
	port := freePorts(t) + 1
	startServer(t, name, port, args...)
	return port
}

// startServer runs one of the coap-server programs at a port for DTLS. kill kills it.
func startServer(t *testing.T, name string, port uint16, args ...string) (kill func()) {
	t.Helper()
	path := program(t, name)
	if len(args) == 0 {
		args = []string{"-k", "secret key", "-h", ""}
	}
	cmd := exec.Command(path, append([]string{"-A", "127.0.0.1", "-p", fmt.Sprint(port - 1)}, args...)...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill = sync.OnceFunc(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	t.Cleanup(func() {
		kill()
		if t.Failed() {
			t.Logf("%s:\n%s", name, out.String())
		}
	})
	return kill
}

// freePorts finds a port that is free for UDP, as is the next.
func freePorts(t *testing.T) uint16 {
	t.Helper()
	for range 100 {
		c, err := net.ListenPacket("udp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := c.LocalAddr().(*net.UDPAddr).Port
		next, err := net.ListenPacket("udp4", fmt.Sprintf("127.0.0.1:%d", port+1))
		_ = c.Close()
		if err == nil {
			_ = next.Close()
			return uint16(port)
		}
	}
	t.Fatal("there are no two free ports")
	return 0
}

func dial(t *testing.T, sec socket.Security, port uint16) (socket.Socket, error) {
	t.Helper()
	s, err := dtls.Dialer{Below: udp.Dialer{}}.NewSocket(socket.Config{Security: sec})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for { // wait until the server listens
		err := s.Connect(ctx, socket.Endpoint{Host: "127.0.0.1", Port: port})
		if !errors.Is(err, socket.ErrRefused) {
			return s, err
		}
	}
}

func TestAgainstServer(t *testing.T) {
	for _, name := range servers() {
		t.Run(name, func(t *testing.T) {
			port := libcoapServer(t, name)
			s, err := dial(t, psk(), port)
			if err != nil {
				t.Fatal(err)
			}
			for round := range byte(3) {
				for i := range byte(5) {
					if err := exchange(s, round*16+i); err != nil {
						t.Fatal(err)
					}
				}
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				if err := s.Connect(context.Background(), socket.Endpoint{Host: "127.0.0.1", Port: port}); err != nil {
					t.Fatal(err)
				}
				want := socket.SessionResumed
				if strings.HasSuffix(name, "gnutls") { // libcoap configures it to keep no sessions
					want = socket.NewSession
				}
				if got := socket.Detect(s).Session.Resumption(); got != want {
					t.Errorf("the connection after Close is a %s", got)
				}
			}
		})
	}
}

// TestWrongKeys: the server has a key for one identity, and another key for all others.
func TestWrongKeys(t *testing.T) {
	keys := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(keys, []byte("hint,device-1,secret key\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range servers() {
		t.Run(name, func(t *testing.T) {
			port := libcoapServer(t, name, "-h", "hint", "-k", "for all others", "-i", keys)
			s, err := dial(t, psk(), port)
			if err == nil {
				err = exchange(s, 1)
			}
			if err != nil {
				t.Fatal(err)
			}
			for what, change := range map[string]func(*socket.Security){
				"key":      func(s *socket.Security) { s.Key = socket.NewSecret([]byte("another")) },
				"identity": func(s *socket.Security) { s.Identity = []byte("device-2") },
			} {
				sec := psk()
				sec.HandshakeMin, sec.HandshakeMax = 100*time.Millisecond, 800*time.Millisecond
				change(&sec)
				_, err := dial(t, sec, port)
				if !errors.Is(err, socket.ErrTimeout) && !isAlert(err) || !strings.Contains(err.Error(), "key") || !strings.Contains(err.Error(), "identity") {
					t.Errorf("wrong %s: %v", what, err)
				}
				t.Log(err)
			}
		})
	}
}

// isAlert reports whether err contains an alert of the peer about keys.
func isAlert(err error) bool {
	var a *socket.AlertError
	return errors.As(err, &a) && a.Received && (a.Description == socket.AlertDecryptError || a.Description == socket.AlertBadRecordMAC)
}

func TestAgainstClient(t *testing.T) {
	path := program(t, "coap-client-openssl")
	below, err := udp.Listen(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	l, err := dtls.Listen(below, dtls.ServerConfig{Key: func([]byte) (socket.Secret, error) { return psk().Key, nil }})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, "-m", "get", "-u", "device-1", "-k", "secret key", "-B", "5", fmt.Sprintf("coaps://%s/", l.Addr()))
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Wait() }()
	s, err := l.Accept(ctx)
	if err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	defer s.Close()
	buf := make([]byte, 1500)
	s.SetRecvDeadline(time.Now().Add(5 * time.Second))
	n, err := s.Recv(buf)
	if err != nil || n < 4 {
		t.Fatalf("%x, %v", buf[:n], err)
	}
	tokenLen := int(buf[0] & 15)
	// An ACK with 2.05.
	answer := append([]byte{0x60 | byte(tokenLen), 0x45, buf[2], buf[3]}, buf[4:4+tokenLen]...)
	if err := s.Send(append(answer, "\xffhello from the listener"...)); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil || !strings.Contains(out.String(), "hello from the listener") {
		t.Fatalf("coap-client: %v\n%s", err, out.String())
	}
	if who, _ := dtls.PeerOf(s); string(who.Identity) != "device-1" {
		t.Errorf("the peer is %q", who.Identity)
	}
}
