package libcoapdtls

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
)

// TestRestarts: a device that restarts without a close_notify resumes its session from its store,
// from another port. With a server that has restarted, and so has lost its sessions, the same
// attempt ends in a full handshake, and the socket says so. With OpenSSL and GnuTLS libcoap has no
// Connection IDs.
func TestRestarts(t *testing.T) {
	for _, name := range servers() {
		t.Run(name, func(t *testing.T) {
			port := freePorts(t) + 1
			kill := startServer(t, name, port)
			sec := psk()
			sec.Sessions, sec.HandshakeMin = &socket.MemorySessions{}, 100*time.Millisecond
			resumed := socket.SessionResumed
			if strings.HasSuffix(name, "gnutls") { // libcoap configures it to keep no sessions
				resumed = socket.NewSession
			}
			id := byte(0)
			connect := func(want socket.Resumption) socket.Socket {
				t.Helper()
				s, err := dial(t, sec, port)
				if err != nil {
					t.Fatal(err)
				}
				if got := socket.Detect(s).Session.Resumption(); got != want {
					t.Fatalf("the connection is a %s, want a %s", got, want)
				}
				id++
				if err := exchange(s, id); err != nil {
					t.Fatal(err)
				}
				return s
			}
			s := connect(socket.NewSession)
			for range 2 { // the device restarts
				if err := socket.Detect(s).Shutdowner.Shutdown(); err != nil {
					t.Fatal(err)
				}
				s = connect(resumed)
			}
			kill()
			startServer(t, name, port)
			// Another device waits until the server listens.
			other := sec
			other.Identity, other.Sessions = []byte("device-2"), nil
			if _, err := dial(t, other, port); err != nil {
				t.Fatal(err)
			}
			err := s.Send(get(0x40))
			if err == nil {
				s.SetRecvDeadline(time.Now().Add(500 * time.Millisecond))
				_, err = s.Recv(make([]byte, 1500))
			}
			if !errors.Is(err, socket.ErrTimeout) && !errors.Is(err, socket.ErrRefused) {
				t.Fatalf("a request over the lost session: %v", err)
			}
			t.Logf("a request over the lost session: %v", err)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			// The first handshake cannot ask for a Connection ID, so the second does and is a full
			// one.
			_ = connect(socket.NewSession).Close()
			_ = connect(socket.NewSession).Close()
			_ = connect(resumed).Close()
		})
	}
}
