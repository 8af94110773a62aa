package lwm2m_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
)

func TestOnDelivery(t *testing.T) {
	var mu sync.Mutex
	var got []string
	onSender(t, func(b *bench) {
		b.cfg.OnDelivery = func(d lwm2m.Delivery) {
			mu.Lock()
			defer mu.Unlock()
			got = append(got, fmt.Sprintf("%v %v %d", d.Paths, d.Outcome, d.Stored))
			if (d.Err == nil) != (d.Outcome <= lwm2m.NotificationAcknowledged) || d.Server != 1 {
				t.Errorf("server %d: %v because of %v", d.Server, d.Outcome, d.Err)
			}
			if d.Outcome == lwm2m.NotificationRejected && !errors.Is(d.Err, coap.ErrReset) {
				t.Errorf("rejected because of %v", d.Err)
			}
		}
	}, func(s *sender) {
		take := func() []string {
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			all := got
			got = nil
			return all
		}
		wants := func(want ...string) {
			t.Helper()
			if diff := cmp.Diff(want, take()); diff != "" {
				t.Errorf("reported (-want +got):\n%s", diff)
			}
		}
		plain := s.observes(content.SenMLCBOR, "/3303/0/5700")
		s.measures(1)
		<-time.After(10 * time.Second)
		wants("[/3303/0/5700] sent 0")
		plain.Forget()
		s.measures(2)
		<-time.After(10 * time.Second)
		wants("[/3303/0/5700] sent 0", "[/3303/0/5700] rejected 0")

		confirmed := s.observes(content.SenMLCBOR, "/3303/0/5700", "con=1")
		s.measures(3)
		<-time.After(10 * time.Second)
		wants("[/3303/0/5700] acknowledged 0")
		lossy := simnet.Link{Loss: 1}
		must(t, s.net.SetDefaultLink(lossy))
		s.measures(4)
		<-time.After(time.Second)
		s.measures(5)
		// The link is lossy no longer than it must, so that the Update which verifies the
		// registration succeeds.
		var first []string
		for range 120 {
			<-time.After(time.Second)
			if first = take(); len(first) > 0 {
				break
			}
		}
		if len(first) == 0 || first[0] != "[/3303/0/5700] superseded 0" && first[0] != "[/3303/0/5700] given up 0" {
			t.Errorf("reported %v, want that the first one is superseded or given up", first)
		}
		must(t, s.net.SetDefaultLink(simnet.Link{}))
		<-time.After(5 * time.Minute)
		take()
		s.outage(3)
		s.client.Resume()
		<-time.After(time.Minute)
		wants("[/3303/0/5700] acknowledged 3")
		confirmed.Forget()
		s.measures(6)
		<-time.After(10 * time.Second)
		wants("[/3303/0/5700] rejected 0")

		_, _, err := s.dev.ObserveComposite(context.Background(), content.SenMLCBOR, []string{"/3303/0/5700", "/3/0/9"})
		must(t, err)
		s.measures(7)
		<-time.After(10 * time.Second)
		wants("[/3/0/9 /3303/0/5700] sent 0")
	})
}
