package lwm2m_test

import (
	"context"
	"errors"
	"net/netip"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/generated/device"
	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
)

// watch is an observation with the time of its last message.
type watch struct {
	m   *managed
	obs *lwm2mtest.Observation
	at  time.Time
}

// observes begins an observation. Its response must be the value in SenML JSON.
func (m *managed) observes(path, want string, query ...string) *watch {
	m.t.Helper()
	obs, a, err := m.dev.Observe(context.Background(), path, content.SenMLJSON, query...)
	if err != nil || a.Code != coap.Content || a.Text() != want {
		m.t.Fatalf("Observe %s: %v (%v), want %s", path, a, err, want)
	}
	return &watch{m, obs, time.Now()}
}

// after fails unless the next notification arrives after d and has this payload.
func (w *watch) after(d time.Duration, want string) {
	w.m.t.Helper()
	ctx, stop := context.WithTimeout(context.Background(), 2*time.Hour)
	defer stop()
	a, err := w.obs.Next(ctx)
	if err != nil || a.Text() != want || time.Since(w.at) != d {
		w.m.t.Errorf("notified %v (%v) after %v, want %s after %v", a, err, time.Since(w.at), want, d)
	}
	w.at = time.Now()
}

// voltage sets the voltage of power source 0, as the application.
func (m *managed) voltage(v int64) {
	m.t.Helper()
	must(m.t, m.object.Update(context.Background(), 0, func(i *device.Instance) error {
		i.PowerSourceVoltage.Set(0, v)
		return nil
	}))
}

// sends returns a counter of the datagrams that the device sends from now on.
func (m *managed) sends() *atomic.Int64 {
	var n atomic.Int64
	from := map[netip.Addr]bool{}
	for _, a := range m.device.Addrs() {
		from[a] = true
	}
	m.net.SetFilter(func(p simnet.Packet) bool {
		if from[p.From.Addr()] {
			n.Add(1)
		}
		return true
	})
	return &n
}

const (
	voltages = `[{"bn":"/3/0/7/","n":"0","v":3800},{"n":"1","v":5000}]`
	dropped  = `[{"bn":"/3/0/7/","n":"0","v":3700},{"n":"1","v":5000}]`
	currents = `[{"bn":"/3/0/8/","n":"0","v":125},{"n":"1","v":900}]`
)

// reporting sets the attributes of the cases of observation and begins both observations.
func reporting(m *managed) (voltage, current *watch) {
	m.t.Helper()
	m.attributes("/3/0/7", "pmin=5", "pmax=15")
	m.attributes("/3/0/8", "pmin=10", "pmax=20")
	return m.observes("/3/0/7", voltages), m.observes("/3/0/8", currents)
}

func TestETS_1_1_int_301_Observe(t *testing.T) {
	onManaged(t, func(m *managed) {
		m.reads("/3/0/6", content.SenMLJSON, `[{"bn":"/3/0/6/","n":"0","v":1},{"n":"1","v":5}]`)
		voltage, current := reporting(m)
		voltage.after(15*time.Second, voltages) // at pmax, because nothing has changed
		current.after(20*time.Second, currents)
		voltage.after(15*time.Second, voltages)
		<-time.After(time.Second)
		m.voltage(3700)
		voltage.after(5*time.Second, dropped) // not before pmin
		<-time.After(7 * time.Second)
		m.voltage(3800)
		voltage.after(7*time.Second, voltages) // at once after pmin
		voltage.after(15*time.Second, voltages)
	})
}

func TestETS_1_1_int_302_CancelByReset(t *testing.T) {
	onManaged(t, func(m *managed) {
		voltage, current := reporting(m)
		voltage.after(15*time.Second, voltages)
		current.after(20*time.Second, currents)
		voltage.obs.Forget() // the next notification, at 30 s, is reset
		current.after(20*time.Second, currents)
		current.after(20*time.Second, currents)
		<-time.After(time.Second)
		sent := m.sends()
		m.voltage(3700)
		current.after(20*time.Second, currents)
		if n := sent.Load(); n != 1 {
			m.t.Errorf("the device sent %d datagrams, want the one notification of the current", n)
		}
		current.obs.Forget()
		<-time.After(21 * time.Second)
		sent.Store(0)
		m.voltage(3800)
		<-time.After(time.Hour)
		synctest.Wait()
		if n := sent.Load(); n != 0 {
			m.t.Errorf("the device sent %d datagrams after both observations were reset", n)
		}
	})
}

func TestETS_1_1_int_303_CancelByObserve(t *testing.T) {
	onManaged(t, func(m *managed) {
		voltage, current := reporting(m)
		voltage.after(15*time.Second, voltages)
		current.after(20*time.Second, currents)
		for _, w := range []*watch{voltage, current} {
			if a, err := w.obs.Cancel(context.Background()); err != nil || a.Code != coap.Content {
				m.t.Errorf("the cancellation was answered %v (%v)", a, err)
			}
		}
		sent := m.sends()
		m.voltage(3700)
		<-time.After(time.Hour)
		synctest.Wait()
		if n := sent.Load(); n != 0 {
			m.t.Errorf("the device sent %d datagrams after the cancellation", n)
		}
		ctx, stop := context.WithTimeout(context.Background(), time.Hour)
		defer stop()
		if _, err := voltage.obs.Next(ctx); !errors.Is(err, lwm2mtest.ErrEnded) {
			m.t.Errorf("the observation goes on: %v", err)
		}
	})
}

func TestETS_1_2_int_312_ObserveParameters(t *testing.T) {
	onVersion(t, since12[0], func(*managed) {}, func(m *managed) {
		voltage := m.observes("/3/0/7", voltages, "pmin=5", "pmax=15")
		voltage.after(15*time.Second, voltages)
		m.voltage(3700)
		voltage.after(5*time.Second, dropped)
		m.discovers("/3/0/7", "", "</3/0/7>;dim=2,</3/0/7/0>,</3/0/7/1>") // nothing is attached
	})
}

func TestETS_1_2_int_313_ObserveParametersWin(t *testing.T) {
	onVersion(t, since12[0], func(*managed) {}, func(m *managed) {
		m.attributes("/3/0/7", "pmax=60")
		voltage := m.observes("/3/0/7", voltages, "pmax=10")
		voltage.after(10*time.Second, voltages)
		voltage.after(10*time.Second, voltages)
	})
}
