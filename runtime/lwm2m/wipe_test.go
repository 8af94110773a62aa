package lwm2m_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"math/big"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/net/dtls"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
)

// keyKeeper is a dialer that keeps what its sockets have as keys, as somebody would find them in
// memory. A socket that hangs does not return from Connect before it is released.
type keyKeeper struct {
	socket.Dialer
	mu   sync.Mutex
	keys [][]byte

	words [][]big.Word
	hang  chan struct{}
}

func (d *keyKeeper) NewSocket(c socket.Config) (socket.Socket, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.keys = append(d.keys, c.Security.Key.Bytes())
	if k, ok := c.Security.PrivateKey.(*ecdsa.PrivateKey); ok {
		d.words = append(d.words, k.D.Bits())
	}
	c.Security = socket.Security{}
	s, err := d.Dialer.NewSocket(c)
	return &hangingSocket{s, d}, err
}

func (d *keyKeeper) Schemes() []string { return []string{"coaps"} }

type hangingSocket struct {
	socket.Socket
	d *keyKeeper
}

func (s *hangingSocket) Connect(ctx context.Context, to socket.Endpoint) error {
	if s.d.hang != nil {
		<-s.d.hang
	}
	return s.Socket.Connect(ctx, to)
}

// present returns how many of the keys are still in memory. The first ones are of the check in New.
func (d *keyKeeper) present() (n int) {
	synctest.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, k := range d.keys {
		if !bytes.Equal(k, make([]byte, len(k))) {
			n++
		}
	}
	for _, words := range d.words {
		for _, w := range words {
			if w != 0 {
				n++
				break
			}
		}
	}
	return n
}

// inKeptWorld starts a client with a pre-shared key, whose keys are kept.
func inKeptWorld(t *testing.T, hang bool, fn func(w *world, d *keyKeeper)) {
	t.Helper()
	inWorld(t, 1, func(w *world) {
		d := &keyKeeper{Dialer: w.host.Dialer()}
		if hang {
			d.hang = make(chan struct{})
		}
		cfg := w.config()
		cfg.Dialers = []socket.Dialer{d}
		cfg.Servers[0].URI = "coaps://s1:5683"
		cfg.Servers[0].PSK = lwm2m.PSK{Identity: "dev", Key: socket.NewSecret([]byte("the old key"))}
		w.start(cfg)
		time.Sleep(time.Second)
		fn(w, d)
	})
}

// setKey writes another key to the account, as the program.
func setKey(w *world, key string) {
	w.t.Helper()
	w.update(dm.ResourcePath(0, 0, 5), dm.OpaqueValue([]byte(key)))
}

// The copies of a key that the client has made are overwritten as soon as nothing uses them: after
// a rotation, after the removal of the account, and at the end.
func TestOldKeysAreWiped(t *testing.T) {
	for name, act := range map[string]struct {
		do   func(w *world)
		left int // keys in memory afterwards
	}{
		"connected": {func(*world) {}, 1},
		"rotation":  {func(w *world) { setKey(w, "the new key") }, 1},
		"removal":   {func(w *world) { must(w.t, w.client.RemoveServer(context.Background(), 1)) }, 0},
		"shutdown":  {func(w *world) { w.client.Shutdown() }, 0},
		"suspended": {func(w *world) { w.client.Suspend() }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			inKeptWorld(t, false, func(w *world, d *keyKeeper) {
				if n := d.present(); n != 1 {
					t.Fatalf("%d keys are in memory, want that of the connection", n)
				}
				act.do(w)
				time.Sleep(10 * time.Second)
				if n := d.present(); n != act.left {
					t.Errorf("%d keys are in memory, want %d", n, act.left)
				}
				v, err := w.client.Model().Snapshot().Value(context.Background(), dm.Application, dm.ResourcePath(0, 0, 5))
				if name == "connected" && (err != nil || string(v.Opaque()) != "the old key") {
					t.Errorf("the account has %q (%v)", v.Opaque(), err)
				}
			})
		})
	}
}

// A key is not overwritten while a Connect, of which the account knows nothing any more, may use
// it.
func TestKeyOfRunningConnectIsKept(t *testing.T) {
	inKeptWorld(t, true, func(w *world, d *keyKeeper) {
		setKey(w, "the new key")
		time.Sleep(time.Second)
		if n := d.present(); n != 2 {
			t.Errorf("%d keys are in memory, want those of both attempts", n)
		}
		close(d.hang)
		time.Sleep(10 * time.Second)
		if n := d.present(); n != 1 {
			t.Errorf("%d keys are in memory, want the new one", n)
		}
		w.wantState(1, lwm2m.StateRegistered)
	})
}

// The keys of the program are never overwritten: those of Config.Servers, and those that Secure
// sets.
func TestKeysOfTheProgramAreKept(t *testing.T) {
	inLives(t, true, func(l *lives) {
		own := socket.NewSecret([]byte("0123456789abcdef"))
		cfg := l.config()
		cfg.Store = nil
		cfg.Secure = func(_ lwm2m.Account, s *socket.Security) error { s.Key = own; return nil }
		cfg.Dialers = []socket.Dialer{l.host.Dialer(), dtls.Dialer{}}
		l.registered(cfg)
		l.shutdown()
		if string(own.Bytes()) != "0123456789abcdef" || string(l.psk.Key.Bytes()) != "0123456789abcdef" {
			t.Errorf("the keys of the program are %q and %q", own.Bytes(), l.psk.Key.Bytes())
		}
	})
}
