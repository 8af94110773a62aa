package session

import (
	"context"
	"fmt"
	"sync"

	"github.com/lwm2mgen/toolkit/runtime/lwm2mserver"
)

// Follow prints the devices that come and go, what they report by Send, and their bootstraps, until
// ctx ends.
func (s *Session) Follow(ctx context.Context) {
	s.following.Store(true)
	var bootstraps sync.WaitGroup
	bootstraps.Go(func() { s.followBootstraps(ctx) })
	defer bootstraps.Wait()
	var (
		senders  sync.WaitGroup
		followed = map[*lwm2mserver.Client]bool{}
	)
	defer senders.Wait()
	for at := 0; ; {
		e, next, err := s.cfg.Server.WaitEvent(ctx, at, nil)
		if err != nil {
			return
		}
		at = next
		s.forgetResources(e.Registration.Endpoint)
		r := Report{Time: e.Time, Kind: "event", Device: e.Registration.Endpoint, Event: string(e.Kind)}
		if e.Kind == lwm2mserver.Registered {
			r.Text = fmt.Sprintf("LwM2M %s, %s", e.Registration.Version, lifetime(e.Registration.Lifetime))
			if e.Registration.QueueMode {
				r.Text += ", queue mode"
			}
		}
		s.print(r)
		if c, ok := s.cfg.Server.Client(r.Device); ok && !followed[c] {
			followed[c] = true
			senders.Go(func() { s.followSends(ctx, r.Device, c) })
		}
	}
}

// followSends prints what a device reports by Send.
func (s *Session) followSends(ctx context.Context, endpoint string, c *lwm2mserver.Client) {
	for at := 0; ; {
		a, next, err := c.WaitSent(ctx, at)
		if err != nil {
			return
		}
		at = next
		r := s.answer(a, c.Registration().Objects.Root)
		r.Kind, r.Device, r.Code = "sent", endpoint, ""
		s.print(r)
	}
}
