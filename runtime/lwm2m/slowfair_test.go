package lwm2m_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/generated/temperature"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// Slow reads of one server delay those of another by the time of one read, not of all.
func TestSlowFunctionsTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const each, many = 500 * time.Millisecond, 60
		things, err := temperature.New(temperature.Config{})
		if err == nil {
			err = things.Add(0, temperature.Instance{SensorValue: dm.Slow(func(context.Context) (float64, error) {
				<-time.After(each)
				return 1, nil
			})})
		}
		if err != nil {
			t.Fatal(err)
		}
		d := newDuo(t, things)
		a, b := d.servers[0].WaitRegistered("dev"), d.servers[1].WaitRegistered("dev")
		var all sync.WaitGroup
		for range many {
			all.Go(func() {
				if ans, err := a.Read(t.Context(), "/3303/0/5700", content.Text); err != nil || ans.Code != coap.Content {
					t.Errorf("a reads %v, %v", ans.Code, err)
				}
			})
		}
		<-time.After(time.Millisecond)
		synctest.Wait()
		for range 3 {
			start := time.Now()
			if ans, err := b.Read(t.Context(), "/3303/0/5700", content.Text); err != nil || ans.Code != coap.Content {
				t.Fatalf("b reads %v, %v", ans.Code, err)
			}
			if d := time.Since(start); d > 2*each+50*time.Millisecond {
				t.Errorf("a Read of the other server takes %v", d)
			}
		}
		all.Wait()
	})
}
