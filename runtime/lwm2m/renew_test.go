package lwm2m_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
)

// keys is a dialer for coaps over a network without security that records the key of each socket.
type keys struct {
	socket.Dialer
	last atomic.Value
}

func (k *keys) Schemes() []string { return []string{"coaps"} }

func (k *keys) NewSocket(c socket.Config) (socket.Socket, error) {
	k.last.Store(string(c.Security.Key.Bytes()))
	c.Security = socket.Security{}
	return k.Dialer.NewSocket(c)
}

// RenewCredentials connects with the key that Config.Secure sets now, and the device registers
// again.
func TestRenewCredentials(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		cfg, _ := secured(w)
		d := &keys{Dialer: w.host.Dialer()}
		cfg.Dialers = []socket.Dialer{d}
		var key atomic.Value
		key.Store("old")
		cfg.Secure = func(_ lwm2m.Account, s *socket.Security) error {
			s.Key = socket.NewSecret([]byte(key.Load().(string)))
			return nil
		}
		c := w.start(cfg)
		w.servers[0].next()
		w.wantState(1, lwm2m.StateRegistered)
		if got := d.last.Load(); got != "old" {
			t.Errorf("the first connection has the key %q", got)
		}
		key.Store("new")
		<-time.After(time.Minute)
		if got := d.last.Load(); got != "old" {
			t.Errorf("before the call, the connection has the key %q", got)
		}
		c.RenewCredentials()
		if r := w.servers[0].within(time.Minute); r.path != "/rd" {
			t.Errorf("%v, want a POST to /rd", r)
		}
		w.wantState(1, lwm2m.StateRegistered)
		if got := d.last.Load(); got != "new" {
			t.Errorf("after the call, the connection has the key %q", got)
		}
	})
}
