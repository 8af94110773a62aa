package lwm2m_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/lwm2mgen/toolkit/generated/setpoint"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
)

// The objects of a program may live before the client does: they may change while New runs, over an
// empty store and over one that is restored.
func TestObjectsChangeDuringNew(t *testing.T) {
	inLives(t, false, func(l *lives) {
		stored := "21"
		for range 20 {
			cfg, goals := l.withGoals()
			stop, written := atomic.Bool{}, atomic.Int64{}
			var wg sync.WaitGroup
			wg.Go(func() {
				for !stop.Load() {
					v := written.Load() + 1
					err := goals.Update(context.Background(), 0, func(i *setpoint.Instance) error {
						i.SetPointValue = dm.Float(float64(v))
						return nil
					})
					if err == nil {
						written.Store(v)
					} else if !errors.Is(err, dm.ErrBusy) {
						t.Error(err)
						return
					}
				}
			})
			c, err := lwm2m.New(cfg)
			must(t, err)
			stop.Store(true)
			wg.Wait()
			// What the store holds replaces what the program has written before.
			value, last := valuesOf(goals)[0], dm.FloatValue(float64(written.Load())).String()
			if value != last && value != stored {
				t.Errorf("the value is %s, the program has written %s, and the store held %s", value, last, stored)
			}
			stored = value
			l.run(c)
			synctest.Wait()
			l.detach()
		}
	})
}
