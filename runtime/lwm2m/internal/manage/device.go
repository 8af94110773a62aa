package manage

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/series"
)

// DeviceConfig configures a [Device].
type DeviceConfig struct {
	// Prefix is the path segment before the object IDs of the device: up to 128 letters, digits and
	// -._~, not only digits. The zero value means the device itself, which has no prefix.
	Prefix string
	// Model is the data model of the device. Required.
	Model *dm.Model
	// Hidden are the objects that no management server sees, whose paths are 4.01. The zero value
	// means none.
	Hidden []dm.ObjectID
	// History returns the history of a resource, or nil if it has none. An observation of the
	// resource reports the values of the history instead of what it would store. The zero value
	// means that there are no histories.
	History func(dm.Path) *series.Series
	// ImpliedVersion returns the version of an object that a server of the given LwM2M version
	// assumes; Discover shows any other. The zero value means 1.0 for each.
	ImpliedVersion func(dm.ObjectID, registry.Version) registry.Version
}

func (c *DeviceConfig) check() error {
	digits := len(c.Prefix) > 0
	for i := range len(c.Prefix) {
		b := c.Prefix[i]
		digit := b >= '0' && b <= '9'
		digits = digits && digit
		if !digit && (b|0x20 < 'a' || b|0x20 > 'z') && b != '-' && b != '.' && b != '_' && b != '~' {
			return fmt.Errorf("manage: DeviceConfig.Prefix is %.64q, it must be made of letters, digits and -._~",
				c.Prefix)
		}
	}
	switch {
	case c.Model == nil:
		return errors.New("manage: DeviceConfig.Model is missing")
	case digits:
		return fmt.Errorf("manage: DeviceConfig.Prefix is %.64q, it must not look like an object ID", c.Prefix)
	case len(c.Prefix) > 128:
		return fmt.Errorf("manage: DeviceConfig.Prefix has %d characters, it must have at most 128", len(c.Prefix))
	}
	if c.ImpliedVersion == nil {
		c.ImpliedVersion = func(dm.ObjectID, registry.Version) registry.Version { return registry.V(1, 0) }
	}
	c.Hidden = slices.Clone(c.Hidden)
	return nil
}

// A Device is one data model that servers manage: that of the device itself, or that of another
// device that is reached through it under a prefix. Its methods belong to the goroutine of the
// scheduler, except those that say otherwise.
type Device struct {
	m           *Manager
	cfg         DeviceConfig
	scopes      []*scope // one for each server
	closed      bool
	unsubscribe func()
	// watched counts observations and nodes with attributes, so that changes that concern no server
	// cost nothing. For the device itself the Manager's count is used: its Server objects hold
	// defaults for observations of every device.
	watched atomic.Int64
}

// AddDevice adds a device for all servers, and subscribes to the changes of its Model. It fails
// when there is one with the same prefix, or the configuration is wrong.
func (m *Manager) AddDevice(cfg DeviceConfig) (*Device, error) {
	if m.closed {
		return nil, errors.New("manage: the manager is closed")
	}
	if err := cfg.check(); err != nil {
		return nil, err
	}
	for _, d := range m.devices {
		if d.cfg.Prefix == cfg.Prefix {
			return nil, fmt.Errorf("manage: there is already a device with the prefix %q", cfg.Prefix)
		}
	}
	d := &Device{m: m, cfg: cfg}
	m.devices = append(m.devices, d)
	for _, p := range m.peers {
		newScope(p, d)
	}
	d.unsubscribe = cfg.Model.Subscribe(d.published)
	return d, nil
}

// Close removes the device with the attributes and observations of all servers, without notifying
// them. Its paths are 4.04 from now on; requests that wait for it are dropped. Closing twice does
// nothing.
func (d *Device) Close() {
	if d.closed {
		return
	}
	d.closed = true
	d.unsubscribe()
	d.m.devices = slices.DeleteFunc(d.m.devices, func(x *Device) bool { return x == d })
	for _, s := range slices.Clone(d.scopes) {
		s.close()
	}
	d.m.changer.drop(func(c *change) bool { return c.q.scope.device == d })
}

// Notify says that a live value at p or below has changed, so that observers are notified without
// waiting for the next sample. It is safe for concurrent use.
func (d *Device) Notify(p dm.Path) {
	if d.watched.Load() == 0 {
		return
	}
	d.m.cfg.Sched.Post(func() {
		state := d.cfg.Model.Snapshot()
		state.Expire(p)
		d.markChanged(state, p, nil)
	})
}

// watch counts n more observations and nodes with attributes.
func (d *Device) watch(n int) {
	d.watched.Add(int64(n))
	d.m.watched.Add(int64(n))
}

// isWatched reports whether a change of the device may concern a server. It is safe for concurrent
// use.
func (d *Device) isWatched() bool {
	if d.cfg.Prefix == "" {
		return d.m.watched.Load() > 0
	}
	return d.watched.Load() > 0
}

// published receives what a transaction has changed, on the goroutine that published it.
func (d *Device) published(b dm.Batch) {
	if !d.isWatched() {
		return
	}
	state := d.cfg.Model.Snapshot()                     // no other transaction has published since
	if c, ok := b.Cause.(*change); ok && c.publishing { // so this is the loop
		d.onPublished(state, b.Events, c)
		return
	}
	events := slices.Clone(b.Events)
	d.m.cfg.Sched.Post(func() { d.onPublished(state, events, nil) })
}

// onPublished brings attributes and observations in line with changes, which led to a state; by is
// the request that made them, nil where none did.
func (d *Device) onPublished(state dm.Snapshot, events []dm.Event, by *change) {
	for _, e := range events {
		for _, s := range d.scopes {
			s.forgetAttributes(e)
		}
		if e.Path.Level() >= dm.ResourceLevel {
			state.Expire(e.Path) // a server may have written a live value
		}
		if by != nil && !d.m.cfg.SelfNotify && by.wrote(e.Path) {
			d.markChanged(state, e.Path, by.q.scope)
		} else {
			d.markChanged(state, e.Path, nil)
		}
	}
	if by != nil {
		by.q.scope.reporter.rebaseOwnWrites()
	}
}

// markChanged marks the observations that a change at path concerns; writer is the scope of the
// server whose request made the change, if that server is not to be notified.
func (d *Device) markChanged(state dm.Snapshot, path dm.Path, writer *scope) {
	for _, s := range d.scopes {
		s.reporter.markChanged(state, path, s == writer)
	}
	if d.cfg.Prefix == "" && path.Object() == serverObject {
		for _, p := range d.m.peers {
			p.defaultsChanged()
		}
	}
}
