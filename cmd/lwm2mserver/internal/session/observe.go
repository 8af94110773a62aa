package session

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/lwm2mserver"
)

// observation is an observation of the session.
type observation struct {
	id     int
	device string
	path   string
	obs    *lwm2mserver.Observation
	stop   context.CancelFunc
}

func (c *command) observe(ctx context.Context) error {
	p, rest, err := c.path(c.args)
	if err != nil {
		return err
	}
	obs, a, err := c.device.Observe(ctx, p.String(), c.format, texts(rest)...)
	return c.begin(p.String(), obs, a, err)
}

// begin prints the answer to an Observe and starts to print notifications.
func (c *command) begin(path string, obs *lwm2mserver.Observation, a lwm2mserver.Answer, err error) error {
	if err != nil || obs == nil {
		if err := c.report(a, err); err != nil {
			return err
		}
		return errors.New("the device answered, but does not observe")
	}
	ctx, stop := context.WithCancel(context.Background())
	o := &observation{device: c.endpoint, path: path, obs: obs, stop: stop}
	c.mu.Lock()
	c.lastID++
	o.id = c.lastID
	c.observations[o.id] = o
	c.mu.Unlock()
	r := c.answer(a, "")
	r.Device, r.Command, r.Observation, r.Late = c.endpoint, c.verb.name, o.id, c.late.Load()
	c.print(r)
	c.watching.Go(func() { c.Session.watch(ctx, o) })
	return nil
}

// watch prints the notifications of an observation until it ends.
func (s *Session) watch(ctx context.Context, o *observation) {
	defer o.stop()
	for {
		a, err := o.obs.Next(ctx)
		at := time.Now()
		s.mu.Lock()
		_, active := s.observations[o.id]
		if err != nil {
			delete(s.observations, o.id)
		}
		s.mu.Unlock()
		if err != nil {
			if active && ctx.Err() == nil {
				s.print(Report{Time: at, Kind: "notification", Device: o.device, Observation: o.id, Text: "the observation has ended"})
			}
			return
		}
		r := s.answer(a, "")
		r.Time, r.Kind, r.Device, r.Observation = at, "notification", o.device, o.id
		s.print(r)
		s.mu.Lock()
		s.notified++
		close(s.arrived)
		s.arrived = make(chan struct{})
		s.mu.Unlock()
	}
}

func (c *command) listObservations(context.Context) error {
	c.mu.Lock()
	all := slices.SortedFunc(maps.Values(c.observations), func(a, b *observation) int { return cmp.Compare(a.id, b.id) })
	c.mu.Unlock()
	for _, o := range all {
		c.print(Report{Kind: "device", Device: o.device, Observation: o.id, Text: fmt.Sprintf("observation %d of %s", o.id, o.path)})
	}
	return nil
}

func (c *command) cancel(ctx context.Context) error {
	id, err := count(c.args[0].text, 1)
	if err != nil {
		return err
	}
	c.mu.Lock()
	o := c.observations[id]
	delete(c.observations, id)
	c.mu.Unlock()
	if o == nil {
		return fmt.Errorf("there is no observation %d", id)
	}
	a, err := o.obs.Cancel(ctx)
	o.stop()
	if err != nil {
		return err
	}
	r := c.answer(a, "")
	r.Device, r.Command = o.device, c.verb.name
	c.print(r)
	return refused(a.Code)
}
