package secured_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/lwm2mgen/toolkit/net/internal/secured"
	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
)

// recorder is a protocol without any protection, whose links record what is asked of them.
type recorder struct {
	secured.Socket[*fakeLink]
	establish func(ctx context.Context, t secured.Target) error
	calls     []string
}

func (r *recorder) Name() string { return "FAKE" }

func (r *recorder) TryNext(err error) bool { return errors.Is(err, socket.ErrRefused) }

func (r *recorder) Forget(socket.Endpoint) error { return nil }

func (r *recorder) Establish(ctx context.Context, t secured.Target) (*fakeLink, error) {
	if err := r.establish(ctx, t); err != nil {
		return nil, err
	}
	return &fakeLink{owner: r, buffered: true}, nil
}

func (r *recorder) Send(p []byte) error        { return r.Below.Send(p) }
func (r *recorder) Recv(p []byte) (int, error) { return r.Below.Recv(p) }
func (r *recorder) InnerMTU() int              { return r.Below.InnerMTU() }
func (r *recorder) called(what string)         { r.calls = append(r.calls, what) }
func (r *recorder) expect(t *testing.T, want ...string) {
	t.Helper()
	if !slices.Equal(r.calls, want) {
		t.Errorf("calls of the links: %v, want %v", r.calls, want)
	}
	r.calls = nil
}

type fakeLink struct {
	owner    *recorder
	buffered bool
}

func (l *fakeLink) Resumption() socket.Resumption { return socket.SessionResumed }
func (l *fakeLink) HasBuffered() bool             { return l.buffered }
func (l *fakeLink) Suspend()                      { l.owner.called("suspend") }
func (l *fakeLink) Resume()                       { l.owner.called("resume") }
func (l *fakeLink) Supersede()                    { l.owner.called("supersede") }
func (l *fakeLink) Cancel()                       { l.owner.called("cancel") }
func (l *fakeLink) Close()                        { l.owner.called("close") }

func (l *fakeLink) Shutdown() error {
	l.owner.called("shutdown")
	return errStore
}

var errStore = errors.New("the store is full")

// run calls f in a bubble with a socket over simnet and a host name of two addresses.
func run(t *testing.T, f func(t *testing.T, r *recorder, remote socket.Endpoint)) {
	synctest.Test(t, func(t *testing.T) {
		n := simnet.New(1)
		device, first, second := n.NewHost("device"), n.NewHost("first"), n.NewHost("second")
		n.SetName("server.example", first.Addrs()[0], second.Addrs()[0])
		below, err := device.Dialer().NewSocket(socket.Config{})
		if err != nil {
			t.Fatal(err)
		}
		r := &recorder{establish: func(context.Context, secured.Target) error { return nil }}
		r.Init(r, below)
		f(t, r, socket.Endpoint{Host: "server.example", Port: 5684})
		_ = r.Close()
	})
}

func TestConnectTriesTheNextAddressWhereThatMayHelp(t *testing.T) {
	run(t, func(t *testing.T, r *recorder, remote socket.Endpoint) {
		var tried []string
		r.establish = func(_ context.Context, to secured.Target) error {
			tried = append(tried, to.Addr.String())
			if len(tried) == 1 {
				return fmt.Errorf("first: %w", socket.ErrRefused)
			}
			return nil
		}
		ready := 0
		r.NotifyReadable(func() { ready++ })
		if err := r.Connect(t.Context(), remote); err != nil || r.State() != socket.StateConnected {
			t.Fatalf("Connect: %v, state %v", err, r.State())
		}
		if len(tried) != 2 || tried[0] == tried[1] {
			t.Errorf("tried %v", tried)
		}
		if ready == 0 {
			t.Error("what came with the handshake is not announced")
		}
		if r.Resumption() != socket.SessionResumed {
			t.Errorf("resumption: %v", r.Resumption())
		}
		if err := r.Connect(t.Context(), remote); !errors.Is(err, socket.ErrConnected) {
			t.Errorf("second Connect: %v, want ErrConnected", err)
		}
	})
	run(t, func(t *testing.T, r *recorder, remote socket.Endpoint) {
		count := 0
		r.establish = func(context.Context, secured.Target) error {
			count++
			return errors.New("no such identity")
		}
		if err := r.Connect(t.Context(), remote); err == nil || count != 1 {
			t.Errorf("%d attempts, error %v", count, err)
		}
		if r.State() != socket.StateClosed || r.Below.State() != socket.StateClosed {
			t.Errorf("states %v and %v", r.State(), r.Below.State())
		}
	})
}

