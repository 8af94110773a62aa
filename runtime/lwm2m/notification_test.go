package lwm2m_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/generated/temperature"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
)

// A new registration starts without observations, even over the same connection.
func TestRegisterEndsObservations(t *testing.T) {
	onBench(t, func(b *bench) {
		b.start()
		dev := b.server.WaitRegistered("dev")
		o, a, err := dev.Observe(context.Background(), "/1/0/1", content.Text)
		if err != nil || o == nil {
			t.Fatalf("Observe is answered %v (%v)", a, err)
		}
		if err := b.client.Register(1); err != nil {
			t.Fatal(err)
		}
		b.server.WaitEvent(1, "registered", "dev")
		b.write(dm.ResourcePath(1, 0, 1), 7200)
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if a, err := o.Next(ctx); err == nil {
			t.Errorf("notified of %v", a)
		}
	})
}

// write sets an Integer resource, as the application.
func (b *bench) write(p dm.Path, v int64) {
	b.t.Helper()
	tx, err := b.client.Model().Begin(context.Background(), dm.Application)
	if err != nil {
		b.t.Fatal(err)
	}
	defer tx.Rollback()
	if err := tx.Write(p, dm.Update, []dm.Entry{{Path: p, Value: dm.IntegerValue(v)}}); err != nil {
		b.t.Fatal(err)
	}
	if err := tx.Commit(); err != nil {
		b.t.Fatal(err)
	}
}

// Notify sends a notification for the value of a function without waiting for the next sample.
func TestNotifySendsNotification(t *testing.T) {
	celsius := 20.0
	sensor, err := temperature.New(temperature.Config{})
	if err == nil {
		value := dm.Func(func(context.Context) (float64, error) { return celsius, nil })
		err = sensor.Add(0, temperature.Instance{SensorValue: value})
	}
	if err != nil {
		t.Fatal(err)
	}
	onBench(t, func(b *bench) {
		b.cfg.Objects = append(b.cfg.Objects, sensor)
		b.start()
		o, a, err := b.server.WaitRegistered("dev").Observe(context.Background(), "/3303/0/5700", content.Text,
			"pmax=86400")
		if err != nil || o == nil {
			t.Fatalf("Observe is answered %v (%v)", a, err)
		}
		synctest.Wait()
		celsius = 21
		b.client.Notify(dm.ObjectPath(3303))
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if a, err := o.Next(ctx); err != nil || a.Text() != "21" {
			t.Errorf("notified of %v (%v)", a, err)
		}
	})
}

// A notification that times out does not end the connection.
func TestLostNotificationKeepsConnection(t *testing.T) {
	onBench(t, func(b *bench) {
		b.start()
		o, a, err := b.server.WaitRegistered("dev").Observe(context.Background(), "/1/0/1", content.Text, "con=1")
		if err != nil || o == nil {
			t.Fatalf("Observe is answered %v (%v)", a, err)
		}
		b.net.Cut(b.device, b.place)
		b.write(dm.ResourcePath(1, 0, 2), 7)
		b.client.Notify(dm.ResourcePath(1, 0, 1))
		tx := make(chan struct{})
		time.AfterFunc(5*time.Minute, func() { close(tx) })
		<-tx
		b.net.Heal(b.device, b.place)
		if s, _ := b.client.Status().Server(1); s.State != lwm2m.StateRegistered || s.Err != nil {
			t.Errorf("status %v", s)
		}
		if n := len(b.server.Requests()); n != 1 {
			t.Errorf("%d requests", n)
		}
	})
}

// A server that observes more than message IDs allow shows in Status and in the log, and the Update
// still leaves in time.
func TestSlowedNotificationsShow(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		var log bytes.Buffer
		cfg := w.config()
		cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
		const observations = 500
		sensor := newSensor(t)
		value := 0.0
		for id := range dm.InstanceID(observations) {
			if err := sensor.Add(id, temperature.Instance{SensorValue: dm.Func(func(context.Context) (float64, error) {
				value++
				return value, nil
			})}); err != nil {
				t.Fatal(err)
			}
		}
		cfg.Objects = append(cfg.Objects, sensor)
		c := w.start(cfg)
		srv := w.servers[0]
		srv.next()
		w.wantState(1, lwm2m.StateRegistered)
		srv.sched.Post(func() {
			for id := range observations {
				call := &coap.Call{Code: coap.GET, Observe: func(coap.Result) {}, Done: func(coap.Result) {}}
				call.Options.AddPath(fmt.Sprintf("/3303/%d/5700", id))
				if err := srv.conn.Do(call); err != nil {
					t.Error(err)
					return
				}
			}
		})
		<-time.After(4 * time.Minute)
		s := w.wantState(1, lwm2m.StateRegistered)
		if !s.Slowed || !strings.Contains(s.String(), "slowed down") {
			t.Errorf("status %v", s)
		}
		c.UpdateAll()
		if r := srv.within(time.Second); r.path != "/rd/5a3f" {
			t.Errorf("got %v, want the Update", r)
		}
		w.shutdown()
		if !strings.Contains(log.String(), "message IDs would run out") {
			t.Error("the log lacks the slowdown")
		}
	})
}
