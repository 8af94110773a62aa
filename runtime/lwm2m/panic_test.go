package lwm2m_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/generated/temperature"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
)

// A program that recovers around ServeAny goes on after a panic of a hook, a function, a slow
// function and the store, and sees each. With Config.RecoverPanics it sees none. The requests are
// answered 5.00.
func TestRecoveringAroundServeAny(t *testing.T) {
	for _, recovers := range []bool{false, true} {
		t.Run(fmt.Sprint("RecoverPanics ", recovers), func(t *testing.T) {
			inWorld(t, 1, func(w *world) { recoverAroundServeAny(t, w, recovers) })
		})
	}
}

func recoverAroundServeAny(t *testing.T, w *world, recovers bool) {
	hookPanics := false
	things, err := temperature.New(temperature.Config{Hooks: temperature.Hooks{
		Commit: func(context.Context, *temperature.Tx) error {
			if hookPanics {
				panic("hook")
			}
			return nil
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	err = things.Add(0, temperature.Instance{
		SensorValue:      dm.Func(func(context.Context) (float64, error) { panic("function") }),
		MinMeasuredValue: dm.Slow(func(context.Context) (float64, error) { panic("slow function") }),
		ApplicationType:  dm.Str(""),
	})
	if err != nil {
		t.Fatal(err)
	}
	cfg := w.config()
	cfg.RecoverPanics = recovers
	cfg.Objects = append(cfg.Objects, things)
	cfg.Persist = func(_ context.Context, c dm.Committed) error {
		if !hookPanics && c.Origin != dm.Application {
			panic("store")
		}
		return nil
	}
	c, err := lwm2m.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	var panics []string
	turn := func() (err error) {
		defer func() {
			if v := recover(); v != nil {
				panics = append(panics, fmt.Sprint(v))
			}
		}()
		return c.ServeAny(context.Background(), time.Second)
	}
	w.client, w.stop, w.ended = c, c.Shutdown, make(chan error, 1)
	go func() {
		var err error
		for done := false; !done && err == nil; {
			select {
			case <-c.Done():
				done = true
			default:
				err = turn()
			}
		}
		w.ended <- err
	}()
	s := w.servers[0]
	s.within(10 * time.Second)
	for range 2 {
		for _, path := range []string{"/3303/0/5700", "/3303/0/5601"} {
			if code := s.do(coap.GET, path, "", -1); code != coap.InternalServerError {
				t.Errorf("GET %s: %v", path, code)
			}
		}
		for _, hookPanics = range []bool{true, false} {
			if code := s.do(coap.PUT, "/3303/0/5750", "x", int(content.Text)); code != coap.InternalServerError {
				t.Errorf("Write: %v", code)
			}
		}
	}
	if code := s.do(coap.GET, "/3/0/16", "", -1); code != coap.Content {
		t.Errorf("after the panics a Read is %v", code)
	}
	want := slices.Repeat([]string{"function", "slow function", "hook", "store"}, 2)
	if recovers {
		want = nil
	}
	for i := range panics {
		panics[i], _, _ = strings.Cut(panics[i], "\n")
	}
	if !slices.Equal(panics, want) {
		t.Errorf("the program recovered %q, want %q", panics, want)
	}
}
