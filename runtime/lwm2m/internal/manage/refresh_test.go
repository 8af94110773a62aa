package manage

import (
	"fmt"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
)

// A notification that waits for its turn on a slow link carries the value of the time when it is
// sent, not of the time when it was sampled.
func TestWaitingNotificationIsCurrent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const delay, observations = 5 * time.Second, 6
		o := device12
		// No retransmission falls into the round trip, so that it is measured.
		o.conn = func(c *coap.ConnConfig) { c.Params.AckTimeout = 30 * time.Second }
		s := observing(t, o, "/3303/0/5700", "PUT /3303/0/5700?pmin=60")
		all := []*[]reply{s.notes}
		for range observations - 1 {
			_, notes, _ := s.p.watch(to("GET /3303/0/5700").accepting(content.Text))
			all = append(all, notes)
		}
		s.must(s.net.SetDefaultLink(simnet.Link{Delay: delay}))
		s.must(s.p.end.Ping(func(error) {})) // the device measures the round trip of 10 s
		s.pass(3 * delay)
		seen := 0
		for second := range 180 {
			s.dev.celsius = float64(second)
			s.pass(time.Second)
			for i, notes := range all {
				for _, n := range *notes {
					seen++
					v, err := strconv.ParseFloat(n.body, 64)
					if age := float64(second) - v; err != nil || age > delay.Seconds()+1 {
						t.Errorf("observation %d is notified of %s at second %d", i, n.body, second)
					}
				}
				*notes = nil
			}
		}
		if seen < 10 {
			t.Errorf("%d notifications in 3 minutes, want one for each round trip of 10 s", seen)
		}
	})
}

// A confirmable notification that is not acknowledged is followed by another one of the newest
// value, also if that has not changed since.
func TestLostConfirmableNotificationIsRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := device12
		o.conn = func(c *coap.ConnConfig) { c.KeepOnTimeout = true }
		s := observing(t, o, "/3303/1/5750", "PUT /3303/1/5750?con=1")
		s.net.Cut(s.device, s.p.host)
		s.label("lost")
		s.pass(3 * time.Minute) // beyond MAX_TRANSMIT_WAIT
		s.net.Heal(s.device, s.p.host)
		s.pass(3 * time.Minute)
		if got := *s.notes; len(got) == 0 || got[len(got)-1].body != "lost" || got[len(got)-1].code != coap.Content {
			t.Errorf("notified %s, want the value that was lost", fmt.Sprint(got))
		}
	})
}
