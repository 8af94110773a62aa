package lwm2m_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
)

// sessions is a dialer for coaps over a network without security. The test decides whether its
// sockets connect, and whether they resume a session.
type sessions struct {
	socket.Dialer
	mu         sync.Mutex
	resumption socket.Resumption
	fail       error
	mum        bool // the sockets cannot tell whether a session was resumed
	broken     error
	ended      []string
}

// breaks makes the next datagram that arrives end the connection with an error.
func (d *sessions) breaks(why error) {
	d.mu.Lock()
	d.broken = why
	d.mu.Unlock()
}

// ends returns how connections were ended since the last call.
func (d *sessions) ends() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	how := strings.Join(d.ended, " ")
	d.ended = nil
	return how
}

func (d *sessions) end(how string) {
	d.mu.Lock()
	d.ended = append(d.ended, how)
	d.mu.Unlock()
}

func (d *sessions) Schemes() []string { return []string{"coaps"} }

func (d *sessions) NewSocket(c socket.Config) (socket.Socket, error) {
	c.Security = socket.Security{}
	s, err := d.Dialer.NewSocket(c)
	return &sessionSocket{s, d}, err
}

func (d *sessions) set(r socket.Resumption, fail error) {
	d.mu.Lock()
	d.resumption, d.fail = r, fail
	d.mu.Unlock()
}

type sessionSocket struct {
	socket.Socket
	d *sessions
}

func (s *sessionSocket) Connect(ctx context.Context, to socket.Endpoint) error {
	s.d.mu.Lock()
	fail := s.d.fail
	s.d.mu.Unlock()
	if fail != nil {
		return fail
	}
	return s.Socket.Connect(ctx, to)
}

func (s *sessionSocket) Recv(p []byte) (int, error) {
	n, err := s.Socket.Recv(p)
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	if broken := s.d.broken; err == nil && broken != nil {
		s.d.broken = nil
		return 0, broken
	}
	return n, err
}

func (s *sessionSocket) Shutdown() error {
	s.d.end("shutdown")
	return socket.Detect(s.Socket).Shutdowner.Shutdown()
}

func (s *sessionSocket) Close() error {
	s.d.end("close")
	return s.Socket.Close()
}

func (s *sessionSocket) Resumption() socket.Resumption {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	return s.d.resumption
}

func (s *sessionSocket) Abilities() socket.Abilities {
	a := socket.Detect(s.Socket)
	a.Shutdowner = s
	if !s.d.mum {
		a.Session = s
	}
	return a
}

func secured(w *world) (lwm2m.Config, *sessions) {
	cfg := w.config()
	d := &sessions{Dialer: w.host.Dialer()}
	cfg.Dialers = []socket.Dialer{d}
	cfg.Servers[0].URI = "coaps://s1:5683"
	cfg.Servers[0].PSK = lwm2m.PSK{Identity: "dev", Key: socket.NewSecret([]byte("hunter2"))}
	return cfg, d
}

// After a connection by its Connection ID the client sends an Update, and after a new session a
// Register. Config says which of the two follows an abbreviated handshake.
func TestResumption(t *testing.T) {
	for _, keeps := range []bool{false, true} {
		inWorld(t, 1, func(w *world) {
			cfg, d := secured(w)
			cfg.ResumptionKeepsRegistration = keeps
			c := w.start(cfg)
			srv := w.servers[0]
			srv.next()
			if s := w.wantState(1, lwm2m.StateRegistered); s.Secured != "new session" {
				t.Errorf("status %+v", s)
			}
			const register, update = "/rd", "/rd/5a3f"
			resumed := map[bool]string{false: register, true: update}[keeps]
			for _, step := range []struct {
				how  socket.Resumption
				want string
			}{{socket.SessionResumed, resumed}, {socket.ConnectionIDResumed, update}, {socket.NewSession, register}} {
				d.set(step.how, nil)
				c.Suspend()
				w.wantState(1, lwm2m.StateSuspended)
				c.Resume()
				if r := srv.within(time.Second); r.path != step.want {
					t.Errorf("after %v: %v, want a POST to %s", step.how, r, step.want)
				}
				if s := w.wantState(1, lwm2m.StateRegistered); s.Secured != step.how.String() {
					t.Errorf("status %+v", s)
				}
			}
		})
	}
}

