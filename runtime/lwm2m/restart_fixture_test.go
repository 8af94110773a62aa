package lwm2m_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/net/dtls"
	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
	"github.com/lwm2mgen/toolkit/runtime/store"
)

// memStore is a store in memory, which outlives clients. A failing one accepts nothing, as that of
// a process which was killed.
type memStore struct {
	mu      sync.Mutex
	records map[string][]byte
	fails   error
	batches int
}

func (s *memStore) Apply(changes ...store.Change) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fails != nil {
		return s.fails
	}
	s.batches++
	for _, c := range changes {
		if c.Delete {
			delete(s.records, c.Name)
		} else {
			s.records[c.Name] = slices.Clone(c.Value)
		}
	}
	return nil
}

func (s *memStore) Load(prefix string, f func(name string, value []byte) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(s.records)) {
		if strings.HasPrefix(name, prefix) {
			if err := f(name, s.records[name]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *memStore) Close() error { return nil }

func (s *memStore) names(prefix string) []string {
	var names []string
	_ = s.Load(prefix, func(name string, _ []byte) error { names = append(names, name); return nil })
	return names
}

func (s *memStore) fail(err error) {
	s.mu.Lock()
	s.fails = err
	s.mu.Unlock()
}

// lives is a device that starts several times over one store, and a server.
type lives struct {
	t      *testing.T
	net    *simnet.Network
	host   *simnet.Host
	server *lwm2mtest.Server
	uri    string
	psk    lwm2m.PSK
	store  *memStore
	client *lwm2m.Client
	stop   context.CancelFunc
	ended  chan error
}

var errKilled = errors.New("the process is killed")

// inLives runs fn in a bubble with a server, over DTLS with a Connection ID if secured.
func inLives(t *testing.T, secured bool, fn func(l *lives)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := &lives{t: t, net: simnet.New(1), store: &memStore{records: map[string][]byte{}}, uri: "coap://s"}
		l.host = l.net.NewHost("device")
		port := uint16(5683)
		if secured {
			port, l.uri = 5684, "coaps://s"
			l.psk = lwm2m.PSK{Identity: "dev", Key: socket.NewSecret([]byte("0123456789abcdef"))}
		}
		listener, err := l.net.NewHost("s").Listen(port)
		if err != nil {
			t.Fatal(err)
		}
		if secured {
			cfg := withKey("0123456789abcdef")
			cfg.ConnectionIDLength = 8
			if listener, err = dtls.Listen(listener, cfg); err != nil {
				t.Fatal(err)
			}
		}
		l.server = lwm2mtest.NewServer(t, listener)
		t.Cleanup(l.shutdown)
		fn(l)
	})
}

// config returns a configuration of the device. The objects are made again for each client.
func (l *lives) config() lwm2m.Config {
	return lwm2m.Config{
		Endpoint: "dev", Objects: []dm.Object{newDevice(l.t)}, Logger: quiet(), BootID: "boot-1",
		Servers: []lwm2m.Server{{URI: l.uri, PSK: l.psk, Lifetime: time.Hour}},
		Dialers: []socket.Dialer{l.host.Dialer(), dtls.Dialer{}},
		Store:   l.store,
	}
}

func (l *lives) start(cfg lwm2m.Config) *lwm2m.Client {
	l.t.Helper()
	c, err := lwm2m.New(cfg)
	if err != nil {
		l.t.Fatal(err)
	}
	return l.run(c)
}

// run runs a client.
func (l *lives) run(c *lwm2m.Client) *lwm2m.Client {
	ctx, stop := context.WithCancel(context.Background())
	l.client, l.stop, l.ended = c, stop, make(chan error, 1)
	go func() { l.ended <- c.Run(ctx) }()
	return c
}

func (l *lives) wait() {
	l.t.Helper()
	if err := <-l.ended; err != nil {
		l.t.Errorf("Run: %v", err)
	}
	l.stop()
	l.client = nil
}

// detach ends the client in order, without a De-register.
func (l *lives) detach() {
	l.t.Helper()
	l.client.Detach()
	l.wait()
}

// kill ends the client so that neither the store nor the network hears of it.
func (l *lives) kill() {
	l.t.Helper()
	l.store.fail(errKilled)
	l.host.SetDown(true)
	l.stop()
	l.wait()
	l.host.SetDown(false)
	l.store.fail(nil)
}

func (l *lives) shutdown() {
	if l.client != nil {
		l.stop()
		l.wait()
	}
}

// since returns the requests of the device since a number of them, as "POST /rd".
func (l *lives) since(n int) []string {
	synctest.Wait()
	var all []string
	for _, r := range l.server.Requests()[n:] {
		all = append(all, strings.SplitN(r.String(), "?", 2)[0])
	}
	return all
}
