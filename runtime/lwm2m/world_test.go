package lwm2m_test

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/objects/security"
	"github.com/lwm2mgen/toolkit/runtime/objects/server"
)

// own returns a configuration with an account 1 that the application has made itself.
func own(w *world) (lwm2m.Config, *security.Object, *server.Object) {
	cfg := w.config()
	sec, srv := accounts(w.t, 1)
	cfg.Servers = nil
	cfg.Objects = append(cfg.Objects, sec, srv)
	return cfg, sec, srv
}

// seen returns the states since the last call.
func (w *world) seen() []lwm2m.State {
	var all []lwm2m.State
	for len(w.states) > 0 {
		all = append(all, (<-w.states).State)
	}
	return all
}

func linkDelay(d time.Duration) simnet.Link { return simnet.Link{Delay: d} }

// world is one device, one network and the servers "s1", "s2", ...
type world struct {
	t       *testing.T
	net     *simnet.Network
	host    *simnet.Host
	servers []*rdServer
	client  *lwm2m.Client
	states  chan lwm2m.ServerStatus
	stop    context.CancelFunc
	ended   chan error
}

// inWorld runs fn in a bubble with a network and n servers.
func inWorld(t *testing.T, n int, fn func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, net: simnet.New(1), states: make(chan lwm2m.ServerStatus, 10000)}
		for i := range n {
			w.servers = append(w.servers, newServer(t, w.net, "s"+string(rune('1'+i))))
		}
		w.host = w.net.NewHost("device")
		t.Cleanup(w.shutdown)
		fn(w)
	})
}

// config returns the configuration of a device with one account for each server.
func (w *world) config() lwm2m.Config {
	c := lwm2m.Config{
		Endpoint: "dev",
		Dialers:  []socket.Dialer{w.host.Dialer(), w.host.StreamDialer()},
		Objects:  []dm.Object{newDevice(w.t)},
		Logger:   slog.New(slog.DiscardHandler),
		OnStatus: func(s lwm2m.ServerStatus) { w.states <- s },
	}
	for i := range w.servers {
		c.Servers = append(c.Servers, lwm2m.Server{URI: "coap://s" + string(rune('1'+i)), Lifetime: time.Hour})
	}
	return c
}

// start makes a client and runs it.
func (w *world) start(c lwm2m.Config) *lwm2m.Client {
	w.t.Helper()
	client, err := lwm2m.New(c)
	if err != nil {
		w.t.Fatal(err)
	}
	w.run(client)
	return client
}

// run runs a client until the end of the test.
func (w *world) run(client *lwm2m.Client) {
	ctx, stop := context.WithCancel(context.Background())
	w.client, w.stop, w.ended = client, stop, make(chan error, 1)
	go func() { w.ended <- client.Run(ctx) }()
}

// shutdown shuts the client down and fails if something of it is left.
func (w *world) shutdown() {
	w.t.Helper()
	if w.client == nil {
		return
	}
	w.stop()
	if err := <-w.ended; err != nil {
		w.t.Errorf("Run: %v", err)
	}
	select {
	case <-w.client.Done():
	default:
		w.t.Error("Run has returned, but the client is not done")
	}
	if st := w.client.Status(); !st.Closed || len(w.client.Sockets()) != 0 || w.client.Sched().Len() != 0 {
		w.t.Errorf("left behind: status %+v, %d sockets, %d jobs", st, len(w.client.Sockets()), w.client.Sched().Len())
	}
	w.client = nil
}

// status returns the status of an account.
func (w *world) status(short lwm2m.ShortServerID) lwm2m.ServerStatus {
	w.t.Helper()
	synctest.Wait()
	s, ok := w.client.Status().Server(short)
	if !ok {
		w.t.Fatalf("there is no server %d in %+v", short, w.client.Status())
	}
	return s
}

// wantState fails unless the account is in state want.
func (w *world) wantState(short lwm2m.ShortServerID, want lwm2m.State) lwm2m.ServerStatus {
	w.t.Helper()
	s := w.status(short)
	if s.State != want {
		w.t.Fatalf("state of server %d is %v, want %v (%v)", short, s.State, want, s)
	}
	return s
}

// update sets a resource, as the application.
func (w *world) update(p dm.Path, v dm.Value) {
	w.t.Helper()
	t, err := w.client.Model().Begin(context.Background(), dm.Application)
	if err != nil {
		w.t.Fatal(err)
	}
	defer t.Rollback()
	if err := t.Write(p, dm.Update, []dm.Entry{{Path: p, Value: v}}); err != nil {
		w.t.Fatal(err)
	}
	if err := t.Commit(); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) execute(p dm.Path) {
	w.t.Helper()
	err := w.client.Model().Snapshot().Execute(clientContext(w.client), dm.Server(1), p, dm.Args{})
	if err != nil {
		w.t.Fatal(err)
	}
}

// sockets returns the client's sockets.
func (w *world) sockets() []*lwm2m.Socket {
	w.t.Helper()
	got := make(chan []*lwm2m.Socket, 1)
	w.client.Sched().Post(func() { got <- w.client.Sockets() })
	return <-got
}

func clientContext(c *lwm2m.Client) context.Context { return lwm2m.ContextOf(c) }

// slowLink delays every datagram by d.
func (w *world) slowLink(d time.Duration) {
	w.t.Helper()
	if err := w.net.SetDefaultLink(linkDelay(d)); err != nil {
		w.t.Fatal(err)
	}
}

// must fails the test on an error.
func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}
