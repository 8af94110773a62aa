package lwm2m_test

import (
	"bytes"
	"context"
	stdtls "crypto/tls"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/net/dtls"
	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/net/tls"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
)

// The first refusal by the network shows at once, and the second ends the attempt.
func TestRefusalShowsAtOnce(t *testing.T) {
	inWorld(t, 0, func(w *world) {
		cfg := w.config()
		cfg.Servers = []lwm2m.Server{{URI: "coap://nobody", Lifetime: time.Hour}}
		var log bytes.Buffer
		cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
		w.net.NewHost("nobody")
		w.start(cfg)
		s := w.wantState(1, lwm2m.StateRegistering)
		if !errors.Is(s.Err, socket.ErrRefused) || s.Err.Error() != "no response yet: 198.18.0.2:5683 refuses datagrams" {
			t.Errorf("status %v", s)
		}
		<-time.After(4 * time.Second) // the first retransmission
		s = w.wantState(1, lwm2m.StateError)
		if !errors.Is(s.Err, socket.ErrRefused) || s.Attempts != 1 || s.Plan != "next attempt" {
			t.Errorf("status %v", s)
		}
		w.shutdown()
		if text := "refuses datagrams"; !strings.Contains(log.String(), text) {
			t.Errorf("the log lacks %q:\n%s", text, log.String())
		}
	})
}

// logTimes records when something is logged.
type logTimes struct {
	slog.Handler
	mu    sync.Mutex
	start time.Time
	lines []loggedLine
}

type loggedLine struct {
	after time.Duration
	text  string
}

func newLogTimes() *logTimes { return &logTimes{Handler: slog.DiscardHandler, start: time.Now()} }

func (h *logTimes) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelInfo }
func (h *logTimes) WithAttrs([]slog.Attr) slog.Handler           { return h }
func (h *logTimes) Handle(_ context.Context, r slog.Record) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	text := r.Message
	r.Attrs(func(a slog.Attr) bool { text += " " + a.String(); return true })
	h.lines = append(h.lines, loggedLine{time.Since(h.start), text})
	return nil
}

// first returns when text was logged first.
func (h *logTimes) first(text string) (time.Duration, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, l := range h.lines {
		if strings.Contains(l.text, text) {
			return l.after, true
		}
	}
	return 0, false
}

// signCase is a server that cannot be registered at, and the first sign of that.
type signCase struct {
	name, uri string
	listen    func(*testing.T, *simnet.Host)
	sign      time.Duration // when the first sign arrives
	text      string        // of the line in the log and of Status
	ends      time.Duration // when the attempt has ended, 0 where only a time-out ends it
	is        error         // of the attempt that has ended; may be nil
}

