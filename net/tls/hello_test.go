package tls

import (
	"bytes"
	"context"
	stdtls "crypto/tls"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
)

// TestServerNameIndication: the Server Name Indication is the configured name or the host, and
// never an address.
func TestServerNameIndication(t *testing.T) {
	for _, c := range []struct{ name, host, want string }{
		{"", "server.example", "server.example"},
		{"server.example", "198.18.0.2", "server.example"},
		{"", "198.18.0.2", ""},
		{"198.18.0.2", "server.example", ""},
		{"2001:db8::2", "server.example", ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			a := newAuthority(t)
			a.server = a.ca.Issue(t, []string{"server.example", "198.18.0.2", "2001:db8::2"})
			var got []string
			config := a.config()
			config.GetConfigForClient = func(hello *stdtls.ClientHelloInfo) (*stdtls.Config, error) {
				got = append(got, hello.ServerName)
				return nil, nil
			}
			w := newWorld(t, config)
			w.remote.Host = c.host
			sec := a.security()
			sec.ServerName = c.name
			if err := talk(w.socket(t, sec), w.remote); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, []string{c.want}) {
				t.Errorf("%q at %s: the indication is %q, want %q", c.name, c.host, got, c.want)
			}
		})
	}
}

// TestKeyLog: the keys are written if KeyLog is set, in the format that Wireshark reads.
func TestKeyLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(t)
		var log bytes.Buffer
		sec := a.security()
		sec.MaxVersion, sec.KeyLog = stdtls.VersionTLS12, &log
		w := newWorld(t, a.config())
		if err := talk(w.socket(t, sec), w.remote); err != nil {
			t.Fatal(err)
		}
		if words := strings.Fields(log.String()); len(words) != 3 || words[0] != "CLIENT_RANDOM" {
			t.Errorf("the key log is %q", log.String())
		}
	})
}

// TestSilentServer: the error of a handshake that its context ends says how far it came.
func TestSilentServer(t *testing.T) {
	for text, begins := range map[string]bool{"never said anything": false, "fell silent": true} {
		t.Run(text, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newAuthority(t)
				n := simnet.New(1)
				w := &world{device: n.NewHost("device"), remote: socket.Endpoint{Host: "server.example", Port: 5684}}
				below, err := n.NewHost("server.example").ListenStream(5684)
				if err != nil {
					t.Fatal(err)
				}
				defer below.Close()
				if begins {
					go half(below)
				}
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				err = w.socket(t, a.security()).Connect(ctx, w.remote)
				if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), text) {
					t.Errorf("error %v", err)
				}
				t.Log(err)
			})
		})
	}
}

// half sends the beginning of a record.
func half(l socket.Listener) {
	s, err := l.Accept(context.Background())
	if err != nil {
		return
	}
	_ = s.Send([]byte{22, 3, 3, 0, 100, 2})
	buf := make([]byte, 1000)
	for err == nil { // until the device goes away
		_, err = s.Recv(buf)
	}
	_ = s.Close()
}

// TestServerWithoutTLS: the error says what the server speaks instead.
func TestServerWithoutTLS(t *testing.T) {
	for first, want := range map[string]string{
		"\x00\xe1":                 "its port is one for coap+tcp",
		"\xd0\x05\xe1\x25\x00\x01": "its port is one for coap+tcp",
		"\x30\xe5\xffbad":          "its port is one for coap+tcp",
		"HTTP/1.1 400 Bad Request": "the server does not speak TLS",
		"\xf0\xff\xff\xff\xff":     "the server does not speak TLS",
	} {
		synctest.Test(t, func(t *testing.T) {
			n := simnet.New(1)
			l, err := n.NewHost("server.example").ListenStream(5684)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			s := (&world{device: n.NewHost("device")}).socket(t, newAuthority(t).security())
			failed := make(chan error, 1)
			go func() { failed <- s.Connect(t.Context(), socket.Endpoint{Host: "server.example", Port: 5684}) }()
			peer, err := l.Accept(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer peer.Close()
			if err := peer.Send(append([]byte(first), 0, 0, 0)); err != nil {
				t.Fatal(err)
			}
			if err := <-failed; err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%q: %v, want %q", first, err, want)
			}
		})
	}
}
