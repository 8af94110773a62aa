package lwm2m_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/generated/setpoint"
	"github.com/lwm2mgen/toolkit/generated/temperature"
	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
)

// A server's write runs the Changed hook on the loop. An Update of the hook notifies observers; one
// without the hook's context is refused at once, so that the loop goes on.
func TestChangedHookUpdatesOnTheLoop(t *testing.T) {
	for _, own := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			n := simnet.New(1)
			l, err := n.NewHost("cloud").Listen(5683)
			must(t, err)
			srv := lwm2mtest.NewServer(t, l)
			water, err := temperature.New(temperature.Config{})
			must(t, err)
			must(t, water.Add(0, temperature.Instance{SensorValue: dm.Float(20)}))
			var inner error
			goals, err := setpoint.New(setpoint.Config{Hooks: setpoint.Hooks{Changed: func(ctx context.Context, tx *setpoint.Tx) {
				if _, ok := tx.Origin().ShortServerID(); !ok {
					return
				}
				if !own {
					ctx = context.Background()
				}
				inner = water.Update(ctx, 0, func(i *temperature.Instance) error { i.SensorValue.Set(59); return nil })
			}}})
			must(t, err)
			must(t, goals.Add(0, setpoint.Instance{SetPointValue: dm.Float(21)}))
			stored := 0
			client, err := lwm2m.New(lwm2m.Config{
				Endpoint: "dev", Servers: []lwm2m.Server{{URI: "coap://cloud"}}, Dialers: []socket.Dialer{n.NewHost("device").Dialer()},
				Objects: []dm.Object{newDevice(t), water, goals}, Logger: quiet(),
				Persist: func(context.Context, dm.Committed) error { stored++; return nil },
			})
			must(t, err)
			ctx, stop := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- client.Run(ctx) }()
			defer func() { stop(); must(t, <-ended) }()
			dev := srv.WaitRegistered("dev")
			obs, _, err := dev.Observe(t.Context(), "/3303/0/5700", content.Text)
			must(t, err)

			began := time.Now()
			ans, err := dev.Write(t.Context(), "/3308/0/5900", content.Text, []byte("60"))
			if err != nil || ans.Code != coap.Changed {
				t.Errorf("Write: %v, %v", ans, err)
			}
			if _, err := dev.Read(t.Context(), "/3308/0/5900", content.Text); err != nil || time.Since(began) > time.Second {
				t.Errorf("the loop stood still for %v, %v", time.Since(began), err)
			}
			if !own {
				if !errors.Is(inner, dm.ErrInTransaction) || stored != 1 {
					t.Errorf("the Update without the hook's context: %v, stored %d times", inner, stored)
				}
				return
			}
			note, err := obs.Next(t.Context())
			if inner != nil || err != nil || note.Text() != "59" || stored != 2 {
				t.Errorf("the Update of the hook: %v, stored %d times; notified of %v, %v", inner, stored, note, err)
			}
		})
	}
}