func onPort[L any](t *testing.T, l L, err error) L {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// signCases are the table of TestSignsShow. A refused datagram is repeated after 2 to 3 s (RFC 7252
// §4.2), a ClientHello after 1 s (RFC 6347 §4.2.4.1), and a refused stream after 1 s.
func signCases() []signCase {
	nobody := func(*testing.T, *simnet.Host) {}
	plainAtSecurePort := func(t *testing.T, h *simnet.Host) {
		d, err := h.Listen(5684)
		s, errStream := h.ListenStream(5684)
		serverOn(t, onPort(t, d, err), onPort(t, s, errStream))
	}
	secure := func(port uint16, key string) func(t *testing.T, h *simnet.Host) {
		return func(t *testing.T, h *simnet.Host) {
			below, err := h.Listen(port)
			l, errDTLS := dtls.Listen(onPort(t, below, err), withKey(key))
			serverOn(t, onPort(t, l, errDTLS))
			stream, err := h.ListenStream(port)
			authority := newCA(t)
			l, errTLS := tls.Listen(onPort(t, stream, err), &stdtls.Config{
				Certificates: []stdtls.Certificate{authority.server()}, ClientCAs: authority.pool(),
				ClientAuth: stdtls.RequireAndVerifyClientCert,
			})
			serverOn(t, onPort(t, l, errTLS))
		}
	}
	unknown := func(t *testing.T, h *simnet.Host) {
		below, err := h.Listen(5684)
		l, errDTLS := dtls.Listen(onPort(t, below, err), dtls.ServerConfig{
			Key: func([]byte) (socket.Secret, error) { return socket.Secret{}, errors.New("unknown identity") },
		})
		serverOn(t, onPort(t, l, errDTLS))
	}
	refused := func(port, what string) string { return "no response yet: " + port + " refuses " + what }
	return []signCase{
		{"UDP, nobody", "coap://s", nobody, 0, refused("198.18.0.1:5683", "datagrams"), 3 * time.Second, socket.ErrRefused},
		{"DTLS, nobody", "coaps://s", nobody, 0, refused("198.18.0.1:5684", "datagrams"), time.Second, socket.ErrRefused},
		{"TCP, nobody", "coap+tcp://s", nobody, 0, refused("s:5683", "connections"), time.Second, socket.ErrRefused},
		{"TLS, nobody", "coaps+tcp://s", nobody, 0, refused("s:5684", "connections"), time.Second, socket.ErrRefused},
		{"UDP to a DTLS port", "coap://s:5684", secure(5684, "key"), 3 * time.Second, "no response yet from 198.18.0.1:5684; a server for coaps does not answer coap", 0, nil},
		{"DTLS to a UDP port", "coaps://s", plainAtSecurePort, time.Second, "198.18.0.1:5684: no answer to ClientHello: perhaps it is no DTLS server", 0, nil},
		{"DTLS, wrong key", "coaps://s", secure(5684, "another"), time.Second, "no answer to Finished, often a wrong key", 0, nil},
		{"DTLS, unknown identity", "coaps://s", unknown, 0, "198.18.0.1:5684: handshake: peer sent alert", 0, nil},
		{"TCP to a TLS port", "coap+tcp://s:5684", secure(5684, "key"), 0, "before the peer's first message: it may expect TLS (coaps+tcp)", 0, nil},
		{"TLS to a TCP port", "coaps+tcp://s", plainAtSecurePort, 0, "the server speaks CoAP without TLS: its port is one for coap+tcp", 0, nil},
		{"TLS, certificate of another CA", "coaps+tcp://s", secure(5684, "key"), 0, "certificate", 0, nil},
	}
}

// The first sign that an attempt is going wrong is in the log and in Status within two seconds,
// over every transport, and an attempt that is refused ends with the second refusal.
func TestSignsShow(t *testing.T) {
	for _, c := range signCases() {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := simnet.New(1)
				server, device := n.NewHost("s"), n.NewHost("device")
				n.SetName("s", server.Addrs()[0])
				c.listen(t, server)
				authority := newCA(t)
				account := lwm2m.Server{URI: c.uri, Lifetime: time.Hour}
				switch {
				case strings.HasPrefix(c.uri, "coaps:"):
					account.PSK = lwm2m.PSK{Identity: "dev", Key: socket.NewSecret([]byte("key"))}
				case strings.HasPrefix(c.uri, "coaps"):
					account.Certificate = authority.device("dev", authority)
				}
				log := newLogTimes()
				client, err := lwm2m.New(lwm2m.Config{
					Endpoint: "dev", Objects: []dm.Object{newDevice(t)}, Servers: []lwm2m.Server{account},
					Logger:  slog.New(log),
					Dialers: []socket.Dialer{device.Dialer(), device.StreamDialer(), dtls.Dialer{}, tls.Dialer{}},
				})
				if err != nil {
					t.Fatal(err)
				}
				ctx, stop := context.WithCancel(context.Background())
				ended := make(chan error, 1)
				go func() { ended <- client.Run(ctx) }()
				<-time.After(c.sign + 2*time.Second)
				synctest.Wait()
				at, ok := log.first(c.text)
				if !ok || at > c.sign+2*time.Second {
					t.Errorf("logged: %v after %v, want %q within %v; all: %v", ok, at, c.text, c.sign+2*time.Second, log.lines)
				}
				s, _ := client.Status().Server(1)
				if s.Err == nil || s.State.Registered() {
					t.Errorf("status %v", s)
				}
				if c.ends == 0 && c.sign > 0 && !strings.Contains(s.Err.Error(), c.text) {
					t.Errorf("status %v, want %q", s, c.text)
				}
				if c.ends > 0 {
					<-time.After(c.ends)
					synctest.Wait()
					s, _ = client.Status().Server(1)
					if s.State != lwm2m.StateError || s.Attempts != 1 || s.Next.IsZero() || !errors.Is(s.Err, c.is) {
						t.Errorf("status %v", s)
					}
					if s.Err != nil && (strings.Count(s.Err.Error(), "refuse") != 1 || strings.Count(s.Err.Error(), "connect ") > 1) {
						t.Errorf("the error repeats itself: %v", s.Err)
					}
				}
				t.Log(at, s)
				stop()
				if err := <-ended; err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// A sign of a handshake that succeeds after all shows in no later state.
func TestSignEndsWithHandshake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := simnet.New(1)
		if err := n.SetDefaultLink(linkDelay(900 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		below, err := n.NewHost("s").Listen(5684)
		l, errDTLS := dtls.Listen(onPort(t, below, err), withKey("key"))
		serverOn(t, onPort(t, l, errDTLS))
		var mu sync.Mutex
		var seen []lwm2m.ServerStatus
		log := newLogTimes()
		client, err := lwm2m.New(lwm2m.Config{
			Endpoint: "dev", Objects: []dm.Object{newDevice(t)}, Logger: slog.New(log),
			Servers: []lwm2m.Server{{URI: "coaps://s", Lifetime: time.Hour,
				PSK: lwm2m.PSK{Identity: "dev", Key: socket.NewSecret([]byte("key"))}}},
			Dialers: []socket.Dialer{n.NewHost("device").Dialer(), dtls.Dialer{}},
			OnStatus: func(s lwm2m.ServerStatus) {
				mu.Lock()
				defer mu.Unlock()
				seen = append(seen, s)
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- client.Run(ctx) }()
		<-time.After(time.Minute)
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if _, ok := log.first("no answer to ClientHello"); !ok {
			t.Error("the slow handshake is not in the log")
		}
		registered := false
		for _, s := range seen {
			registered = registered || s.State.Registered()
			if s.Err != nil && strings.Contains(s.Err.Error(), "no answer") {
				t.Errorf("status %v", s)
			}
		}
		if !registered {
			t.Errorf("it never registered: %v", seen)
		}
	})
}

// A server that is silent shows when the first transmission is lost, not when the last one is.
func TestSilenceShowsSoon(t *testing.T) {
	for _, uri := range []string{"coap://s1", "coap+tcp://s1"} {
		inWorld(t, 1, func(w *world) {
			cfg := w.config()
			cfg.Servers[0].URI = uri
			w.servers[0].silent()
			w.start(cfg)
			w.servers[0].next()
			<-time.After(3 * time.Second)
			if s := w.wantState(1, lwm2m.StateRegistering); s.Err == nil || !strings.HasPrefix(s.Err.Error(), "no response yet from 198.18.0.1:5683") {
				t.Errorf("status %v", s)
			}
			w.servers[0].answers(nil)
			if uri == "coap://s1" {
				w.servers[0].next()
				if s := w.wantState(1, lwm2m.StateRegistered); s.Err != nil {
					t.Errorf("status %v", s)
				}
			}
		})
	}
}

// What a De-register was slow in does not show as the reason of what follows it.
func TestReasonAfterSlowDeregister(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		c := w.start(w.config())
		srv := w.servers[0]
		srv.next()
		w.wantState(1, lwm2m.StateRegistered)
		srv.silent()
		w.must(c.Disable(1, 0))
		srv.next()
		<-time.After(30 * time.Minute)
		w.wantState(1, lwm2m.StateDeregistered)
		srv.silent()
		w.must(c.Enable(1))
		if s := w.wantState(1, lwm2m.StateReregistering); s.Err != nil {
			t.Errorf("status %v", s)
		}
	})
}

// A refusal is an answer: "no response yet" does not outlive it.
func TestReasonAfterSlowRefusal(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		w.slowLink(2 * time.Second)
		w.servers[0].answers(func(r request) answer {
			if r.has("lwm2m=1.2") {
				return answer{code: coap.PreconditionFailed}
			}
			return answer{}
		})
		w.start(w.config())
		for r := w.servers[0].next(); !r.has("lwm2m=1.1"); r = w.servers[0].next() {
		}
		if s := w.wantState(1, lwm2m.StateRegistering); s.Err != nil && strings.Contains(s.Err.Error(), "no answer") {
			t.Errorf("status %v", s)
		}
	})
}
