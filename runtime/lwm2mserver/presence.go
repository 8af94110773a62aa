package lwm2mserver

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/lwm2mgen/toolkit/net/socket"
)

// usesQueueMode reports whether the parameters of a registration ask for queue mode: by Q, or in
// LwM2M 1.0 by a Q in the binding, such as UQ (Core 1.2.2 §6.2.1, Core 1.0.2 §5.3.1.1).
func usesQueueMode(version string, params map[string]string) bool {
	if version == "1.0" {
		return strings.Contains(params["b"], "Q")
	}
	_, queued := params["Q"]
	return queued
}

// Awake reports whether the device can be reached: it is registered and not in queue mode, or in
// queue mode and its last message arrived within Config.AwakeTime. A device in queue mode that did
// not answer a request is asleep until its next message.
func (c *Client) Awake() bool {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	return c.reg.Location != "" && c.isReachable()
}

// WaitAwake waits until the device can be reached, as Awake says, or until ctx ends.
func (c *Client) WaitAwake(ctx context.Context) error { return c.waitPresence(ctx, true) }

// WaitAsleep waits until the device is registered in queue mode and asleep, or until ctx ends.
func (c *Client) WaitAsleep(ctx context.Context) error { return c.waitPresence(ctx, false) }

func (c *Client) waitPresence(ctx context.Context, awake bool) error {
	err := c.server.wait(ctx, func() bool { return c.reg.Location != "" && c.isReachable() == awake })
	if err != nil {
		return fmt.Errorf("lwm2mserver: wait for the device to %s: %w", map[bool]string{true: "wake up", false: "fall asleep"}[awake], err)
	}
	return nil
}

// isReachable reports whether requests may be sent. The caller holds the lock or is the loop.
func (c *Client) isReachable() bool { return !c.reg.QueueMode || c.awake }

// mayMoveTo reports whether a connection may be used for the registration: it has the identity of
// the registration and, if the server requires that, its address.
func (c *Client) mayMoveTo(to *conn) bool {
	switch {
	case to.identity != c.identity:
		return false
	case to == c.conn || to.secured || !c.server.refuseMoves:
		return true
	}
	remote := to.remote()
	if to.sock.Kind() == socket.Stream {
		return remote.Addr() == c.remote.Addr()
	}
	return remote == c.remote
}

// bind makes a connection the one over which the device is reached. It runs on the loop, and the
// caller holds the lock.
func (c *Client) bind(to *conn) {
	c.identity, c.remote = to.identity, to.remote()
	if from := c.conn; from != nil {
		from.clients = slices.DeleteFunc(from.clients, func(other *Client) bool { return other == c })
	}
	c.conn = to
	to.clients = append(to.clients, c)
}

// onMessage counts the device as awake and sends what is held, after a message of the device was
// handled: its response has been sent. It runs on the loop.
func (c *Client) onMessage() {
	switch {
	case c.reg.Location == "":
		return
	case c.reg.QueueMode && c.awake:
		c.startAwakeTime()
	case c.reg.QueueMode:
		c.server.change(func() { c.wake(true) })
	}
	c.follow()
	c.sendHeld()
}

// wake counts a device in queue mode as awake. record says whether that is an event of its own. It
// runs on the loop, and the caller holds the lock.
func (c *Client) wake(record bool) {
	if !c.reg.QueueMode {
		c.awake = false
		c.server.sched.Cancel(&c.sleep)
		return
	}
	c.awake = true
	c.startAwakeTime()
	if record {
		c.server.record(Awake, c, Request{})
	}
}

func (c *Client) startAwakeTime() {
	s := c.server
	if c.sleep.Func == nil {
		c.sleep.Func = c.fallAsleep
	}
	s.sched.After(&c.sleep, s.awakeTime)
}

// fallAsleep counts a device in queue mode as asleep. It runs on the loop.
func (c *Client) fallAsleep() {
	s := c.server
	s.sched.Cancel(&c.sleep)
	if !c.awake || !c.reg.QueueMode || c.reg.Location == "" {
		return
	}
	s.change(func() {
		c.awake = false
		s.record(Asleep, c, Request{})
	})
	c.failHeld(ErrAsleep, func(r *request) bool { return r.op.NoWait })
	for _, r := range c.held {
		r.notifyHeld()
	}
}

// endPresence ends what queue mode keeps of a registration that has ended. It runs on the loop.
func (c *Client) endPresence() {
	c.awake = false
	c.server.sched.Cancel(&c.sleep)
	c.failHeld(ErrNotRegistered, func(*request) bool { return true })
}
