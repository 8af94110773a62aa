package softwaremanagement

import (
	"context"

	"github.com/lwm2mgen/toolkit/generated/softwaremanagement"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/objects/internal/update"
)

// errState is the answer to a request that the state does not allow.
var errState = dm.Errorf(dm.MethodNotAllowed, "the state of the software does not allow it")

// request lets a server's event happen and waits until it is stored.
func (m *Manager) request(ctx context.Context, fn func(*change) bool) error {
	return m.engine.Request(ctx, errState, fn)
}

// install executes Install. It returns when the installation begins.
func (m *Manager) install(ctx context.Context, id dm.InstanceID) error {
	defer m.engine.Claim()()
	busy := m.cfg.Busy != nil && m.cfg.Busy()
	return m.request(ctx, func(c *change) bool {
		for _, other := range c.IDs() {
			busy = busy || c.Get(other).Phase == installing
		}
		return m.happen(c, id, event{kind: installExecuted}, facts{busy: busy}, nil)
	})
}

// perform executes Activate, Deactivate or Uninstall. It returns when that is done and can be read.
func (m *Manager) perform(ctx context.Context, id dm.InstanceID, k kind) error {
	done := make(waiter, 1)
	err := m.request(ctx, func(c *change) bool { return m.happen(c, id, event{kind: k}, facts{}, done) })
	if err != nil {
		return err
	}
	select {
	case err := <-done:
		return err
	case <-m.engine.Done():
		return dm.Errorf(dm.ServiceUnavailable, "the device is shutting down")
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// uninstall executes Uninstall. The argument ForUpdate is 1, which servers write as the number of
// an argument or as the value of the argument 0.
func (m *Manager) uninstall(ctx context.Context, a dm.Args) error {
	value, zero := a.Get(0)
	flag, one := a.Get(1)
	switch {
	case a.Len() == 0, a.Len() == 1 && zero && (value == "" || value == "0"):
		return m.perform(ctx, a.Instance, uninstallExecuted)
	case a.Len() == 1 && (one && flag == "" || zero && value == "1"):
		return m.perform(ctx, a.Instance, uninstallForUpdate)
	}
	return dm.Errorf(dm.BadRequest, "the argument of Uninstall is neither 0 nor 1")
}

// waiter receives the outcome of an operation, once.
type waiter chan error

// tell tells the outcome. Only the first one counts.
func (w waiter) tell(err error) {
	select {
	case w <- err:
	default: // also for nil: nobody waits
	}
}

// writes says what follows from what servers write.
func (m *Manager) writes() update.Writes[Instance, record] {
	return update.Writes[Instance, record]{
		Fields: update.Fields[Instance]{
			Object: softwaremanagement.ObjectID, Package: softwaremanagement.PackageID, PackageURI: softwaremanagement.PackageURIID,
			URI: func(i *Instance) *dm.Res[string] { return &i.PackageURI },
		},
		Show: show, CheckURI: m.checkURI, WriteURI: m.writeURI, Foresee: m.foresee, TakeBackURI: m.takeBackURI,
	}
}

// foresee returns the record after a written Package URI, or after a reset, without any effect.
func (m *Manager) foresee(id dm.InstanceID, uri string) record {
	r := m.engine.Record(id)
	if to, _, ok := next(r.state, uriEvent(uri), facts{}); ok {
		r.set(to)
		r.URI = uri
	}
	return r
}

// takeBackURI takes back the beginning of a download.
func (m *Manager) takeBackURI(id dm.InstanceID, before record) {
	m.engine.Change(func(c *change) bool {
		ok := m.happen(c, id, event{kind: resetWritten}, facts{}, nil)
		if ok {
			*c.Record(id) = before
		}
		return ok
	})
}

// checkURI returns why a server cannot write Package URI now.
func (m *Manager) checkURI(id dm.InstanceID, uri string) error {
	if err := m.engine.Ready(); err != nil {
		return err
	}
	r := m.engine.Record(id)
	if _, _, ok := next(r.state, uriEvent(uri), facts{}); !ok {
		return dm.Errorf(dm.MethodNotAllowed, "Package URI cannot be written in the phase %v", r.Phase)
	}
	return nil
}

func uriEvent(uri string) event {
	if uri == "" {
		return event{kind: resetWritten}
	}
	return event{kind: uriWritten}
}

// writeURI starts what a written Package URI asks for.
func (m *Manager) writeURI(id dm.InstanceID, uri string) {
	m.engine.Change(func(c *change) bool {
		ok := m.happen(c, id, uriEvent(uri), facts{}, nil)
		if ok {
			c.Record(id).URI = uri
		}
		return ok
	})
}

// receive returns the sink for a write of Package.
func (m *Manager) receive(id dm.InstanceID) (dm.Sink, error) {
	return m.engine.Push(update.Receiver[record]{
		ID: id, Storage: m.cfg.Components[id].Storage, MaxSize: m.cfg.MaxSize,
		Open: func(c *change) error {
			if p := c.Get(id).Phase; p >= installing {
				return dm.Errorf(dm.MethodNotAllowed, "Package cannot be written in the phase %v: uninstall the software first", p)
			}
			return nil
		},
		Begin: func(c *change) error { return m.beginPush(c, id) },
		End: func(c *change, size int64) bool {
			ok := m.happen(c, id, event{kind: packageEnded}, facts{}, nil)
			if ok {
				c.Record(id).Size = size
			}
			return ok
		},
		Fail: func(c *change, cause update.Cause) bool {
			return m.happen(c, id, event{packageFailed, resultOf(update.Fail(cause, nil), cause)}, facts{}, nil)
		},
		Reset: func(c *change) bool {
			ok := m.happen(c, id, event{kind: resetWritten}, facts{}, nil)
			if ok {
				c.Record(id).URI = ""
			}
			return ok
		},
	})
}

func (m *Manager) beginPush(c *change, id dm.InstanceID) error {
	r := c.Get(id)
	switch {
	case c.Working(id) && r.Phase == idle:
		return dm.Errorf(dm.ServiceUnavailable, "the last update has not ended yet")
	case !m.happen(c, id, event{kind: packageBegan}, facts{}, nil):
		return dm.Errorf(dm.MethodNotAllowed, "a package cannot be written in the phase %v: reset the update first", r.Phase)
	}
	c.Record(id).URI = ""
	return nil
}
