package lwm2m_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lwm2mgen/toolkit/generated/temperature"
	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
)

// sender is a registered device with a Device object and a Temperature object with the instance 0,
// which sends to its server.
type sender struct {
	*bench
	dev  *lwm2mtest.Client
	temp *temperature.Object
}

var sensorValue = dm.ResourcePath(3303, 0, temperature.SensorValueID)

// onSender runs fn in virtual time, on a device that prepare may change before it starts.
func onSender(t *testing.T, prepare func(b *bench), fn func(s *sender)) {
	t.Helper()
	onBench(t, func(b *bench) {
		s := &sender{bench: b, temp: newSensor(t, 0)}
		b.cfg.Objects = []dm.Object{etsDevice(t), s.temp}
		b.cfg.Servers[0].Lifetime = 24 * time.Hour
		prepare(b)
		b.start()
		s.dev = b.server.WaitRegistered("dev")
		synctest.Wait()
		b.seen = len(b.server.Requests())
		fn(s)
	})
}

func unprepared(*bench) {}

// sends sends a batch and waits for the outcome.
func (s *sender) sends(b *lwm2m.Batch) (lwm2m.SendResult, error) {
	s.t.Helper()
	ctx, stop := context.WithTimeout(context.Background(), time.Hour)
	defer stop()
	return s.client.Send(ctx, 1, b)
}

// wants fails unless a Send ends with an outcome, and with an error that contains a text.
func (s *sender) wants(b *lwm2m.Batch, want lwm2m.SendOutcome, text string) lwm2m.SendResult {
	s.t.Helper()
	r, err := s.sends(b)
	if r.Outcome != want || (err == nil) != (want == lwm2m.SendAcknowledged) || err != nil && !strings.Contains(err.Error(), text) {
		s.t.Errorf("the Send is %v: %v (%+v), want %v: %s", r.Outcome, err, r, want, text)
	}
	return r
}

// received returns the values of all Sends that the server has received, with their times.
func (s *sender) received() []string {
	s.t.Helper()
	var list []string
	for _, a := range s.dev.Sent() {
		entries, err := a.Entries()
		must(s.t, err)
		for _, e := range entries {
			text := fmt.Sprintf("%v=%v", e.Path, e.Value)
			if e.Time != 0 {
				text += fmt.Sprintf("@%v", e.Time)
			}
			list = append(list, text)
		}
	}
	return list
}

func (s *sender) wantReceived(want ...string) {
	s.t.Helper()
	if diff := cmp.Diff(want, s.received()); diff != "" {
		s.t.Errorf("the server has received (-want +got):\n%s", diff)
	}
}

// registers returns how many requests of the registration interface the server got.
func (s *sender) registers() int {
	n := 0
	for _, r := range s.server.Requests()[s.seen:] {
		if strings.HasPrefix(r.Path, "/rd") {
			n++
		}
	}
	return n
}

// loseSends loses every Send of the device until the returned flag is set to false.
func (s *sender) loseSends() *atomic.Bool {
	lose := new(atomic.Bool)
	lose.Store(true)
	from := s.device.Addrs()
	s.net.SetFilter(func(p simnet.Packet) bool {
		return !lose.Load() || !slices.Contains(from, p.From.Addr()) || !strings.Contains(string(p.Data), "\xb2dp")
	})
	return lose
}

func batchOf(paths ...dm.Path) *lwm2m.Batch {
	var b lwm2m.Batch
	b.Add(paths...)
	return &b
}
