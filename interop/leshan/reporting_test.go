package leshan_test

import (
	"context"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/generated/temperature"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
)

// measure changes /3303/0/5700 as the program of the device.
func (s *sensor) measure(t *testing.T, celsius float64) {
	t.Helper()
	err := s.things.Update(context.Background(), 0, func(i *temperature.Instance) error {
		i.SensorValue.Set(celsius)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func wantValues(t *testing.T, what string, m message, want map[string]string) {
	t.Helper()
	if !maps.Equal(m.Values, want) || m.Message != "" {
		t.Errorf("%s: %v (%s), want %v", what, m.Values, m.Message, want)
	}
}

// TestReporting compares what Leshan understands of a Send, of stored notifications, of an
// observation with thresholds and of one of several nodes.
func TestReporting(t *testing.T) {
	p := startPeer(t, "../../objects-xml")
	history := lwm2m.NewHistory(dm.ResourcePath(3303, 0, temperature.SensorValueID), 100)
	s := startSensor(t, p.uri, func(*lwm2m.Config) {})
	p.event(t, "registered", patience)

	t.Run("Send", func(t *testing.T) {
		for _, f := range []content.Format{content.SenMLJSON, content.SenMLCBOR} {
			b := lwm2m.Batch{Format: f}
			b.Add(dm.ResourcePath(3303, 0, temperature.ApplicationTypeID))
			want := map[string]string{"/3303/0/5750": "hall"}
			for i := range 3 {
				at := time.UnixMilli(1_700_000_000_250 + int64(i)*1000)
				history.Add(dm.FloatValue(20+float64(i)/2), at)
				want[fmt.Sprintf("%d /3303/0/5700", at.UnixMilli())] = fmt.Sprintf("%.1f", 20+float64(i)/2)
			}
			b.AddHistory(history)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			r, err := s.Send(ctx, 1, &b)
			cancel()
			if err != nil || r.Outcome != lwm2m.SendAcknowledged || r.Values != 4 {
				t.Errorf("%v: %+v, %v", f, r, err)
			}
			wantValues(t, f.String(), p.event(t, "send", patience), want)
		}
	})

	t.Run("thresholds", func(t *testing.T) {
		expect(t, p, "204", command{"op": "attributes", "path": "/3303/0/5700", "query": "gt=25"})
		expect(t, p, "205", command{"op": "observe", "path": "/3303/0/5700", "format": "SENML_CBOR"})
		s.measure(t, 24)
		s.measure(t, 26)
		if n := p.event(t, "notification", patience); n.Values[""] != "26.0" {
			t.Errorf("notified of %v, want 26", n.Values)
		}
		expect(t, p, "204", command{"op": "attributes", "path": "/3303/0/5700", "query": "gt"})
	})

	t.Run("stored notifications", func(t *testing.T) {
		s.Suspend()
		for i, v := range []float64{1, 2, 3} {
			s.measure(t, v)
			// Leshan keeps times in milliseconds, and one value for each.
			began, look := time.Now(), time.NewTicker(time.Millisecond)
			for range look.C {
				if st, _ := s.Status().Server(1); st.Stored == i+1 && time.Since(began) > 2*time.Millisecond {
					break
				}
				if time.Since(began) > patience {
					t.Fatalf("%d values are not stored: %v", i+1, s.Status())
				}
			}
			look.Stop()
		}
		s.Resume()
		n := p.event(t, "notification", patience)
		stored := map[string]int{}
		for path, v := range n.Values {
			if path != "" { // the newest value stands there, too, without its time
				stored[v]++
			}
		}
		if !maps.Equal(stored, map[string]int{"1.0": 1, "2.0": 1, "3.0": 1}) {
			t.Errorf("the stored values are %v, want 1, 2 and 3 with their times", n.Values)
		}
		expect(t, p, "205", command{"op": "cancel", "path": "/3303/0/5700"})
	})

	t.Run("several nodes", func(t *testing.T) {
		const f = "SENML_CBOR"
		expect(t, p, "205", command{"op": "observecomposite", "format": f, "paths": []string{"/3303/0/5700", "/3303/0/5750"}})
		s.setLabel(t, "both")
		n := p.event(t, "notification", patience)
		wantValues(t, f, n, map[string]string{"/3303/0/5700": "3.0", "/3303/0/5750": "both"})
	})
}