func TestLinkStaysWhenThereIsNoOtherAddress(t *testing.T) {
	run(t, func(t *testing.T, r *recorder, remote socket.Endpoint) {
		if err := r.Connect(t.Context(), remote); err != nil {
			t.Fatal(err)
		}
		if err := r.ConnectNext(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.expect(t, "suspend", "supersede")
		if err := r.ConnectNext(t.Context()); !errors.Is(err, socket.ErrAddressNotFound) {
			t.Fatalf("third address of two: %v", err)
		}
		r.expect(t, "suspend", "resume")
		if _, open := r.Link(); !open || r.State() != socket.StateConnected {
			t.Errorf("open %v, state %v", open, r.State())
		}
	})
}

func TestCloseEndsAConnectInProgress(t *testing.T) {
	run(t, func(t *testing.T, r *recorder, remote socket.Endpoint) {
		r.establish = func(ctx context.Context, _ secured.Target) error {
			<-ctx.Done()
			return nil // it was complete at the last moment
		}
		result := make(chan error, 1)
		go func() { result <- r.Connect(t.Context(), remote) }()
		synctest.Wait()
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		if err := <-result; !errors.Is(err, socket.ErrClosed) {
			t.Errorf("Connect: %v, want ErrClosed", err)
		}
		r.expect(t, "cancel")
		if r.State() != socket.StateClosed {
			t.Errorf("state %v", r.State())
		}
	})
}

func TestShutdownReportsTheStoreAndKeepsTheState(t *testing.T) {
	run(t, func(t *testing.T, r *recorder, remote socket.Endpoint) {
		if err := r.Shutdown(); !errors.Is(err, socket.ErrClosed) {
			t.Errorf("Shutdown of a closed socket: %v", err)
		}
		if err := r.Connect(t.Context(), remote); err != nil {
			t.Fatal(err)
		}
		if err := r.Shutdown(); !errors.Is(err, errStore) || r.State() != socket.StateShutdown {
			t.Errorf("Shutdown: %v, state %v", err, r.State())
		}
		r.expect(t, "shutdown")
		ctx, cancel := context.WithCancel(t.Context())
		r.establish = func(context.Context, secured.Target) error {
			cancel()
			return context.Canceled
		}
		if err := r.Connect(ctx, remote); !errors.Is(err, context.Canceled) || r.State() != socket.StateShutdown {
			t.Errorf("Connect: %v, state %v, want that of before", err, r.State())
		}
	})
}

func TestAbilitiesAreThoseOfTheSocketBelow(t *testing.T) {
	run(t, func(t *testing.T, r *recorder, _ socket.Endpoint) {
		a := socket.Detect(r)
		if a.Session == nil || a.Shutdowner == nil || a.Addresses == nil || a.Notifier == nil || a.Handle != nil || a.Buffered != nil || a.Backlog != nil {
			t.Errorf("abilities: %+v", a)
		}
		var accepted recorder
		accepted.InitAccepted(&accepted, r.Below, &fakeLink{owner: &accepted})
		if a := socket.Detect(&accepted); a.Shutdowner != nil || a.Session == nil {
			t.Errorf("abilities of an accepted socket: %+v", a)
		}
		if err := accepted.Connect(t.Context(), socket.Endpoint{}); !errors.Is(err, socket.ErrNotSupported) {
			t.Errorf("Connect of an accepted socket: %v", err)
		}
	})
}
