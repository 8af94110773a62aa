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
	ctx, cancel := c.withTimeout(ctx)
	held, done := make(chan struct{}), make(chan error, 1)
	notify := sync.OnceFunc(func() { close(held) })
	ctx = lwm2mserver.WithHeldFunc(ctx, func(lwm2mserver.Operation) {
		if c.following.Load() {
			c.late.Store(true)
			c.deadline.timer.Stop()
		}
		notify()
	})
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

// deadline ends a command that waits for its device for too long.
type deadline struct {
	timer  *time.Timer
	mu     sync.Mutex
	reason func() string
}

// extend has the command end after d, with the reason that a function returns then. It is safe for
// concurrent use.
func (c *command) extend(d time.Duration, reason func() string) {
	c.deadline.mu.Lock()
	defer c.deadline.mu.Unlock()
	c.deadline.reason = reason
	c.deadline.timer.Reset(d)
}

// withTimeout returns the context of a command on a device. It ends with ctx, unless the shell has
// gone on, with the session, and at the deadline.
func (c *command) withTimeout(ctx context.Context) (context.Context, context.CancelCauseFunc) {
	own, cancel := context.WithCancelCause(c.background)
	stop := context.AfterFunc(ctx, func() {
		if !c.late.Load() {
			cancel(context.Cause(ctx))
		}
	})
	c.deadline.reason = func() string { return fmt.Sprintf("no answer within %v", c.cfg.Timeout) }
	c.deadline.timer = time.AfterFunc(c.cfg.Timeout, func() {
		c.deadline.mu.Lock()
		reason := c.deadline.reason()
		c.deadline.mu.Unlock()
		if !c.device.Awake() {
			reason += ": the device is asleep"
		}
		cancel(errors.New(reason))
	})
	context.AfterFunc(own, func() { stop(); c.deadline.timer.Stop() })
	return own, cancel
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
