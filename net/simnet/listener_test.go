package simnet_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
)

func TestListenerClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := simnet.New(1)
		h := n.NewHost("server")
		for _, listen := range []func(uint16) (socket.Listener, error){h.Listen, h.ListenStream} {
			l, err := listen(5683)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := listen(5683); !errors.Is(err, socket.ErrAddressInUse) || !strings.Contains(err.Error(), "5683") || strings.Contains(err.Error(), "invalid") {
				t.Errorf("second listener: %v", err)
			}
			go func() {
				<-time.After(time.Second)
				_ = l.Close()
			}()
			if s, err := l.Accept(t.Context()); s != nil || !errors.Is(err, socket.ErrClosed) {
				t.Errorf("Accept on a closed listener: %v, %v", s, err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			l, err = listen(5683)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := l.Accept(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("cancelled Accept: %v", err)
			}
			_ = l.Close()
		}
	})
}
