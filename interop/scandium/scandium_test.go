package scandium

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/interop/internal/authority"
	"github.com/lwm2mgen/toolkit/interop/internal/relay"
	"github.com/lwm2mgen/toolkit/net/socket"
)

// TestConnectionID: the device's port changes during a connection, and the connection continues
// after Shutdown, also in another socket that shares only the store. There is one handshake.
func TestConnectionID(t *testing.T) {
	for _, length := range []int{1, 6} {
		t.Run(fmt.Sprint(length), func(t *testing.T) {
			server := start(t, length)
			nat := relay.New(t, server.port)
			sec := psk()
			sec.Sessions = &socket.MemorySessions{}
			s := client(t, sec)
			mustConnect(t, s, nat.Endpoint(), socket.NewSession)
			echo(t, s, "first")
			if seen := nat.Take(); seen.KeyExchanges != 1 || seen.WithCID == 0 {
				t.Fatalf("a full handshake: %+v", seen)
			}
			server.said(t, 1)
			for i := range 3 {
				nat.Rebind()
				echo(t, s, fmt.Sprint("after rebinding ", i))
			}
			for i := range 3 {
				if err := socket.Detect(s).Shutdowner.Shutdown(); err != nil {
					t.Fatal(err)
				}
				nat.Rebind()
				s = client(t, sec)
				mustConnect(t, s, nat.Endpoint(), socket.ConnectionIDResumed)
				echo(t, s, fmt.Sprint("after restart ", i))
			}
			if seen := nat.Take(); seen.Handshake != 0 || seen.WithCID < 6 {
				t.Errorf("after the handshake: %+v", seen)
			}
			if nat.Ports() != 7 {
				t.Errorf("the server has seen %d ports", nat.Ports())
			}
			server.said(t, 0)
		})
	}
}

// TestResumption: if the device offers no Connection ID, there are abbreviated handshakes.
func TestResumption(t *testing.T) {
	server := start(t, 6)
	nat := relay.New(t, server.port)
	sec := psk()
	sec.NoConnectionID, sec.Sessions = true, &socket.MemorySessions{}
	s := client(t, sec)
	mustConnect(t, s, nat.Endpoint(), socket.NewSession)
	echo(t, s, "first")
	full := nat.Take()
	if full.KeyExchanges != 1 || full.WithCID != 0 {
		t.Fatalf("a full handshake: %+v", full)
	}
	for i := range 3 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = client(t, sec)
		mustConnect(t, s, nat.Endpoint(), socket.SessionResumed)
		echo(t, s, fmt.Sprint("resumed ", i))
		if seen := nat.Take(); seen.KeyExchanges != 0 || seen.Handshake == 0 || seen.Handshake >= full.Handshake {
			t.Errorf("an abbreviated handshake: %+v, a full one: %+v", seen, full)
		}
	}
}

// TestWrongKeys: the server is silent if the key or the identity is wrong.
func TestWrongKeys(t *testing.T) {
	server := start(t, 6)
	to := socket.Endpoint{Host: "127.0.0.1", Port: server.port}
	for text, change := range map[string]func(*socket.Security){
		"the key is probably wrong":  func(s *socket.Security) { s.Key = socket.NewSecret([]byte("another")) },
		"or the identity is unknown": func(s *socket.Security) { s.Identity = []byte("nobody") },
	} {
		t.Run(text, func(t *testing.T) {
			sec := psk()
			sec.HandshakeMin, sec.HandshakeMax = 100*time.Millisecond, 800*time.Millisecond
			change(&sec)
			err := connect(t, client(t, sec), to)
			if !errors.Is(err, socket.ErrTimeout) || !strings.Contains(err.Error(), text) {
				t.Fatal(err)
			}
			t.Log(err)
		})
	}
}

// TestCertificates: every fault of a certificate has the right effect.
func TestCertificates(t *testing.T) {
	for _, c := range []struct {
		name     string
		change   func(t *testing.T, a *authority.Authority, s *socket.Security)
		until    time.Duration
		alert    socket.Alert // zero: any
		received bool
		text     string // empty: it works
	}{
		{"good", nil, time.Hour, 0, false, ""},
		{"wrong host name", func(_ *testing.T, _ *authority.Authority, s *socket.Security) { s.ServerName = "elsewhere.example" },
			time.Hour, socket.AlertBadCertificate, false, "elsewhere.example"},
		{"untrusted", func(t *testing.T, _ *authority.Authority, s *socket.Security) {
			s.TrustStore = authority.New(t, "another CA").Pool()
		}, time.Hour, socket.AlertUnknownCA, false, "no way from there"},
		{"no common suite", func(_ *testing.T, _ *authority.Authority, s *socket.Security) {
			s.CipherSuites = []socket.CipherSuite{0xc030} // RSA only
		}, time.Hour, 0, true, "no ciphersuite in common"},
		{"missing client certificate", func(t *testing.T, _ *authority.Authority, s *socket.Security) {
			own := authority.New(t, "another CA").Device(t)
			s.Certificates, s.PrivateKey = own.Certificates, own.PrivateKey
		}, time.Hour, 0, true, "of a CA that ours is not from"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := authority.New(t, "CA")
			cert, own := a.Issue(t, c.until, "server.example")
			sec := a.Device(t)
			if c.change != nil {
				c.change(t, a, &sec)
			}
			server := start(t, 6, a.Bundle(t, cert, own), a.CAFile(t))
			nat := relay.New(t, server.port)
			s := client(t, sec)
			err := connect(t, s, nat.Endpoint())
			if c.text == "" {
				if err != nil {
					t.Fatal(err)
				}
				echo(t, s, "hello")
				nat.Rebind()
				echo(t, s, "from another port")
				return
			}
			var alert *socket.AlertError
			if !errors.As(err, &alert) || alert.Received != c.received || c.alert != 0 && alert.Description != c.alert || !strings.Contains(err.Error(), c.text) {
				t.Fatalf("error %v", err)
			}
			t.Log(err)
		})
	}
}
