package lwm2m_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
)

// settle has everything work again, waits, and compares the device with what its server knows.
func (l *life) settle() {
	l.t.Helper()
	l.link(simnet.Link{Delay: 50 * time.Millisecond})
	time.Sleep(backAfter)
	l.calls.Wait()
	synctest.Wait()
	st, _ := l.client.Status().Server(1)
	d, ok := l.server.Client("dev")
	switch {
	case !st.State.Registered() && st.State != lwm2m.StateAsleep:
		l.fail("the device is not registered: %v", st)
	case !ok:
		l.fail("the server does not know the device: %v", st)
	case d.Registration().Location != st.Location:
		l.fail("the device is registered at %s, the server has %s", st.Location, d.Registration().Location)
	}
	for p := range l.client.Model().Snapshot().Instances(3303) {
		if has := d.Registration().Objects; !contains(has, dm.InstancePath(3303, p)) {
			l.fail("the server does not know /3303/%d, but %v", p, has)
		}
	}
	if want := l.client.Model().Snapshot().Has(dm.InstancePath(3303, 7)); contains(d.Registration().Objects, dm.InstancePath(3303, 7)) != want {
		l.fail("the server knows %v, /3303/7 is %v", d.Registration().Objects, want)
	}
	ctx, cancel := context.WithTimeout(context.Background(), backAfter)
	defer cancel()
	a, err := d.Read(ctx, "/3308/0/5900", content.Text)
	if err != nil {
		l.fail("the server cannot reach the device: %v (%v)", err, st)
	}
	got, err := strconv.ParseFloat(a.Text(), 64)
	if err != nil || !containsFloat(l.written, got) {
		l.fail("the set point is %v, written was %v", a, l.written)
	}
	for arg, n := range l.executed {
		if n > 1 {
			l.fail("Execute %s has happened %d times", arg, n)
		}
	}
	clear(l.executed)
	l.checkNotified(st.Location)
}

// checkNotified checks that an observation has lived as long as its registration.
func (l *life) checkNotified(location string) {
	l.t.Helper()
	if l.observed == nil || !l.follows || location != l.location {
		return
	}
	l.measure()
	time.Sleep(time.Minute)
	want, _ := l.sensor.Get(0)
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	last := 0.0
	for a, err := range l.observed.All(ctx) {
		if err != nil {
			break
		}
		if entries, err := a.Entries(); err == nil && len(entries) > 0 {
			last = entries[len(entries)-1].Value.Float()
		}
	}
	if last != want.SensorValue.Or(-1) {
		l.fail("the server was last notified of %v, the value is %v", last, want.SensorValue)
	}
	l.counts.notified++
}

func contains(all interface{ Has(dm.Path) bool }, p dm.Path) bool { return all.Has(p) }

func containsFloat(all []float64, v float64) bool {
	for _, x := range all {
		if x == v {
			return true
		}
	}
	return false
}

func (l *life) fail(format string, args ...any) {
	l.t.Helper()
	l.t.Fatalf("%s\n%s", fmt.Sprintf(format, args...), strings.Join(l.history, "\n"))
}
