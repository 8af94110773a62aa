package lwm2m

import (
	"errors"

	genserver "github.com/lwm2mgen/toolkit/generated/server"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// noteAlert stores the TLS alert that a server has sent in /1/x/11, if the account has that
// resource.
func (s *server) noteAlert(err error) {
	var alert *socket.AlertError
	if !errors.As(err, &alert) || !alert.Received {
		return
	}
	p := dm.ResourcePath(serverID, s.settings.instance, genserver.TLSAlertCodeID)
	snap := s.client.model.Snapshot()
	if snap.Has(p) && snap.Definition(serverID).Resource(uint16(genserver.TLSAlertCodeID)).Type == registry.UnsignedInteger {
		s.client.storeValue(p, dm.UnsignedValue(uint64(alert.Description)))
	}
}

// storeValue writes a resource with the application as the origin. Hooks run on the loop, as for a
// server's request; only Config.Persist runs on a worker.
func (c *Client) storeValue(p dm.Path, v dm.Value) {
	c.pending++
	c.model.BeginAsync(c.ctx, dm.Application, func(t *dm.Transaction) {
		select {
		case <-c.done: // the client has ended before the writer slot was free
			t.Rollback()
		default:
			c.loop.sched.Post(func() { c.write(t, p, v) })
		}
	})
}

// write makes the change of a storeValue on the loop. Hooks and Persist that panic, or end their
// goroutine, keep neither the writer slot nor the client's shutdown.
func (c *Client) write(t *dm.Transaction, p dm.Path, v dm.Value) {
	err, stored := errPanic, false
	defer func() {
		if !stored {
			c.endStore(t, p, err)
		}
	}()
	c.guard("a hook of the Server object", func() {
		if err = t.Write(p, dm.Update, []dm.Entry{{Path: p, Value: v}}); err == nil {
			err = t.Prepare()
		}
		stored = err == nil && t.Persists()
	})
	if stored {
		c.stores.run(func() {
			err := errPanic
			defer func() { c.loop.sched.Post(func() { c.endStore(t, p, err) }) }()
			c.guard("Config.Persist", func() { err = t.Persist() })
		})
	}
}

// endStore publishes the change of a storeValue, or rolls it back after an error.
func (c *Client) endStore(t *dm.Transaction, p dm.Path, err error) {
	defer c.onStoreEnded(p, err)
	defer t.Rollback() // has no effect after Finish
	if err == nil {
		c.guard("a hook of the Server object", func() {
			t.Publish()
			t.Finish()
		})
	}
}

// onStoreEnded is called when a storeValue has ended.
func (c *Client) onStoreEnded(p dm.Path, err error) {
	if err != nil {
		c.log.Info("a value could not be stored", "path", p.String(), "reason", err.Error())
	}
	c.onPendingEnded()
}
