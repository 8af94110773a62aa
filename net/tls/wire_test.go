package tls

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
)

// gate is the sending half of a socket that accepts no data while it is shut.
type gate struct {
	socket.Socket
	mu   sync.Mutex
	shut bool
	sent string
}

func (g *gate) Send(p []byte) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut {
		return socket.ErrBusy
	}
	g.sent += string(p)
	return nil
}

func (g *gate) set(shut bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = shut
}

func (g *gate) want(t *testing.T, sent string) {
	t.Helper()
	synctest.Wait()
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.sent != sent {
		t.Errorf("%q was sent, want %q", g.sent, sent)
	}
}

func write(t *testing.T, w *wire, s string) {
	t.Helper()
	if n, err := w.Write([]byte(s)); n != len(s) || err != nil {
		t.Fatalf("Write: %d, %v", n, err)
	}
}

// Data that a busy socket did not accept is sent when it accepts data again, without a further
// call.
func TestWireTriesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{shut: true}
		w := &wire{below: g}
		write(t, w, "a")
		<-time.After(time.Minute)
		write(t, w, "b")
		g.want(t, "")
		g.set(false)
		<-time.After(busyPause)
		g.want(t, "ab")
		if n := w.pending(); n != 0 {
			t.Errorf("%d bytes are pending", n)
		}
	})
}

// A stopped wire sends nothing until it is resumed, even if the socket below has another
// connection.
func TestWireStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{shut: true}
		w := &wire{below: g}
		write(t, w, "a")
		w.stop()
		g.set(false)
		write(t, w, "b") // by a concurrent Send
		<-time.After(time.Minute)
		g.want(t, "")
		w.resume()
		<-time.After(busyPause)
		g.want(t, "ab")
	})
}

// The data that is held belongs to a message that is not complete.
func TestWireHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{shut: true}
		w := &wire{below: g}
		write(t, w, "a")
		w.hold()
		write(t, w, "b")
		g.set(false)
		<-time.After(time.Minute)
		g.want(t, "")
		if err := w.flush(); err != nil {
			t.Error(err)
		}
		g.want(t, "ab")
	})
}
