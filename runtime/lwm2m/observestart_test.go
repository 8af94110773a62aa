package lwm2m_test

import (
	"bytes"
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/generated/temperature"
	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
)

// A value that changes while the answer to an Observe is being sent is notified.
func TestChangeDuringTheAnswerToObserve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := simnet.New(1)
		l, err := n.NewHost("s").Listen(5683)
		if err != nil {
			t.Fatal(err)
		}
		srv := lwm2mtest.NewServer(t, l)
		temp, err := temperature.New(temperature.Config{})
		if err == nil {
			err = temp.Add(0, temperature.Instance{SensorValue: dm.Float(22.5)})
		}
		if err != nil {
			t.Fatal(err)
		}
		c, err := lwm2m.New(lwm2m.Config{
			Endpoint: "dev", Objects: []dm.Object{temp}, Logger: quiet(), Servers: []lwm2m.Server{{URI: "coap://s"}},
			Dialers: []socket.Dialer{n.NewHost("device").Dialer()},
		})
		if err != nil {
			t.Fatal(err)
		}
		srv.Run(c.Run)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		dev := srv.WaitRegistered("dev")
		n.SetFilter(func(p simnet.Packet) bool {
			if bytes.HasSuffix(p.Data, []byte("22.5")) {
				if err := temp.Update(ctx, 0, func(i *temperature.Instance) error { i.SensorValue.Set(23); return nil }); err != nil {
					t.Error(err)
				}
			}
			return true
		})
		obs, a, err := dev.Observe(ctx, "/3303/0/5700", content.Text)
		if err != nil || a.Text() != "22.5" {
			t.Fatalf("Observe: %v, %v", a, err)
		}
		if note, err := obs.Next(ctx); err != nil || note.Text() != "23" {
			t.Errorf("the notification is %v, %v", note, err)
		}
	})
}
