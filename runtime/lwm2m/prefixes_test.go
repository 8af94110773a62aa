package lwm2m_test

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mserver"
	"github.com/lwm2mgen/toolkit/runtime/store"
)

// recordedStore is a memStore that records the batches.
type recordedStore struct {
	memStore
	log [][]store.Change
}

func (s *recordedStore) Apply(changes ...store.Change) error {
	if err := s.memStore.Apply(changes...); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var batch []store.Change
	for _, c := range changes {
		c.Value = slices.Clone(c.Value)
		batch = append(batch, c)
	}
	s.log = append(s.log, batch)
	return nil
}

func (s *recordedStore) batches() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.log)
}

// A device starts from whatever a loss of power leaves: package store leaves the batches up to one
// of them, and this test starts a client over each such beginning of a life with a bootstrap, with
// writes, a Detach and a restart. What was acknowledged before is there, and the two values of a
// bootstrap or of a write are never different.
func TestStartAfterEveryBatch(t *testing.T) {
	inLives(t, false, func(l *lives) {
		s := &recordedStore{memStore: memStore{records: map[string][]byte{}}}
		config := func(s store.Store) lwm2m.Config {
			cfg, err := killedConfig(s, l.uri)
			if err != nil {
				t.Fatal(err)
			}
			cfg.Dialers, cfg.BootID = l.config().Dialers, "boot-1"
			return cfg
		}
		type state struct{ bootstraps, writes int }
		now, acked := state{}, map[int]state{} // by the number of batches
		var booted atomic.Int64
		l.server.FindScript(func(string) ([]lwm2mserver.BootstrapStep, bool) {
			n := booted.Add(1)
			lifetime, _ := dm.ParsePath("/1/0/1")
			text, _ := dm.ParsePath("/3308/1/5750")
			return []lwm2mserver.BootstrapStep{
				lwm2mserver.BootstrapWriteValues("/1/0/1", dm.Entry{Path: lifetime, Value: dm.IntegerValue(3600 + n)}),
				lwm2mserver.BootstrapWriteValues("/3308/1/5750", dm.Entry{Path: text, Value: dm.StringValue(fmt.Sprint(3600 + n))}),
				lwm2mserver.BootstrapFinish(),
			}, true
		})
		ctx := context.Background()
		for life := range 3 {
			l.start(config(s))
			time.Sleep(5 * time.Second)
			for range 5 {
				d := l.server.WaitRegistered("dev")
				n := now.writes + 1
				a, err := d.Do(ctx, lwm2mserver.Operation{
					Method: coap.IPATCH, Format: content.SenMLJSON,
					Payload: fmt.Appendf(nil, `[{"n":"/3308/0/5900","v":%d},{"n":"/3308/1/5900","v":%d}]`, n, n),
				})
				changed(t, a, a.Code, coap.Changed, err)
				now.writes = n
				acked[s.batches()] = now
			}
			if err := l.client.RequestBootstrap(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
			if now.bootstraps++; booted.Load() != int64(now.bootstraps) {
				t.Fatalf("%d bootstraps, want %d", booted.Load(), now.bootstraps)
			}
			acked[s.batches()] = now
			if life%2 == 0 {
				l.detach()
			} else {
				l.stop()
				l.wait()
			}
		}
		if s.batches() < 20 {
			t.Fatalf("only %d batches", s.batches())
		}
		last := state{}
		for n := range s.batches() + 1 {
			cut := &memStore{records: map[string][]byte{}}
			for _, batch := range s.log[:n] {
				if err := cut.Apply(batch...); err != nil {
					t.Fatal(err)
				}
			}
			c, err := lwm2m.New(config(cut))
			if err != nil {
				t.Fatalf("after %d batches: %v", n, err)
			}
			if x, ok := acked[n]; ok {
				last = x
			}
			got := func(p string) dm.Value {
				path, _ := dm.ParsePath(p)
				v, _ := c.Model().Snapshot().Value(ctx, dm.Application, path)
				return v
			}
			a, b := got("/3308/0/5900").Float(), got("/3308/1/5900").Float()
			if a != b || int(a) < last.writes || int(a) > last.writes+1 {
				t.Errorf("after %d batches the set points are %v and %v, %d is acknowledged", n, a, b, last.writes)
			}
			boots := int(got("/1/0/1").Integer()) - 3600
			if text := got("/3308/1/5750").Text(); boots < last.bootstraps || boots > last.bootstraps+1 || boots > 0 && text != fmt.Sprint(3600+boots) {
				t.Errorf("after %d batches the bootstrap is %d and %q, %d are acknowledged", n, boots, text, last.bootstraps)
			}
		}
		t.Logf("%d batches", s.batches())
	})
}
