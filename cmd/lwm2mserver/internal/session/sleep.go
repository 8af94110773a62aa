package session

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/lwm2mserver"
)

// runOnDevice runs a command on a registered device. If the device sleeps, it says that the request
// waits. The shell then goes on, and the answer is printed when it comes; a script waits for it
// until the time-out.
func (c *command) runOnDevice(ctx context.Context) error {
	ctx, timer, cancel := c.withTimeout(ctx)
	held, done := make(chan struct{}), make(chan error, 1)
	notify := sync.OnceFunc(func() {
		if c.following.Load() {
			c.late.Store(true)
			timer.Stop()
		}
		close(held)
	})
	ctx = lwm2mserver.WithHeldFunc(ctx, func(lwm2mserver.Operation) { notify() })
	c.watching.Go(func() {
		defer cancel(nil)
		done <- c.verb.run(c, ctx)
	})
	select {
	case err := <-done:
		return err
	case <-held:
	}
	c.print(Report{
		Kind: "event", Device: c.endpoint, Event: "asleep", Text: c.verb.name + " waits until the device wakes up",
	})
	if !c.late.Load() {
		return <-done
	}
	c.watching.Go(func() {
		err := <-done
		if err != nil && !errors.Is(err, ErrRefused) && c.background.Err() == nil {
			c.print(Report{Kind: "error", Device: c.endpoint, Command: c.verb.name, Late: true, Error: err.Error()})
		}
	})
	return nil
}

// withTimeout returns the context of a command on a device. It ends with ctx, unless the shell has
// gone on, with the session, and when the timer fires.
func (c *command) withTimeout(ctx context.Context) (context.Context, *time.Timer, context.CancelCauseFunc) {
	own, cancel := context.WithCancelCause(c.background)
	stop := context.AfterFunc(ctx, func() {
		if !c.late.Load() {
			cancel(context.Cause(ctx))
		}
	})
	timer := time.AfterFunc(c.cfg.Timeout, func() {
		reason := ""
		if !c.device.Awake() {
			reason = ": the device is asleep"
		}
		cancel(fmt.Errorf("no answer within %v%s", c.cfg.Timeout, reason))
	})
	context.AfterFunc(own, func() { stop(); timer.Stop() })
	return own, timer, cancel
}

// held lists the requests that wait until their device wakes up.
func (c *command) held(context.Context) error {
	for _, name := range c.cfg.Server.Endpoints() {
		dev, ok := c.cfg.Server.Client(name)
		if !ok || len(c.args) > 0 && name != c.args[0].text {
			continue
		}
		for _, op := range dev.Held() {
			c.print(Report{Kind: "device", Device: name, Text: op.String()})
		}
	}
	return nil
}

// presence returns what a list says about a device in queue mode.
func presence(dev *lwm2mserver.Client) string {
	switch {
	case !dev.Registration().QueueMode:
		return ""
	case dev.Awake():
		return ", queue mode, awake"
	}
	return ", queue mode, asleep"
}
