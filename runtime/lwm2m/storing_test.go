package lwm2m_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lwm2mgen/toolkit/generated/temperature"
	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
)

// measures sets the sensor value, as the application.
func (s *sender) measures(v float64) {
	s.t.Helper()
	must(s.t, s.temp.Update(context.Background(), 0, func(i *temperature.Instance) error {
		i.SensorValue.Set(v)
		return nil
	}))
}

// observes begins an observation.
func (s *sender) observes(f content.Format, path string, query ...string) *lwm2mtest.Observation {
	s.t.Helper()
	o, a, err := s.dev.Observe(context.Background(), path, f, query...)
	if err != nil || a.Code != coap.Content || o == nil {
		s.t.Fatalf("Observe %s: %v (%v)", path, a, err)
	}
	return o
}

// outage has the device offline for an hour, in which it measures 1, 2, 3 and so on, a minute
// apart. It returns the values as stored notifications report them.
func (s *sender) outage(n int) []string {
	s.t.Helper()
	s.client.Suspend()
	synctest.Wait()
	var want []string
	for i := 1; i <= n; i++ {
		<-time.After(time.Minute)
		s.measures(float64(i))
		want = append(want, fmt.Sprintf("/3303/0/5700=%d@%v", i, float64(time.Now().UnixMicro())/1e6))
	}
	<-time.After(time.Hour - time.Duration(n)*time.Minute)
	synctest.Wait()
	return want
}

// notified returns the values of all notifications that come within a minute, with their times, and
// the number of notifications.
func (s *sender) notified(o *lwm2mtest.Observation) (values []string, n int) {
	s.t.Helper()
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	for a, err := range o.All(ctx) {
		must(s.t, err)
		if n++; a.Code != coap.Content {
			values = append(values, a.Code.String())
			continue
		}
		entries, err := a.Entries()
		must(s.t, err)
		for _, e := range entries {
			text := fmt.Sprintf("%v=%v", e.Path, e.Value)
			if e.Time != 0 {
				text += fmt.Sprintf("@%v", e.Time)
			}
			values = append(values, text)
		}
	}
	return values, n
}

// wantNotified fails unless the notifications within a minute have these values.
func (s *sender) wantNotified(o *lwm2mtest.Observation, messages int, want ...string) {
	s.t.Helper()
	got, n := s.notified(o)
	if diff := cmp.Diff(want, got); diff != "" || n != messages {
		s.t.Errorf("notified in %d messages, want %d (-want +got):\n%s", n, messages, diff)
	}
}

// wantStored fails unless Status has these counts.
func (s *sender) wantStored(stored int, dropped uint64) {
	s.t.Helper()
	synctest.Wait()
	if st, _ := s.client.Status().Server(1); st.Stored != stored || st.Dropped != dropped {
		s.t.Errorf("%d values are stored and %d dropped, want %d and %d", st.Stored, st.Dropped, stored, dropped)
	}
}

func TestStoredNotificationsArriveInOrder(t *testing.T) {
	for _, f := range []content.Format{content.SenMLCBOR, content.SenMLJSON, content.LwM2MJSON} {
		t.Run(f.String(), func(t *testing.T) {
			onSender(t, unprepared, func(s *sender) {
				o := s.observes(f, "/3303/0/5700")
				want := s.outage(5)
				s.wantStored(5, 0)
				s.client.Resume()
				s.wantNotified(o, 1, want...)
				s.wantStored(0, 0)
				s.measures(7)
				s.wantNotified(o, 1, "/3303/0/5700=7") // without a time
			})
		})
	}
}

func TestStoredNotificationsOfAnInstance(t *testing.T) {
	onSender(t, unprepared, func(s *sender) {
		o := s.observes(content.SenMLJSON, "/3303/0")
		want := s.outage(2)
		s.client.Resume()
		s.wantNotified(o, 1, want...)
	})
}

