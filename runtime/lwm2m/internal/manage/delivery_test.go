package manage

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

func TestConfirmableNotifications(t *testing.T) {
	for _, c := range []struct {
		account, line string
		confirmable   bool
	}{
		{"0", "PUT /3303?con=1", true}, {"0", "PUT /3303?con=0", false},
		{"1", "PUT /3303?pmin=0", true}, {"1", "PUT /3303?con=0", false},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := observing(t, device12, "/3303/1/5750", c.line)
			s.write(dm.Application, dm.ResourcePath(1, 0, 26), c.account)
			s.net.Cut(s.device, s.p.host)
			s.label("lost")
			s.expect(time.Second)
			s.net.Heal(s.device, s.p.host)
			if c.confirmable {
				s.expect(time.Minute, "lost")
			} else {
				s.expect(time.Minute)
			}
		})
	}
}

// The last notification of an observation is confirmable, whatever con says.
func TestLastNotificationArrives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := observing(t, device12, "/3303/1/5750", "PUT /3303?con=0")
		s.net.Cut(s.device, s.p.host)
		s.must(s.dev.things.Remove(context.Background(), 1))
		s.expect(time.Second)
		s.net.Heal(s.device, s.p.host)
		s.expect(time.Minute, "4.04")
	})
}

// A notification that is out of date before it could be sent is not sent.
func TestOutdatedNotificationIsDropped(t *testing.T) {
	for _, gone := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s := observing(t, device12, "/3303/1/5750", "PUT /3303?con=1")
			s.net.Cut(s.device, s.p.host)
			want := []string{"first", "third"}
			for _, v := range []string{"first", "second", "third"} {
				s.label(v)
				s.expect(100 * time.Millisecond)
			}
			if gone {
				s.must(s.dev.things.Remove(context.Background(), 1))
				s.expect(100 * time.Millisecond)
				want[1] = "4.04"
			}
			s.net.Heal(s.device, s.p.host)
			s.expect(time.Minute, want...)
		})
	}
}

// Notifications that find the queue full are sent later, with the value of then.
func TestNotificationsWaitForTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := device12
		o.conn = func(c *coap.ConnConfig) { c.MaxQueue = 1 }
		s := observing(t, o, "/3303/1/5750", "PUT /3303?con=1")
		all := []*[]reply{s.notes}
		for range 4 {
			_, notes, _ := s.p.watch(to("GET /3303/1/5750").accepting(content.Text))
			all = append(all, notes)
		}
		s.net.Cut(s.device, s.p.host)
		s.label("first")
		s.pass(100 * time.Millisecond)
		s.label("last")
		s.pass(100 * time.Millisecond)
		s.net.Heal(s.device, s.p.host)
		s.pass(30 * time.Second)
		for i, notes := range all {
			if n := len(*notes); n == 0 || (*notes)[n-1].body != "last" {
				t.Errorf("observation %d is notified of %v", i, *notes)
			}
		}
		if s.p.peer.Observations() != 5 {
			t.Errorf("%d observations", s.p.peer.Observations())
		}
		// The last notification of each is not lost, either.
		s.net.Cut(s.device, s.p.host)
		s.must(s.dev.things.Remove(context.Background(), 1))
		s.pass(100 * time.Millisecond)
		s.net.Heal(s.device, s.p.host)
		s.pass(5 * time.Minute)
		for i, notes := range all {
			if n := len(*notes); (*notes)[n-1].code != coap.NotFound {
				t.Errorf("the last notification of observation %d is %v", i, (*notes)[n-1])
			}
		}
		if s.p.peer.Observations() != 0 || s.m.watched.Load() != 1 {
			t.Errorf("%d observations, %d nodes are watched", s.p.peer.Observations(), s.m.watched.Load())
		}
	})
}

func TestObservationsContinueOverAnotherConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := observing(t, device12, "/3303/1/5750", "PUT /3303?pmax=60")
		s.p.peer.Detach()
		s.label("while away")
		s.expect(5 * time.Minute)
		s.p.end.Close(errors.New("gone"))
		s.expect(5 * time.Minute)
		if s.p.peer.Observations() != 1 {
			t.Fatal("the observation is gone")
		}
		// The same session continues over another connection.
		next, err := s.ends.NewConn(coap.ConnConfig{Socket: s.p.sock[0], Handler: s.p.peer})
		if err != nil {
			t.Fatal(err)
		}
		s.p.end = next
		s.p.peer.Attach(next)
		s.expect(time.Second, "while away")
		s.label("back")
		s.expect(time.Second, "back")
	})
}

// An observation also outlives its connection where the connection ends before Detach is called.
func TestObservationOutlivesItsConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := observing(t, released(), "/3303/1/5750", "PUT /3303?pmax=60")
		old := s.p.peer.observed[0]
		s.p.end.Close(errors.New("gone"))
		if s.p.peer.Observations() != 1 || old.timer.Pending() {
			t.Errorf("%d observations, another sample scheduled: %v", s.p.peer.Observations(), old.timer.Pending())
		}
		s.label("while away")
		s.expect(time.Hour)
		next, err := s.ends.NewConn(coap.ConnConfig{Socket: s.p.sock[0], Handler: s.p.peer})
		s.must(err)
		s.p.end = next
		s.p.peer.Attach(next)
		s.expect(time.Second, "while away")
		s.expect(time.Minute, "while away")
	})
}
