package lwm2m_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/generated/device"
	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
)

// record adds n values to a history, a second apart.
func record(h *lwm2m.History, from, n int) {
	for i := from; i < from+n; i++ {
		h.Add(dm.FloatValue(float64(i)), time.Unix(1e9+int64(i), 0))
	}
}

func historyBatch(h ...*lwm2m.History) *lwm2m.Batch {
	var b lwm2m.Batch
	b.AddHistory(h...)
	return &b
}

func TestHistoryIsEmptiedByASend(t *testing.T) {
	onSender(t, unprepared, func(s *sender) {
		h := lwm2m.NewHistory(sensorValue, 100)
		battery := lwm2m.NewHistory(dm.ResourcePath(3, 0, device.BatteryLevelID), 100)
		record(h, 0, 2)
		battery.Add(dm.IntegerValue(99), time.Unix(1e9, 0))
		b := historyBatch(h, battery)
		b.Add(dm.ResourcePath(3, 0, device.PowerSourceVoltageID))
		if r := s.wants(b, lwm2m.SendAcknowledged, ""); r.Values != 5 || h.Len() != 0 || battery.Len() != 0 {
			t.Errorf("the result is %+v, and %d and %d values are left", r, h.Len(), battery.Len())
		}
		s.wantReceived("/3/0/7/0=3800", "/3/0/7/1=5000", "/3/0/9=99@1e+09", "/3303/0/5700=0@1e+09", "/3303/0/5700=1@1.000000001e+09")
		s.wants(historyBatch(h), lwm2m.SendDropped, "no value to report")
	})
}

func TestHistoryKeepsWhatASendLoses(t *testing.T) {
	onSender(t, unprepared, func(s *sender) {
		h := lwm2m.NewHistory(sensorValue, 5)
		record(h, 0, 3)
		s.server.Intercept(func(r lwm2mtest.Request) (lwm2mtest.Reply, bool) {
			return lwm2mtest.Reply{Code: coap.ServiceUnavailable}, r.Path == "/dp"
		})
		s.wants(historyBatch(h), lwm2m.SendRefused, "5.03")
		s.server.Intercept(nil)
		lose := s.loseSends()
		s.wants(historyBatch(h), lwm2m.SendLost, "no answer in time")
		lose.Store(false)
		a, err := s.dev.Write(context.Background(), "/1/0/23", content.Text, []byte("1"))
		if err != nil || a.Code != coap.Changed {
			t.Fatal(a, err)
		}
		s.wants(historyBatch(h), lwm2m.SendMuted, "muted")
		if h.Len() != 3 {
			t.Errorf("%d values are left of 3", h.Len())
		}
		record(h, 3, 4)
		if h.Len() != 5 || h.Dropped() != 2 {
			t.Errorf("%d values are left of 7, and %d are dropped, want 5 and 2", h.Len(), h.Dropped())
		}
	})
}

// A history leaves in parts of one message each, and each acknowledged part leaves the history:
// where every third datagram is lost, a block-wise transfer of the whole would hardly ever end.
func TestHistoryGetsThroughABadLink(t *testing.T) {
	onSender(t, unprepared, func(s *sender) {
		h := lwm2m.NewHistory(sensorValue, 1000)
		record(h, 0, 1000)
		must(t, s.net.SetDefaultLink(simnet.Link{Delay: 50 * time.Millisecond, Loss: 0.3}))
		tries := 0
		for ; h.Len() > 0; tries++ {
			before := h.Len()
			r, err := s.sends(historyBatch(h))
			if r.Values != before-h.Len() || (err == nil) != (h.Len() == 0) {
				t.Errorf("%+v (%v): %d values before and %d after", r, err, before, h.Len())
			}
		}
		seen := map[string]bool{}
		for _, v := range s.received() {
			seen[v] = true
		}
		for i := range 1000 {
			if want := fmt.Sprintf("/3303/0/5700=%d@%v", i, 1e9+float64(i)); !seen[want] {
				t.Errorf("the server lacks %s", want)
			}
		}
		for _, a := range s.dev.Sent() {
			if len(a.Payload) > 1024 {
				t.Errorf("a part has %d bytes, want at most one block", len(a.Payload))
			}
		}
		t.Logf("%d Sends, %d messages", tries, len(s.dev.Sent()))
	})
}

// A history of a node that is gone, or that the server may not know, stays as it is.
func TestHistoryOfAMissingInstance(t *testing.T) {
	onSender(t, unprepared, func(s *sender) {
		h := lwm2m.NewHistory(dm.ResourcePath(3303, 9, 5700), 10)
		record(h, 0, 1)
		r := s.wants(historyBatch(h), lwm2m.SendDropped, "no value to report")
		if len(r.LeftOut) != 1 || h.Len() != 1 {
			t.Errorf("the result is %+v, and %d values are left", r, h.Len())
		}
	})
}

// While values come and go over a bad link, none is lost and none comes out of order.
func TestHistoryWhileValuesCome(t *testing.T) {
	onSender(t, unprepared, func(s *sender) {
		must(t, s.net.SetDefaultLink(simnet.Link{Delay: 200 * time.Millisecond, Loss: 0.3}))
		h := lwm2m.NewHistory(sensorValue, 60)
		r := rand.New(rand.NewPCG(1, 2))
		pending := 0
		ended := make(chan struct{}, 10000)
		for i := range 2000 {
			record(h, i, 1)
			<-time.After(time.Duration(r.IntN(2000)) * time.Millisecond)
			if i%20 == 0 {
				pending++
				must(t, s.client.StartSend(1, historyBatch(h), func(lwm2m.SendResult, error) { ended <- struct{}{} }))
			}
		}
		for range pending {
			<-ended
		}
		must(t, s.net.SetDefaultLink(simnet.Link{}))
		for h.Len() > 0 {
			s.wants(historyBatch(h), lwm2m.SendAcknowledged, "")
		}
		seen := map[string]bool{}
		for _, v := range s.received() {
			seen[v] = true
		}
		if got := len(seen) + int(h.Dropped()); got < 2000 {
			t.Errorf("%d values have arrived and %d are dropped, of 2000", len(seen), h.Dropped())
		}
		t.Logf("%d values have arrived, %d are dropped", len(seen), h.Dropped())
	})
}