func TestNothingIsStoredWithoutStoring(t *testing.T) {
	onSender(t, func(b *bench) { b.cfg.Servers[0].DropNotifications = true }, func(s *sender) {
		o := s.observes(content.SenMLCBOR, "/3303/0/5700", "hqmax=10")
		s.outage(5)
		s.wantStored(0, 0)
		s.client.Resume()
		s.wantNotified(o, 1, "/3303/0/5700=5") // evaluated afresh
	})
}

func TestHqmaxBoundsTheStore(t *testing.T) {
	for _, hqmax := range []int{0, 3} {
		onSender(t, unprepared, func(s *sender) {
			o := s.observes(content.SenMLCBOR, "/3303/0/5700", fmt.Sprintf("hqmax=%d", hqmax))
			want := s.outage(5)
			if want = want[2:]; hqmax == 0 {
				s.wantStored(0, 0)
				want = []string{"/3303/0/5700=5"} // evaluated afresh
			} else {
				s.wantStored(3, 2)
			}
			s.client.Resume()
			s.wantNotified(o, 1, want...)
		})
	}
}

func TestLimitsBoundTheStore(t *testing.T) {
	onSender(t, func(b *bench) { b.cfg.Limits.StoredValues = 4 }, func(s *sender) {
		o := s.observes(content.SenMLCBOR, "/3303/0/5700")
		p := s.observes(content.SenMLCBOR, "/3303/0")
		want := s.outage(5) // ten values of two observations
		s.wantStored(4, 6)
		s.client.Resume()
		s.wantNotified(o, 1, want[3:]...)
		s.wantNotified(p, 1, want[3:]...)
		s.wantStored(0, 6)
	})
}

// A format without times gets the newest value only.
func TestFormatsWithoutTimesGetTheNewestValue(t *testing.T) {
	for _, f := range []content.Format{content.Text, content.TLV, content.LwM2MCBOR, content.CBOR} {
		onSender(t, unprepared, func(s *sender) {
			s.server.Define(s.temp.Definition())
			o := s.observes(f, "/3303/0/5700")
			s.outage(5)
			s.wantStored(0, 4)
			s.client.Resume()
			s.wantNotified(o, 1, "/3303/0/5700=5")
		})
	}
}

// What would not have been notified of is not stored.
func TestConditionsApplyToTheStore(t *testing.T) {
	onSender(t, unprepared, func(s *sender) {
		s.measures(0)
		o := s.observes(content.SenMLCBOR, "/3303/0/5700", "gt=3.5")
		want := s.outage(6)
		s.client.Resume()
		s.wantNotified(o, 1, want[3])
	})
}

// The end of the registration ends the observations.
func TestStoredNotificationsEndWithTheRegistration(t *testing.T) {
	onSender(t, unprepared, func(s *sender) {
		s.observes(content.SenMLCBOR, "/3303/0/5700")
		s.outage(5)
		must(t, s.client.Register(1))
		s.client.Resume()
		<-time.After(time.Minute)
		s.wantStored(0, 5)
		s.wantReceived()
	})
	onSender(t, func(b *bench) { b.cfg.SendStored = true }, func(s *sender) {
		s.observes(content.SenMLCBOR, "/3303/0/5700")
		want := s.outage(5)
		must(t, s.client.Register(1))
		s.client.Resume()
		<-time.After(time.Minute)
		s.wantStored(0, 0)
		s.wantReceived(want...)
	})
	muted := func(b *bench) {
		b.cfg.SendStored = true
		b.cfg.Servers[0].Instance = func(i *lwm2m.ServerInstance) { i.MuteSend = dm.Bool(true) }
	}
	onSender(t, muted, func(s *sender) {
		s.observes(content.SenMLCBOR, "/3303/0/5700")
		s.outage(5)
		must(t, s.client.Register(1))
		s.client.Resume()
		<-time.After(time.Minute)
		s.wantStored(0, 5)
	})
}

