package serve

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"testing"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// The peer reads what is meant for it, and never the cause of an error.
func TestExplain(t *testing.T) {
	secret := errors.New("secret words")
	for _, c := range []struct {
		err  error
		want string
	}{
		{Refuse(dm.BadRequest, "in our words"), "4.00 in our words"},
		{fmt.Errorf("wrapped: %w", Refuse(dm.Conflict, "in our words")), "4.09 in our words"},
		{secret, "5.00 "},
		{&dm.Error{Code: dm.BadRequest, Path: dm.InstancePath(3, 0), Err: secret}, "4.00 /3/0"},
		{&dm.Error{Code: dm.ServiceUnavailable, Path: dm.InstancePath(3, 0), Err: secret}, "5.03 "},
		{&dm.Error{Code: dm.BadRequest, Err: secret}, "4.00 "},
		{&dm.Error{Code: dm.Code(coap.Content), Err: secret}, "5.00 "}, // a hook made it up
		{dm.Forbidden, "4.03 "},
		{ErrPanic, "5.00 "},
	} {
		if code, text := Explain(c.err, nil); code.String()+" "+string(text) != c.want {
			t.Errorf("%v: %v %s, want %s", c.err, code, text, c.want)
		}
	}
}

func TestParseID(t *testing.T) {
	for text, want := range map[string]int{"0": 0, "7": 7, "65534": 65534, "65535": -1, "": -1, "01": -1, "x": -1, "655340": -1, "-1": -1} {
		if id, ok := ParseID([]byte(text)); ok != (want >= 0) || ok && int(id) != want {
			t.Errorf("%q is %d, %v", text, id, ok)
		}
	}
}

// What ends user code is seen once on the loop, or logged, after the caller has cleaned up.
func TestGuard(t *testing.T) {
	for _, recovering := range []bool{true, false} {
		var log bytes.Buffer
		g := Guard{Sched: sched.New(), Logger: slog.New(slog.NewTextHandler(&log, nil)), Recover: recovering}
		for name, call := range map[string]func(failed func()){
			"on the loop":   func(failed func()) { g.Do(func() { panic("boom") }, failed) },
			"in a transfer": func(failed func()) { g.DoInTransfer(func() { panic("boom") }, failed); g.Sched.Run() },
			"on a worker": func(failed func()) {
				Observe(func() error { panic("boom") }, func(err error, p *Panic) {
					if !errors.Is(err, ErrPanic) {
						t.Errorf("the outcome is %v", err)
					}
					failed()
					g.Raise(p)
				})
			},
		} {
			log.Reset()
			failed := 0
			value := catch(func() { call(func() { failed++ }) })
			if failed != 1 || (value == nil) != recovering || strings.Contains(log.String(), "boom") != recovering {
				t.Errorf("%s, recovering %v: failed %d times, panic %v, log %s", name, recovering, failed, value, log.String())
			}
		}
		g.Do(func() {}, func() { t.Error("failed is called after fn has returned") })
		g.Raise(nil)
	}
	var err error
	done := make(chan bool)
	go func() {
		defer close(done)
		Observe(func() error { runtime.Goexit(); return nil }, func(e error, p *Panic) { err = e })
	}()
	if <-done; !errors.Is(err, ErrPanic) {
		t.Errorf("after Goexit the outcome is %v", err)
	}
}

// catch returns the value of a panic of fn.
func catch(fn func()) (value any) {
	defer func() { value = recover() }()
	fn()
	return nil
}
