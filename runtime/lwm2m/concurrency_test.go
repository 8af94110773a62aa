package lwm2m_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
)

// An account that loses its place in the order (/1/x/13) waits for no turn any more.
func TestPlaceIsTakenAway(t *testing.T) {
	inWorld(t, 2, func(w *world) {
		cfg := ordered(w, 1, 2)
		with := cfg.Servers[0].Instance
		cfg.Servers[0].Instance = func(i *lwm2m.ServerInstance) {
			with(i)
			i.RegistrationFailureBlock = dm.Bool(true)
		}
		w.servers[0].answers(refuse)
		w.start(cfg)
		w.servers[0].intervals(1)
		w.wantState(2, lwm2m.StateInitial)
		tx, err := w.client.Model().Begin(context.Background(), dm.Application)
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Rollback()
		instance := dm.InstancePath(1, 1)
		entries := []dm.Entry{
			{Path: dm.ResourcePath(1, 1, 1), Value: dm.IntegerValue(3600)},
			{Path: dm.ResourcePath(1, 1, 6), Value: dm.BooleanValue(true)},
			{Path: dm.ResourcePath(1, 1, 7), Value: dm.StringValue("U")},
			{Path: dm.ResourcePath(1, 1, 0), Value: dm.IntegerValue(2)},
		}
		if err := tx.Write(instance, dm.Replace, entries); err != nil {
			t.Fatal(err)
		}
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		if r := w.servers[1].within(time.Second); r.path != "/rd" {
			t.Errorf("got %v, want a Register", r)
		}
		w.wantState(2, lwm2m.StateRegistered)
	})
}

// A client that is made while its loop ends is shut down with the others.
func TestClientMadeAtTheEnd(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		l, err := lwm2m.NewLoop(lwm2m.LoopConfig{})
		if err != nil {
			t.Fatal(err)
		}
		var late *lwm2m.Client
		cfg := w.config()
		cfg.Loop = l
		cfg.OnStatus = func(s lwm2m.ServerStatus) {
			if s.State != lwm2m.StateDeregistering {
				return
			}
			again := w.config()
			again.Loop = l
			var err error
			if late, err = lwm2m.New(again); err != nil {
				t.Error(err)
			}
		}
		if _, err := lwm2m.New(cfg); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- l.Run(ctx) }()
		w.servers[0].next()
		stop()
		select {
		case err := <-ended:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(time.Hour):
			t.Error("the loop has not ended")
			late.Shutdown()
			<-ended
		}
		<-late.Done()
	})
}

// The loop turns on one goroutine: who would turn it from within, or beside Run, is told so.
func TestLoopTurnsOnce(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		var inside []error
		cfg := w.config()
		cfg.OnStatus = func(s lwm2m.ServerStatus) {
			ctx := context.Background()
			inside = append(inside, w.client.ServeAny(ctx, 0), w.client.Run(ctx))
			for _, sock := range w.client.Sockets() {
				inside = append(inside, w.client.Serve(ctx, sock))
			}
		}
		c := w.start(cfg)
		w.servers[0].next()
		w.wantState(1, lwm2m.StateRegistered)
		if err := c.ServeAny(context.Background(), 0); !errors.Is(err, lwm2m.ErrRunning) {
			t.Errorf("ServeAny beside Run: %v", err)
		}
		w.shutdown()
		if len(inside) < 6 {
			t.Errorf("%d calls from within", len(inside))
		}
		for _, err := range inside {
			if !errors.Is(err, lwm2m.ErrRunning) {
				t.Errorf("from within a callback: %v", err)
			}
		}
	})
}