// If a secured network cannot tell whether a session was resumed, the client sends a Register.
func TestUnknownResumption(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		cfg, d := secured(w)
		d.mum = true
		c := w.start(cfg)
		srv := w.servers[0]
		srv.next()
		w.wantState(1, lwm2m.StateRegistered)
		c.Suspend()
		w.wantState(1, lwm2m.StateSuspended)
		c.Resume()
		if r := srv.within(time.Second); r.path != "/rd" {
			t.Errorf("%v, want a POST to /rd", r)
		}
	})
}

// An alert of the server is stored in /1/x/11, and the status shows it.
func TestReceivedAlertIsStored(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		cfg, d := secured(w)
		alert := &socket.AlertError{Level: socket.AlertFatal, Description: socket.AlertUnknownPSKIdentity,
			Received: true}
		d.set(socket.NewSession, alert)
		c := w.start(cfg)
		if s := w.wantState(1, lwm2m.StateError); !errors.Is(s.Err, alert) || !strings.Contains(s.String(), "unknown") {
			t.Errorf("status %v", s)
		}
		<-time.After(time.Second)
		v, err := c.Model().Snapshot().Value(context.Background(), dm.Server(1), dm.ResourcePath(1, 0, 11))
		if err != nil || v.Unsigned() != 115 {
			t.Errorf("/1/0/11 is %v (%v), want 115", v, err)
		}
		d.set(socket.NewSession, nil)
		w.servers[0].next()
		w.wantState(1, lwm2m.StateRegistered)
	})
}

// An alert of the server that ends a connection is stored, too. An alert that the device has sent
// is not.
func TestAlertEndsConnection(t *testing.T) {
	for _, received := range []bool{true, false} {
		inWorld(t, 1, func(w *world) {
			cfg, d := secured(w)
			c := w.start(cfg)
			w.servers[0].next()
			w.wantState(1, lwm2m.StateRegistered)
			<-time.After(time.Minute)
			alert := &socket.AlertError{Level: socket.AlertFatal, Description: socket.AlertUnknownPSKIdentity,
				Received: received}
			d.breaks(alert)
			if err := c.Update(1); err != nil { // the response arrives
				t.Fatal(err)
			}
			w.servers[0].next()
			<-time.After(time.Second)
			v, err := c.Model().Snapshot().Value(context.Background(), dm.Server(1), dm.ResourcePath(1, 0, 11))
			if got := err == nil && v.Unsigned() == 115; got != received {
				t.Errorf("received %v: /1/0/11 is %v (%v)", received, v, err)
			}
			w.wantState(1, lwm2m.StateRegistered)
		})
	}
}

// An account without /1/x/11 stores no alert.
func TestAlertWithoutResource(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		cfg, d := secured(w)
		var mu sync.Mutex
		var log bytes.Buffer
		cfg.Logger = slog.New(slog.NewTextHandler(writer(func(p []byte) { mu.Lock(); log.Write(p); mu.Unlock() }), nil))
		cfg.Servers[0].Instance = func(i *lwm2m.ServerInstance) { i.TLSAlertCode = dm.Res[uint64]{} }
		d.set(socket.NewSession, &socket.AlertError{Level: socket.AlertFatal,
			Description: socket.AlertUnknownPSKIdentity, Received: true})
		w.start(cfg)
		w.wantState(1, lwm2m.StateError)
		mu.Lock()
		defer mu.Unlock()
		if strings.Contains(log.String(), "could not be stored") {
			t.Errorf("the client tried to store it: %s", log.String())
		}
	})
}

