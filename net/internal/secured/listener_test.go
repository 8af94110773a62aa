package secured_test

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/lwm2mgen/toolkit/net/internal/secured"
	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
)

func TestListenerBoundsHandshakesAndWaitsForThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := simnet.New(1)
		below, err := n.NewHost("server").Listen(5684)
		if err != nil {
			t.Fatal(err)
		}
		var l secured.Listener
		l.Init(below)
		began := 0
		for l.BeginHandshake() {
			began++
		}
		if began != secured.MaxPending {
			t.Errorf("%d handshakes began", began)
		}
		l.EndHandshake()
		ended := false
		l.Serve(func(s socket.Socket) {
			l.Go(func() {
				defer func() { ended = true }()
				if !l.BeginHandshake() {
					t.Error("no handshake begins after one has ended")
				}
				<-l.Ctx.Done()
				l.Offer(s) // too late: it is closed
			})
		})
		s, remote, err := socket.Open([]socket.Dialer{n.NewHost("device").Dialer()}, "coap://server:5684", socket.Config{})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if err := s.Connect(t.Context(), remote); err != nil {
			t.Fatal(err)
		}
		if err := s.Send([]byte("hello")); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		unblocked := false
		if err := l.CloseWith(func() { unblocked = true }); err != nil || !unblocked || !ended {
			t.Errorf("Close: %v, unblock called: %v, goroutine ended: %v", err, unblocked, ended)
		}
		if _, err := l.Accept(t.Context()); !errors.Is(err, socket.ErrClosed) {
			t.Errorf("Accept after Close: %v", err)
		}
	})
}
