package lwm2m_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/generated/setpoint"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/store"
)

// failingOnce is a store of which one call fails.
type failingOnce struct {
	*memStore
	at int // the one that fails
	n  int
}

func (s *failingOnce) call() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.n++; s.n == s.at {
		return errFull
	}
	return nil
}

func (s *failingOnce) Apply(changes ...store.Change) error {
	if err := s.call(); err != nil {
		return err
	}
	return s.memStore.Apply(changes...)
}

func (s *failingOnce) Load(prefix string, fn func(string, []byte) error) error {
	if err := s.call(); err != nil {
		return err
	}
	return s.memStore.Load(prefix, fn)
}

// startOver starts the device, a second time if New says that the store has failed.
func (l *lives) startOver(s *failingOnce) *setpoint.Object {
	l.t.Helper()
	for {
		cfg, goals := l.withGoals()
		cfg.Store = s
		c, err := lwm2m.New(cfg)
		switch {
		case err == nil:
			l.run(c)
			time.Sleep(5 * time.Second)
			return goals
		case !errors.Is(err, errFull) || !strings.Contains(err.Error(), "Config.Store"):
			l.t.Fatal(err)
		}
	}
}

// A life in which any one call of the store fails: New says so, or the device lives on. What was
// acknowledged is there after a restart, and what was refused is not.
func TestStoreFailsAtEveryCall(t *testing.T) {
	for at := 1; ; at++ {
		calls := 0
		t.Run(fmt.Sprint("call ", at), func(t *testing.T) {
			inLives(t, true, func(l *lives) {
				s := &failingOnce{memStore: l.store, at: at}
				goals := l.startOver(s)
				want := map[string]string{"/3308/0/5900": "21"}
				ctx, d := context.Background(), l.server.WaitRegistered("dev")
				if a, err := d.Write(ctx, "/3308/0/5900", content.Text, []byte("30")); err != nil {
					t.Fatal(err)
				} else if a.Code == coap.Changed {
					want["/3308/0/5900"] = "30"
				}
				if a, err := d.Create(ctx, "/3308", content.SenMLJSON, []byte(`[{"n":"/3308/5/5900","v":5}]`)); err != nil {
					t.Fatal(err)
				} else if a.Code == coap.Created {
					want["/3308/5/5900"] = "5"
				}
				if goals.Update(ctx, 0, func(i *setpoint.Instance) error { i.ApplicationType = dm.Str("x"); return nil }) == nil {
					want["/3308/0/5750"] = "x"
				}
				l.client.Suspend()
				time.Sleep(time.Second)
				l.client.Resume()
				time.Sleep(5 * time.Second)
				l.detach()
				l.startOver(s)
				d = l.server.WaitRegistered("dev")
				for path, value := range want {
					if a, err := d.Read(ctx, path, content.Text); err != nil || a.Text() != value {
						t.Errorf("%s is %v (%v), acknowledged was %s", path, a, err, value)
					}
				}
				if a, err := d.Read(ctx, "/3308/5/5900", content.Text); err == nil && a.Code == coap.Content && want["/3308/5/5900"] == "" {
					t.Error("what was refused is there")
				}
				l.detach()
				calls = s.n
			})
		})
		if at > calls || t.Failed() {
			t.Log(calls, "calls")
			return
		}
	}
}