// The server is told that a node is gone after what was stored of it.
func TestStoredNotificationsOfANodeThatIsGone(t *testing.T) {
	onSender(t, unprepared, func(s *sender) {
		o := s.observes(content.SenMLCBOR, "/3303/0/5700")
		want := s.outage(2)
		must(t, s.temp.Remove(context.Background(), 0))
		synctest.Wait()
		s.client.Resume()
		s.wantNotified(o, 2, append(want, "4.04")...)
		s.wantStored(0, 0)
	})
}

// A server that has cancelled the observation gets nothing.
func TestStoredNotificationsAreRejected(t *testing.T) {
	onSender(t, unprepared, func(s *sender) {
		o := s.observes(content.SenMLCBOR, "/3303/0/5700")
		s.outage(3)
		o.Forget()
		s.client.Resume()
		<-time.After(time.Minute)
		s.wantStored(0, 3)
	})
}

// On a link that loses a third of all datagrams everything that is stored arrives, in order.
func TestStoredNotificationsOverABadLink(t *testing.T) {
	onSender(t, unprepared, func(s *sender) {
		o := s.observes(content.SenMLCBOR, "/3303/0/5700")
		must(t, s.net.SetDefaultLink(simnet.Link{Delay: 100 * time.Millisecond, Loss: 0.3}))
		s.client.Suspend()
		synctest.Wait()
		var want []string
		for i := range 300 {
			<-time.After(time.Second)
			s.measures(float64(1000 + i))
			want = append(want, fmt.Sprintf("/3303/0/5700=%d@%v", 1000+i, float64(time.Now().UnixMicro())/1e6))
		}
		s.client.Resume()
		var got []string
		for range 30 {
			values, _ := s.notified(o)
			for _, v := range values {
				if strings.Contains(v, "@") {
					got = append(got, v)
				}
			}
		}
		seen := map[string]bool{}
		var unique []string
		for _, v := range got {
			if !seen[v] {
				unique = append(unique, v)
			}
			seen[v] = true
		}
		if st, _ := s.client.Status().Server(1); st.Stored != 0 || st.Dropped != 0 {
			t.Errorf("not everything has arrived: %v", st)
		}
		if diff := cmp.Diff(want, unique); diff != "" {
			t.Errorf("notified of (-want +got):\n%s", diff)
		}
	})
}

// An observation of a resource with a history reports the values of the history after an outage.
func TestHistoryTakesThePlaceOfTheStore(t *testing.T) {
	h := lwm2m.NewHistory(sensorValue, 200)
	onSender(t, func(b *bench) { b.cfg.Histories = []*lwm2m.History{h} }, func(s *sender) {
		o := s.observes(content.SenMLCBOR, "/3303/0/5700")
		s.outage(3) // measured once a minute, and recorded at the application's own pace:
		var want []string
		for i := range 100 {
			h.Add(dm.FloatValue(float64(100+i)), time.Unix(1e9+int64(i), 0))
			want = append(want, fmt.Sprintf("/3303/0/5700=%d@%v", 100+i, 1e9+float64(i)))
		}
		s.wantStored(0, 0)
		s.client.Resume()
		s.wantNotified(o, 2, want...)
		if h.Len() != 0 {
			t.Errorf("%d values are left in the history", h.Len())
		}
		s.measures(50)
		s.wantNotified(o, 1, "/3303/0/5700=50")
	})
}

func TestStoredNotificationsOfSeveralNodes(t *testing.T) {
	onSender(t, unprepared, func(s *sender) {
		o, _, err := s.dev.ObserveComposite(context.Background(), content.SenMLCBOR, []string{"/3303/0/5700", "/3/0/9"})
		must(t, err)
		var want []string
		for _, v := range s.outage(2) {
			at := v[strings.Index(v, "@"):]
			want = append(want, "/3/0/9=100"+at, v)
		}
		s.client.Resume()
		s.wantNotified(o, 1, want...)
	})
}
