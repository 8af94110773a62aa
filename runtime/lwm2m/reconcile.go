package lwm2m

import (
	"cmp"
	"slices"

	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/account"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/manage"
	"github.com/lwm2mgen/toolkit/runtime/objects/enrolment"
)

// modelChanged is called after every transaction, on the goroutine that published it.
func (c *Client) modelChanged(b dm.Batch) {
	relevant, rights := false, false
	c.mu.Lock()
	for _, e := range b.Events {
		rights = rights || affectsRights(e)
		switch {
		case e.Kind != dm.Changed, e.Path.Object() == serverID, e.Path.Object() == accessID:
			relevant = true
		case e.Path.Object() == securityID, e.Path.Object() == enrolment.ObjectID:
			relevant = true
			c.touched[e.Path.Instance()] = true
		}
		if e.Kind != dm.Changed && (e.Path.Object() == securityID || e.Path.Object() == enrolment.ObjectID) && e.Path.Level() >= dm.InstanceLevel {
			c.touched[e.Path.Instance()] = true
		}
	}
	first := relevant && !c.dirty
	c.dirty = c.dirty || relevant
	c.rightsChanged = c.rightsChanged || rights
	c.mu.Unlock()
	if first {
		c.loop.sched.Post(c.handleChanges)
	}
}

// handleChanges processes the transactions since its last call: it reconciles the accounts and
// schedules Updates.
func (c *Client) handleChanges() {
	if c.closing {
		return
	}
	c.reconcile()
	c.applyRights()
	for _, s := range c.servers {
		s.registration.stale = true
	}
	c.planUpdates()
}

// applyRights ends the observations of servers that have lost the right to read. It is called after
// reconcile, which may have changed how many servers there are.
func (c *Client) applyRights() {
	c.mu.Lock()
	changed := c.rightsChanged
	c.rightsChanged = false
	c.mu.Unlock()
	if changed {
		c.manager.RightsChanged()
	}
}

// planUpdates schedules sendUpdates: for the next turn of the loop, or for Config.UpdateDelay after
// its last call, so that a series of changes makes few Updates.
func (c *Client) planUpdates() {
	if !c.updates.Pending() {
		c.loop.sched.After(&c.updates, max(0, c.updatesFrom.Sub(c.loop.sched.Now())))
	}
}

// sendUpdates reports changes to the servers, and sends the Updates that were requested.
func (c *Client) sendUpdates() {
	c.updatesFrom = c.loop.sched.Now().Add(c.cfg.UpdateDelay)
	for _, s := range slices.Clone(c.servers) {
		s.registration.compare = s.registration.stale
		if s.registration.stale && s.queueModeChanged() {
			s.intent.update = false
			s.handle(account.Event{Kind: account.RegisterRequested})
		} else if s.intent.update {
			s.intent.update = false
			s.handle(account.Event{Kind: account.UpdateRequested})
		} else {
			s.handle(account.Event{Kind: account.FactsChanged})
		}
	}
}

// reconcile adds, changes and removes accounts until they match the Security and Server objects.
func (c *Client) reconcile() {
	c.reconcileAgain = true
	if c.reconciling {
		return // the loop below, further up the stack, repeats
	}
	c.reconcileAll()
	c.startInOrder()
	c.boot.planRenewal()
	c.publish()
}

// reconcileAll reconciles until no account has left in the meantime.
func (c *Client) reconcileAll() {
	c.reconciling = true
	defer func() { c.reconciling = false }() // also if a handler of the Logger panics
	for c.reconcileAgain {
		c.reconcileAgain = false
		c.reconcileOnce()
	}
}

func (c *Client) reconcileOnce() {
	c.mu.Lock()
	touched := c.touched
	c.touched, c.dirty = map[dm.InstanceID]bool{}, false
	c.mu.Unlock()
	accounts := c.accountsIn(c.model.Snapshot())
	boot := c.bootstrapAccountIn(c.model.Snapshot())
	defer func() { c.boot.reconcile(boot, touched[boot.instance]) }()
	for _, s := range slices.Clone(c.servers) {
		if !slices.ContainsFunc(accounts, func(v settings) bool { return v.shortID == s.settings.shortID }) {
			s.intent.removed = true
			s.handle(account.Event{Kind: account.FactsChanged})
		}
	}
	for _, v := range accounts {
		i := slices.IndexFunc(c.servers, func(s *server) bool { return s.settings.shortID == v.shortID })
		if i < 0 {
			c.addServer(v)
		} else {
			c.servers[i].change(v, touched[v.security])
		}
	}
}

func (c *Client) addServer(v settings) {
	s, err := c.newServer(v)
	if err != nil {
		c.log.Error("the server cannot be added", "server", v.shortID, "reason", err.Error())
		return
	}
	c.servers = append(c.servers, s)
	slices.SortFunc(c.servers, func(x, y *server) int { return cmp.Compare(x.settings.shortID, y.settings.shortID) })
	c.log.Info("server added", "server", v.shortID, "uri", v.uri)
}

// change applies new settings. If the URI or the credentials differ, the connection is replaced. It
// ends if the client cannot register with the new settings.
func (s *server) change(v settings, credentials bool) {
	if s.intent.removed {
		return // remove reconciles again, which adds the account
	}
	old := s.settings
	s.settings = v
	if !slices.Equal(old.versions, v.versions) {
		s.versions = s.client.versionsFor(v.versions)
		s.handle(account.Event{Kind: account.VersionsChanged})
	}
	if old.uri == v.uri && old.security == v.security && !credentials && (old.fault == nil) == (v.fault == nil) {
		return
	}
	s.link.Renew()
	s.peer.Reset()
	s.registration, s.err = registration{}, nil
	s.intent.offline = s.client.offline.covers(&v)
	s.log.Info("the account has changed", "uri", v.uri)
	s.handle(account.Event{Kind: account.AccountChanged})
}

// remove removes an account after its last event.
func (c *Client) remove(s *server) {
	if c.closing {
		c.left = append(c.left, s.save(manage.SavedPeer{}))
	}
	s.link.Discard(ErrClosed, !c.closing)
	c.loop.sched.Cancel(&s.enabling)
	c.loop.sched.Cancel(&s.slow)
	c.loop.sched.Cancel(&s.overdue)
	c.loop.sched.Cancel(&s.verify)
	c.loop.sched.Cancel(&s.window)
	s.closeSends(s.reason())
	s.peer.Close()
	c.servers = slices.DeleteFunc(c.servers, func(o *server) bool { return o == s })
	delete(c.offline.servers, s.settings.shortID)
	c.log.Info("server removed", "server", s.settings.shortID, "uri", s.settings.uri)
	if !c.closing {
		c.reconcile() // the account may have been added again in the meantime
		c.callLater(s)
	}
	c.publish()
	c.finish()
}

// callLater calls what was asked for an account that was added again before it had left.
func (c *Client) callLater(left *server) {
	i := slices.IndexFunc(c.servers, func(s *server) bool { return s.settings.shortID == left.settings.shortID })
	if i < 0 {
		return
	}
	s := c.servers[i]
	for _, fn := range left.later {
		fn(s)
	}
}
