package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mserver"
)

// The time between two reads of the status of an update grows from minPoll to maxPoll. While an
// image is on its way, the status is read when the transfer has not advanced for idleTime. A device
// has staleTime to show what a request does: until then, the status from before the request says
// nothing.
const (
	minPoll   = 100 * time.Millisecond
	maxPoll   = time.Second
	idleTime  = 2 * time.Second
	staleTime = 3 * time.Second
)

// follow reads the status of the update until end returns true, and prints each new state. While t
// advances, the status is not read; t may be nil.
func (d *delivery) follow(ctx context.Context, t *transfer, end func(status) bool) (status, error) {
	for wait := minPoll; ; wait = min(2*wait, maxPoll) {
		if t != nil {
			if err := t.wait(ctx); err != nil {
				return status{}, err
			}
			if t.complete() {
				t.end(true)
				d.extendUntil("verified")
				t = nil
			}
		}
		s, err := d.read(ctx)
		if err != nil {
			return s, err
		}
		if phase := d.object.phase(s); s.state != d.known.state && phase != phaseIdle && phase != phaseReceiving {
			d.print(d.text(s, d.object.stateText(s)))
		}
		if s != d.known {
			d.known, wait = s, minPoll
		}
		if end(s) {
			return s, nil
		}
		if err := d.pause(ctx, wait); err != nil {
			return s, err
		}
	}
}

// extendUntil gives the device the time of -wait until it has verified or installed the image.
func (d *delivery) extendUntil(done string) {
	d.extend(d.wait, func() string { return fmt.Sprintf("the device has not %s the image within %v", done, d.wait) })
}

// read reads the status of the update. The device may restart: a read that gets no response is
// repeated, at once when the device registers.
func (d *delivery) read(ctx context.Context) (status, error) {
	for {
		a, err := d.readOnce(ctx)
		switch {
		case ctx.Err() != nil:
			return status{}, context.Cause(ctx)
		case errors.Is(err, lwm2mserver.ErrClosed):
			return status{}, err
		case errors.Is(err, errRegistered):
			continue
		case err != nil:
			if err := d.pause(ctx, maxPoll); err != nil {
				return status{}, err
			}
			continue
		case a.Code.IsError():
			return status{}, d.answer(coap.GET, d.instance.String(), a)
		}
		var s status
		if s.state, err = number(a, d.resource(d.object.state)); err == nil {
			s.result, err = number(a, d.resource(d.object.result))
		}
		return s, err
	}
}

// received reports whether the transfer of the image has ended with a status. sent says whether all
// of the image has left the server.
func (d *delivery) received(s status, sent bool) bool {
	return !d.isStale(s) && d.object.received(s, sent)
}

// installed reports whether the installation has ended with a status.
func (d *delivery) installed(s status) bool { return !d.isStale(s) && d.object.installed(s) }

// isStale reports whether a status may be the one before the last request, because the device has
// answered before it shows what the request does.
func (d *delivery) isStale(s status) bool {
	return s == d.before && time.Since(d.accepted) < staleTime
}

// errRegistered is the error of a request that is repeated because the device has registered in the
// meantime, perhaps at another address.
var errRegistered = errors.New("the device has registered")

// readOnce reads the instance. The error is that of a request without a response.
func (d *delivery) readOnce(ctx context.Context) (lwm2mserver.Answer, error) {
	if d.device.Registration().Location == "" {
		return lwm2mserver.Answer{}, lwm2mserver.ErrNotRegistered
	}
	d.events = d.lastEvent(d.events)
	ctx, cancel := context.WithCancelCause(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		if d.waitEvent(ctx) {
			cancel(errRegistered)
		}
	}()
	a, err := d.device.Read(ctx, d.instance.String(), content.None)
	cancel(nil)
	<-watched
	return a, err
}

// number returns an integer of a response.
func number(a lwm2mserver.Answer, path string) (int64, error) {
	v, err := a.Value(path)
	if err != nil {
		return 0, err
	}
	if v.Type() != registry.Integer {
		return 0, fmt.Errorf("%s is %v and no Integer", path, v)
	}
	return v.Integer(), nil
}

// pause waits for a time, or until the device registers.
func (d *delivery) pause(ctx context.Context, t time.Duration) error {
	own, cancel := context.WithTimeout(ctx, t)
	defer cancel()
	d.waitEvent(own)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// waitEvent waits until the device registers or updates its registration, and reports whether it
// has before ctx has ended.
func (d *delivery) waitEvent(ctx context.Context) bool {
	_, next, err := d.cfg.Server.WaitEvent(ctx, d.events, func(e lwm2mserver.Event) bool {
		return e.Registration.Endpoint == d.endpoint && (e.Kind == lwm2mserver.Registered || e.Kind == lwm2mserver.Updated)
	})
	if err == nil {
		d.events = next
	}
	return err == nil
}