// Suspend keeps the security session, and the shutdown closes the connection.
func TestSuspendKeepsSession(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		cfg, d := secured(w)
		c := w.start(cfg)
		w.servers[0].next()
		w.wantState(1, lwm2m.StateRegistered)
		d.ends() // of the socket that New has made
		c.Suspend()
		w.wantState(1, lwm2m.StateSuspended)
		if got := d.ends(); got != "shutdown" {
			t.Errorf("the connection was ended by %q", got)
		}
		c.Resume()
		w.servers[0].next()
		w.wantState(1, lwm2m.StateRegistered)
		w.shutdown()
		if got := d.ends(); !strings.HasPrefix(got, "close") {
			t.Errorf("the connection was ended by %q", got)
		}
	})
	inWorld(t, 1, func(w *world) {
		cfg, d := secured(w)
		c := w.start(cfg)
		w.servers[0].next()
		w.wantState(1, lwm2m.StateRegistered)
		c.Suspend()
		w.wantState(1, lwm2m.StateSuspended)
		d.ends()
		w.shutdown()
		if got := d.ends(); got != "close" {
			t.Errorf("offline, the connection was ended by %q", got)
		}
	})
}

// Changes of the state are logged with reasons and without secrets.
func TestStateChangesAreLogged(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		cfg, d := secured(w)
		var mu sync.Mutex
		var b bytes.Buffer
		cfg.Logger = slog.New(slog.NewTextHandler(writer(func(p []byte) { mu.Lock(); b.Write(p); mu.Unlock() }),
			&slog.HandlerOptions{Level: slog.LevelDebug}))
		d.set(socket.NewSession, socket.ErrUnreachable)
		w.start(cfg)
		w.wantState(1, lwm2m.StateError)
		d.set(socket.NewSession, nil)
		w.servers[0].next()
		w.wantState(1, lwm2m.StateRegistered)
		w.shutdown()
		text := b.String()
		for _, want := range []string{
			`msg="registration state" server=1 endpoint=dev from=connecting to=error reason="network unreachable"`,
			`plan="next attempt"`, "to=registered", `to=de-registered reason="lwm2m: the client is shut down"`,
			`level=WARN msg="registration state" server=1 endpoint=dev from=connecting to=error`,
			`level=INFO msg="registration state" server=1 endpoint=dev from=registered to=de-registering`,
			`msg="server added" server=1`, `msg="server removed" server=1`,
		} {
			if !strings.Contains(text, want) {
				t.Errorf("the log lacks %s", want)
			}
		}
		if strings.Contains(text, "hunter2") {
			t.Error("the log shows the key")
		}
		if t.Failed() {
			t.Log(text)
		}
	})
}

type writer func([]byte)

func (w writer) Write(p []byte) (int, error) {
	w(p)
	return len(p), nil
}

// loggers is a sessions dialer that records the logger of the last socket.
type loggers struct {
	*sessions
	with *slog.Logger
}

func (l *loggers) NewSocket(c socket.Config) (socket.Socket, error) {
	l.with = c.Logger
	return l.sessions.NewSocket(c)
}

// An attempt does not end by several refusals at once, which can be forged: the retransmission must
// be refused, too.
func TestRefusalsAtOnce(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		cfg, d := secured(w)
		srv := w.servers[0]
		srv.silent()
		w.start(cfg)
		srv.next()
		for range 3 {
			d.breaks(socket.ErrRefused)
			a := socket.Detect(w.sockets()[0].Net()).Addresses
			w.net.Inject(a.RemoteAddr(), a.LocalAddr(), []byte{0})
			synctest.Wait()
			<-time.After(100 * time.Millisecond)
		}
		if s := w.wantState(1, lwm2m.StateRegistering); !errors.Is(s.Err, socket.ErrRefused) {
			t.Errorf("status %v", s)
		}
	})
}
