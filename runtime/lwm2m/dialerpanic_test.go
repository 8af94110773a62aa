package lwm2m_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	genserver "github.com/lwm2mgen/toolkit/generated/server"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/objects/security"
	"github.com/lwm2mgen/toolkit/runtime/objects/server"
)

// A faultyDialer calls a function before it makes a socket, and before a socket connects.
type faultyDialer struct {
	socket.Dialer
	create, connect func()
}

func (d *faultyDialer) NewSocket(c socket.Config) (socket.Socket, error) {
	d.create()
	s, err := d.Dialer.NewSocket(c)
	return &faultySocket{s, d}, err
}

type faultySocket struct {
	socket.Socket
	d *faultyDialer
}

func (s *faultySocket) Abilities() socket.Abilities { return socket.Detect(s.Socket) }

func (s *faultySocket) Connect(ctx context.Context, to socket.Endpoint) error {
	s.d.connect()
	return s.Socket.Connect(ctx, to)
}

// recovering runs a client until the end of the test, in a program that recovers around its loop.
// It returns a function for the panics so far.
func (w *world) recovering(c *lwm2m.Client) func() string {
	var mu sync.Mutex
	var panics []string
	turn := func() error {
		defer func() {
			if v := recover(); v != nil {
				mu.Lock()
				panics = append(panics, fmt.Sprint(v))
				mu.Unlock()
			}
		}()
		return c.ServeAny(context.Background(), time.Second)
	}
	w.client, w.stop, w.ended = c, c.Shutdown, make(chan error, 1)
	go func() {
		var err error
		for done := false; !done && err == nil; {
			select {
			case <-c.Done():
				done = true
			default:
				err = turn()
			}
		}
		w.ended <- err
	}()
	return func() string {
		mu.Lock()
		defer mu.Unlock()
		return strings.Join(panics, " | ")
	}
}

// once returns a function that calls how the nth time it is called.
func once(nth int, how func()) func() {
	n := 0
	return func() {
		if n++; n == nth {
			how()
		}
	}
}

// A dialer that panics, on the loop or on the goroutine of an attempt, or ends that goroutine,
// fails the attempt. The panic reaches the program's loop or the log, and the account registers
// later.
func TestPanicsOfDialers(t *testing.T) {
	broken := func() { panic("broken dialer") }
	never := func() {}
	for name, d := range map[string]struct {
		create, connect func()
		state           lwm2m.State
		panics          bool
	}{
		"panic in NewSocket": {broken, never, lwm2m.StateInvalid, true},
		"panic in Connect":   {never, broken, lwm2m.StateError, true},
		"Goexit in Connect":  {never, runtime.Goexit, lwm2m.StateError, false},
	} {
		for _, recovers := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, recovered %v", name, recovers), func(t *testing.T) {
				inWorld(t, 1, func(w *world) {
					cfg := w.config()
					cfg.RecoverPanics = recovers
					// New makes the first socket.
					cfg.Dialers = []socket.Dialer{&faultyDialer{w.host.Dialer(), once(2, d.create), once(1, d.connect)}}
					c, err := lwm2m.New(cfg)
					must(t, err)
					panics := w.recovering(c)
					if s := w.wantState(1, d.state); !strings.Contains(s.Err.Error(), "panicked") {
						t.Errorf("status %v", s)
					}
					if got := panics(); strings.Contains(got, "broken dialer") != (d.panics && !recovers) {
						t.Errorf("the loop panics with %q", got)
					}
					must(t, c.Register(1))
					w.servers[0].within(time.Second)
					w.wantState(1, lwm2m.StateRegistered)
				})
			})
		}
	}
}

// A hook of the Server object, or a store, that panics when the client stores an alert keeps
// neither the writer slot nor the shutdown.
func TestPanicsWhileAlertIsStored(t *testing.T) {
	for _, where := range []string{"Commit", "Changed", "Persist"} {
		for _, recovers := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, recovered %v", where, recovers), func(t *testing.T) {
				inWorld(t, 1, func(w *world) {
					running := false
					fault := once(1, func() { panic("broken code") })
					at := func(here string) error {
						if running && here == where {
							fault()
						}
						return nil
					}
					cfg, d := secured(w)
					cfg.RecoverPanics = recovers
					cfg.Persist = func(context.Context, dm.Committed) error { return at("Persist") }
					sec, err := security.New(security.Config{})
					must(t, err)
					srv, err := server.New(server.Config{Hooks: server.Hooks{
						Commit:  func(context.Context, *genserver.Tx) error { return at("Commit") },
						Changed: func(context.Context, *genserver.Tx) { _ = at("Changed") },
					}})
					must(t, err)
					cfg.Servers[0].ShortID = 1
					s, v, err := cfg.Servers[0].Instances()
					must(t, err)
					must(t, sec.Add(0, s))
					must(t, srv.Add(0, v))
					cfg.Servers, cfg.Objects = nil, append(cfg.Objects, sec, srv)
					d.set(socket.NewSession, &socket.AlertError{
						Level: socket.AlertFatal, Description: socket.AlertUnknownPSKIdentity, Received: true,
					})
					c, err := lwm2m.New(cfg)
					must(t, err)
					running = true
					panics := w.recovering(c)
					<-time.After(time.Second)
					if got := panics(); strings.Contains(got, "broken code") == recovers {
						t.Errorf("the loop panics with %q", got)
					}
					d.set(socket.NewSession, nil)
					w.update(dm.ResourcePath(1, 0, 1), dm.IntegerValue(50))
					w.servers[0].next()
					w.wantState(1, lwm2m.StateRegistered)
				})
			})
		}
	}
}

// A function behind a resource of the Server object that panics while the client reads its accounts
// counts as no value: the client goes on, and the panic reaches the loop or the log.
func TestPanicsWhileAccountsAreRead(t *testing.T) {
	for _, recovers := range []bool{false, true} {
		t.Run(fmt.Sprint("recovered ", recovers), func(t *testing.T) {
			inWorld(t, 1, func(w *world) {
				ctx := context.Background()
				sec, _ := accounts(t, 1)
				srv, err := server.New(server.Config{Hooks: server.Hooks{
					Commit: func(context.Context, *genserver.Tx) error { return nil },
				}})
				must(t, err)
				var broken atomic.Bool
				i := server.Template()
				i.ShortServerID, i.Lifetime, i.Binding = dm.Int(1), dm.Int(3600), dm.Str("U")
				i.NotificationStoringWhenDisabledOrOffline = dm.Bool(true)
				i.CommunicationRetryTimer = dm.Func(func(context.Context) (uint64, error) {
					if broken.Load() {
						panic("broken function")
					}
					return 60, nil
				})
				must(t, srv.Add(1, i))
				cfg := w.config()
				cfg.Servers, cfg.RecoverPanics, cfg.Objects = nil, recovers, append(cfg.Objects, sec, srv)
				c, err := lwm2m.New(cfg)
				must(t, err)
				panics := w.recovering(c)
				w.wantState(1, lwm2m.StateRegistered)
				broken.Store(true)
				must(t, srv.Update(ctx, 1, func(i *server.Instance) error { i.Lifetime.Set(7200); return nil }))
				<-time.After(10 * time.Second)
				broken.Store(false)
				if got := panics(); strings.Contains(got, "broken function") == recovers {
					t.Errorf("the loop panics with %q", got)
				}
				if s := w.wantState(1, lwm2m.StateRegistered); s.Lifetime != 2*time.Hour {
					t.Errorf("status %v", s)
				}
			})
		})
	}
}
