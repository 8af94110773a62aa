package lwm2m_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
)

// A program that recovers from a panic in OnStatus goes on.
func TestPanicInOnStatus(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		cfg := w.config()
		panics := true
		var fell []any
		cfg.OnStatus = func(s lwm2m.ServerStatus) {
			if panics && s.State == lwm2m.StateRegistering {
				panics = false
				panic("user code")
			}
		}
		c, err := lwm2m.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(context.Background())
		done := make(chan bool)
		go func() {
			defer close(done)
			for ctx.Err() == nil {
				func() {
					defer func() {
						if v := recover(); v != nil {
							fell = append(fell, v)
						}
					}()
					_ = c.ServeAny(ctx, time.Minute)
				}()
			}
		}()
		<-time.After(10 * time.Minute)
		synctest.Wait()
		s, _ := c.Status().Server(1)
		if s.State != lwm2m.StateRegistered {
			t.Errorf("status %v", s)
		}
		if text := fmt.Sprint(fell); !strings.Contains(text, "user code") || !strings.Contains(text, "panicinstatus_test.go") {
			t.Errorf("the loop has panicked with %v, want the panic with its stack", fell)
		}
		stop()
		c.Sched().Wake()
		<-done
		w.client = nil
	})
}

// With RecoverPanics a panic in OnStatus, and in Secure, is logged, and the client goes on.
func TestRecoveredPanicsOfConfig(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		cfg := w.config()
		cfg.RecoverPanics = true
		var log strings.Builder
		cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
		cfg.OnStatus = func(s lwm2m.ServerStatus) {
			if s.State == lwm2m.StateRegistering {
				panic("broken status")
			}
		}
		calls := 0
		cfg.Secure = func(lwm2m.Account, *socket.Security) error {
			if calls++; calls == 2 { // the first is that of New
				panic("broken credentials")
			}
			return nil
		}
		c := w.start(cfg)
		if s := w.wantState(1, lwm2m.StateInvalid); !strings.Contains(s.Err.Error(), "Config.Secure") {
			t.Errorf("status %v", s)
		}
		c.RegisterAll()
		w.servers[0].next()
		w.wantState(1, lwm2m.StateRegistered)
		w.shutdown()
		for _, text := range []string{"broken status", "broken credentials", "panicinstatus_test.go"} {
			if !strings.Contains(log.String(), text) {
				t.Errorf("the log lacks %q", text)
			}
		}
	})
}
