package openssl

import (
	"errors"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/net/dtls"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/net/udp"
)

// wantSession checks how the session of a connection began.
func wantSession(t *testing.T, s socket.Socket, want socket.Resumption) {
	t.Helper()
	if got := socket.Detect(s).Session.Resumption(); got != want {
		t.Fatalf("the connection is a %s, want a %s", got, want)
	}
}

// TestDTLSRestarts: a device that restarts resumes its session from its store. With a server that
// has restarted, and so has lost its sessions, the same attempt ends in a full handshake, and the
// socket says so. OpenSSL has no Connection IDs for DTLS.
func TestDTLSRestarts(t *testing.T) {
	args := pskArgs("PSK-AES128-CCM8")
	p, at := server(t, "udp", args...)
	sec := psk()
	sec.Sessions = &socket.MemorySessions{}
	s := client(t, "udp", sec)
	if err := connect(t, s, at); err != nil {
		t.Fatal(err)
	}
	wantSession(t, s, socket.NewSession)
	talk(t, s, p, "first")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	s = client(t, "udp", sec) // the device has restarted
	if err := connect(t, s, at); err != nil {
		t.Fatal(err)
	}
	wantSession(t, s, socket.SessionResumed)
	p.expect(t, "Reused session-id")
	talk(t, s, p, "second")

	p.kill()
	p = serverAt(t, at, args...)
	if err := s.Send([]byte("of an unknown session")); err != nil && !errors.Is(err, socket.ErrRefused) {
		t.Fatal(err)
	}
	s.SetRecvDeadline(time.Now().Add(500 * time.Millisecond))
	if n, err := s.Recv(make([]byte, 200)); !errors.Is(err, socket.ErrTimeout) && !errors.Is(err, socket.ErrRefused) {
		t.Fatalf("the new server answers %d bytes, %v", n, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := connect(t, s, at); err != nil {
		t.Fatal(err)
	}
	wantSession(t, s, socket.NewSession)
	talk(t, s, p, "third")
	// The handshake with the restarted server could not ask for a Connection ID, so the next one
	// does and is a full one, too. The one after that resumes.
	for _, want := range []socket.Resumption{socket.NewSession, socket.SessionResumed} {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = client(t, "udp", sec)
		if err := connect(t, s, at); err != nil {
			t.Fatal(err)
		}
		wantSession(t, s, want)
		talk(t, s, p, want.String())
	}
}

// TestDTLSListenerRestarts: s_client resumes its session with the listener. A listener that has
// restarted does not have the session, and makes a new one.
func TestDTLSListenerRestarts(t *testing.T) {
	listen := func(at netip.AddrPort) socket.Listener {
		t.Helper()
		below, err := udp.Listen(at)
		if err != nil {
			t.Fatal(err)
		}
		l, err := dtls.Listen(below, dtls.ServerConfig{Key: func([]byte) (socket.Secret, error) { return psk().Key, nil }})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		return l
	}
	session := filepath.Join(t.TempDir(), "session")
	greet := func(l socket.Listener, want string, args ...string) {
		t.Helper()
		p := start(t, append([]string{"s_client", "-dtls1_2", "-connect", l.Addr().String(), "-psk", pskHex, "-psk_identity", "device-1",
			"-cipher", "PSK-AES128-CCM8:@SECLEVEL=0"}, args...)...)
		s := accept(t, l, p)
		p.expect(t, want)
		p.kill()
		_ = s.Close()
	}
	l := listen(netip.MustParseAddrPort("127.0.0.1:0"))
	at := l.Addr()
	greet(l, "New, TLSv1.2", "-sess_out", session)
	greet(l, "Reused, TLSv1.2", "-sess_in", session)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = listen(at)
	greet(l, "New, TLSv1.2", "-sess_in", session, "-sess_out", session)
	greet(l, "Reused, TLSv1.2", "-sess_in", session)
}
