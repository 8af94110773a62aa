package lwm2m

import (
	"context"
	"errors"
	"fmt"
	"slices"

	genaccess "github.com/lwm2mgen/toolkit/generated/accesscontrol"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/records"
	"github.com/lwm2mgen/toolkit/runtime/objects/accesscontrol"
	"github.com/lwm2mgen/toolkit/runtime/objects/enrolment"
)

// alwaysStored are the objects that Config.Store keeps in any case: accounts, credentials and
// rights.
var alwaysStored = [...]dm.ObjectID{securityID, serverID, accessID, oscoreID, coseID, enrolment.ObjectID}

// ErrStored means that what [Config.Store] holds does not fit the device, for example after an
// update of the program. Nothing in the store is changed. To start from the factory settings, open
// an empty store.
var ErrStored = errors.New("the contents of Config.Store cannot be used")

// loadRecords reads the instances that Config.Store keeps.
func (c *Client) loadRecords() error {
	if c.cfg.Store == nil {
		return nil
	}
	c.sessions = newSessionStore(c.cfg.Store, c.runStore, func(err error) {
		c.log.Warn("a security session is not stored", "endpoint", c.cfg.Endpoint, "reason", err.Error())
	})
	var err error
	c.records, err = records.Load(c.cfg.Store, append(slices.Clone(alwaysStored[:]), c.cfg.StoredObjects...), c.log)
	if err != nil {
		return fmt.Errorf("lwm2m: Config.Store: %w", err)
	}
	return nil
}

// runStore has fn, which uses Config.Store, called on another goroutine. It may be called from any
// goroutine.
func (c *Client) runStore(fn func()) {
	c.loop.sched.Post(func() { c.useStore(fn) })
}

// useStore is runStore on the loop.
func (c *Client) useStore(fn func()) {
	c.stores.run(func() { c.guard("Config.Store", fn) })
}

// persist returns the function that stores what a transaction has changed, or nil: objects that
// store themselves come first.
func (c *Client) persist(objects []dm.Object) func(context.Context, dm.Committed) error {
	var steps []func(context.Context, dm.Committed) error
	for _, o := range objects {
		if own, ok := o.(persister); ok {
			steps = append(steps, func(ctx context.Context, changed dm.Committed) error {
				if !slices.ContainsFunc(changed.Events, func(e dm.Event) bool { return e.Path.Object() == own.ID() }) {
					return nil
				}
				return own.Persist(ctx, changed)
			})
		}
	}
	if c.records != nil {
		steps = append(steps, c.records.Persist)
	} else if c.cfg.Persist != nil {
		steps = append(steps, c.cfg.Persist)
	}
	if len(steps) == 0 {
		return nil
	}
	return func(ctx context.Context, changed dm.Committed) error {
		for _, step := range steps {
			if err := step(ctx, changed); err != nil {
				return err
			}
		}
		return nil
	}
}

// restore writes the instances of Config.Store over those that the program has added.
func (c *Client) restore() error {
	if c.records == nil {
		return nil
	}
	if err := c.registerStored(); err != nil {
		return err
	}
	t, err := c.model.Begin(context.Background(), dm.Bootstrap)
	if err != nil {
		return err
	}
	defer t.Rollback()
	c.restoring.Store(t)
	defer c.restoring.Store(nil)
	if err := c.records.Restore(t); err != nil {
		return fmt.Errorf("%w: %w", ErrStored, err)
	}
	if err := t.Commit(); err != nil {
		return fmt.Errorf("%w: %w", ErrStored, err)
	}
	c.warnOfUnusedServers()
	return nil
}

// warnOfUnusedServers says that the accounts of the store differ from those of the configuration,
// which surprises somebody who has just changed that.
func (c *Client) warnOfUnusedServers() {
	if !c.records.Has(securityID) || len(c.cfg.Servers) == 0 {
		return
	}
	var stored, configured []string
	for id := range c.model.Snapshot().Instances(securityID) {
		stored = append(stored, c.uriOf(c.model.Snapshot(), id))
	}
	for _, s := range c.cfg.Servers {
		configured = append(configured, s.URI)
	}
	slices.Sort(stored)
	slices.Sort(configured)
	if !slices.Equal(stored, configured) {
		c.log.Warn("Config.Servers is not used, because Config.Store has accounts already: to start with Servers, use an empty store",
			"endpoint", c.cfg.Endpoint, "stored", stored, "configured", configured)
	}
}

// registerStored adds the objects that the client makes by itself and that have stored instances.
func (c *Client) registerStored() error {
	add := func(id dm.ObjectID, make func() (dm.Object, error)) error {
		if !c.records.Has(id) || c.model.Snapshot().Definition(id) != nil {
			return nil
		}
		o, err := make()
		if err != nil {
			return err
		}
		return c.model.Register(context.Background(), o)
	}
	return errors.Join(
		add(genaccess.ObjectID, func() (dm.Object, error) { return accesscontrol.New(accesscontrol.Config{}) }),
		add(enrolment.ObjectID, func() (dm.Object, error) { return enrolment.New() }),
	)
}

// beginStoring has Config.Store keep the data model from now on.
func (c *Client) beginStoring() error {
	if c.records == nil {
		return nil
	}
	err := c.takeRegistrations()
	if err == nil {
		err = c.storeAll()
	}
	if err != nil {
		return fmt.Errorf("Config.Store: %w", err)
	}
	return nil
}

// storeAll stores the instances as they are, and what changes from now on. No transaction comes
// between the two.
func (c *Client) storeAll() error {
	t, err := c.model.Begin(context.Background(), dm.Application)
	if err != nil {
		return err
	}
	defer t.Rollback()
	return c.records.Begin(c.model.Snapshot())
}
