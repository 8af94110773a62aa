package manage

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/generated/temperature"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// faultyCode is user code of which one place panics, or ends its goroutine.
type faultyCode struct {
	where atomic.Value // the name of the place, a string; none at first
	how   func()
}

func (f *faultyCode) at(where string) {
	if f.where.Load() == where {
		f.how()
	}
}

// setup has the code called from everywhere that user code is called from.
func (f *faultyCode) setup() setup {
	o := device12
	o.world = func(w *world) {
		hook := func(name string) func(context.Context, *temperature.Tx) error {
			return func(context.Context, *temperature.Tx) error { f.at(name); return nil }
		}
		w.things2 = temperature.Hooks{
			Begin: hook("Begin"), Validate: hook("Validate"), Commit: hook("Commit"),
			Rollback: func(context.Context, *temperature.Tx) error { f.at("Rollback"); return nil },
			Changed:  func(context.Context, *temperature.Tx) { f.at("Changed") },
			Create:   func(context.Context, dm.InstanceID, *temperature.Instance) error { f.at("Create"); return nil },
			Delete:   func(context.Context, dm.InstanceID) error { f.at("Delete"); return nil },
		}
		w.minimum = func() (float64, error) { f.at("slow function"); return -3.5, nil }
		w.fault = f.at
	}
	o.persist = func(context.Context, dm.Committed) error { f.at("Persist"); return nil }
	return o
}

// faultyRow is a request that meets the faulty code.
type faultyRow struct {
	where string
	ask   ask
	code  coap.Code // where nothing panics
	done  bool      // the answer is sent before the code is called
}

func faultyRows() []faultyRow {
	write := to("PUT /3303/1/5750").as(content.Text, "x")
	image := to("PUT /5/0/0").as(content.Opaque, strings.Repeat("x", 3000))
	return []faultyRow{
		{where: "Begin", ask: write, code: coap.Changed},
		{where: "Validate", ask: write, code: coap.Changed},
		{where: "Commit", ask: write, code: coap.Changed},
		{where: "Persist", ask: write, code: coap.Changed},
		{where: "Changed", ask: write, code: coap.Changed, done: true},
		{where: "Create", ask: to("POST /3303").as(content.SenMLJSON, `[{"bn":"/3303/9/","n":"5700","v":1}]`), code: coap.Created},
		{where: "Delete", ask: to("DELETE /3303/1"), code: coap.Deleted},
		{where: "function", ask: to("GET /3303/0/5700"), code: coap.Content},
		{where: "slow function", ask: to("GET /3303/0/5601"), code: coap.Content},
		{where: "slow executable", ask: to("POST /3303/0/5605"), code: coap.Changed},
		{where: "open", ask: image, code: coap.Changed},
		{where: "write", ask: image, code: coap.Changed},
		{where: "commit", ask: image, code: coap.Changed},
	}
}

// recovering turns the rig until cond holds, on goroutines that a panic, or runtime.Goexit, may
// end.
func (r *rig) recovering(cond func() bool) (fell []any) {
	for range 1000 {
		if cond() {
			return fell
		}
		ended := make(chan int)
		go func() {
			n, returned := 0, false
			defer func() {
				if !returned {
					fell = append(fell, recover())
					n = 1
				}
				ended <- n
			}()
			n = r.turn()
			returned = true
		}()
		if <-ended == 0 {
			synctest.Wait()
			_ = r.s.Sleep(context.Background(), time.Minute)
		}
	}
	r.t.Fatal("the condition does not hold")
	return nil
}

func TestPanicsOfUserCode(t *testing.T) {
	ways := map[string]func(){"panic": func() { panic("broken") }, "Goexit": runtime.Goexit}
	for _, row := range faultyRows() {
		for way, how := range ways {
			for _, recovers := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s in %s, recovered %v", way, row.where, recovers), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { checkPanic(t, row, way, how, recovers) })
				})
			}
		}
	}
}

func checkPanic(t *testing.T, row faultyRow, way string, how func(), recovers bool) {
	code := &faultyCode{how: how}
	o := code.setup()
	o.config = func(c *Config) { c.RecoverPanics = recovers }
	r := newRig(t, o)
	close(r.dev.release)
	p := r.peers[0]
	code.where.Store(row.where)
	got, done := p.begin(row.ask)
	fell := r.recovering(func() bool { return *done })
	want := coap.InternalServerError
	if row.done {
		want = row.code
	}
	if row.where == "write" && way == "Goexit" {
		want = 0 // the goroutine that would answer has ended in the middle of the transfer
	}
	if got.code != want {
		t.Errorf("answered %v, want %v", got.code, want)
	}
	if recovers && way == "panic" && len(fell) > 0 {
		t.Errorf("the loop panics: %v", fell)
	}
	if !recovers && way == "panic" && (len(fell) != 1 || !strings.Contains(fmt.Sprint(fell[0]), "broken")) {
		t.Errorf("the loop panics %v", fell)
	}
	if logged := strings.Contains(r.log.String(), "broken") && strings.Contains(r.log.String(), "panic_test.go"); logged != (recovers && way == "panic") {
		t.Errorf("logged: %v\n%s", logged, r.log.String())
	}
	// Everything goes on.
	code.where.Store("")
	if !row.done {
		if again := p.do(row.ask); again.code != row.code {
			t.Errorf("the same request is answered %v, want %v", again.code, row.code)
		}
	}
	if again := p.do(to("PUT /3303/0/5750").as(content.Text, "y")); again.code != coap.Changed {
		t.Errorf("the next Write is answered %v", again.code)
	}
	r.until(r.m.Idle)
}

// An observation goes on after a panic of its function.
func TestPanicOfAnObservedValue(t *testing.T) {
	for _, path := range []string{"/3303/0/5700", "/3303/0/5601"} {
		synctest.Test(t, func(t *testing.T) {
			code := &faultyCode{how: func() { panic("broken") }}
			o := code.setup()
			o.config = func(c *Config) { c.RecoverPanics = true }
			r := newRig(t, o)
			close(r.dev.release)
			_, notes, _ := r.peers[0].watch(to("GET " + path).accepting(content.Text))
			r.dev.celsius = 30
			var low atomic.Int64
			low.Store(-9)
			r.dev.minimum = func() (float64, error) { code.at("slow function"); return float64(low.Load()), nil }
			for _, where := range []string{"function", "slow function"} {
				code.where.Store(where)
				r.pass(5 * time.Second)
			}
			code.where.Store("")
			r.dev.celsius = 31
			low.Store(-10)
			r.pass(time.Minute)
			if n := len(*notes); n == 0 || (*notes)[n-1].body != "31" && (*notes)[n-1].body != "-10" {
				t.Errorf("%s: notified %v", path, *notes)
			}
		})
	}
}
