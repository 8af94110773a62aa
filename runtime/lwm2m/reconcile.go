package lwm2m

import (
	"cmp"
	"slices"

	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/account"
)

// modelChanged is told of every transaction, on whichever goroutine published it.
func (c *Client) modelChanged(b dm.Batch) {
	relevant := false
	c.mu.Lock()
	for _, e := range b.Events {
		switch {
		case e.Kind != dm.Changed, e.Path.Object() == serverID:
			relevant = true
		case e.Path.Object() == securityID:
			relevant = true
			c.touched[e.Path.Instance()] = true
		}
		if e.Kind != dm.Changed && e.Path.Object() == securityID && e.Path.Level() >= dm.InstanceLevel {
			c.touched[e.Path.Instance()] = true
		}
	}
	first := relevant && !c.dirty
	c.dirty = c.dirty || relevant
	c.mu.Unlock()
	if first {
		c.loop.sched.Post(c.handleChanges)
	}
}

// handleChanges handles what has changed since the last call.
func (c *Client) handleChanges() {
	if c.closing {
		return
	}
	c.reconcile()
	for _, s := range c.servers {
		s.registration.stale = true
	}
	c.planUpdates()
}

// planUpdates has what has changed told to the servers: in the next turn, or Config.UpdateDelay
// after the last time, so that changes which follow one another are few Updates.
func (c *Client) planUpdates() {
	if !c.updates.Pending() {
		c.loop.sched.After(&c.updates, max(0, c.updatesFrom.Sub(c.loop.sched.Now())))
	}
}

// sendUpdates tells the servers what has changed, and sends the Updates that were asked for.
func (c *Client) sendUpdates() {
	c.updatesFrom = c.loop.sched.Now().Add(c.cfg.UpdateDelay)
	for _, s := range slices.Clone(c.servers) {
		s.registration.compare = s.registration.stale
		if s.wishes.update {
			s.wishes.update = false
			s.handle(account.Event{Kind: account.UpdateRequested})
		} else {
			s.handle(account.Event{Kind: account.FactsChanged})
		}
	}
}

// reconcile makes the accounts what the Security and Server objects say.
func (c *Client) reconcile() {
	c.reconcileAgain = true
	if c.reconciling {
		return // an account has left, and the loop below goes through the accounts again
	}
	c.reconciling = true
	for c.reconcileAgain {
		c.reconcileAgain = false
		c.reconcileOnce()
	}
	c.reconciling = false
	c.giveTurns()
	c.publish()
}

func (c *Client) reconcileOnce() {
	c.mu.Lock()
	touched := c.touched
	c.touched, c.dirty = map[dm.InstanceID]bool{}, false
	c.mu.Unlock()
	accounts := accountsIn(c.model.Snapshot())
	for _, s := range slices.Clone(c.servers) {
		if !slices.ContainsFunc(accounts, func(v settings) bool { return v.shortID == s.settings.shortID }) {
			s.wishes.removed = true
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

// change takes over what an account says now. A connection to another URI, or with other
// credentials, is replaced.
func (s *server) change(v settings, credentials bool) {
	if s.wishes.removed {
		return // when it has left, the account is added again
	}
	old := s.settings
	s.settings = v
	if !slices.Equal(old.versions, v.versions) {
		s.versions = s.client.versionsFor(v.versions)
		s.handle(account.Event{Kind: account.VersionsChanged})
	}
	if old.uri == v.uri && old.security == v.security && !credentials {
		return
	}
	s.link.Renew()
	s.peer.Reset()
	s.registration, s.err = registration{}, nil
	s.wishes.offline = s.client.offline.covers(&v)
	s.log.Info("the account has changed", "uri", v.uri)
	s.handle(account.Event{Kind: account.AccountChanged})
}

// dismiss forgets an account that has left.
func (c *Client) dismiss(s *server) {
	s.link.Discard(ErrClosed)
	c.loop.sched.Cancel(&s.enabling)
	c.loop.sched.Cancel(&s.slow)
	s.peer.Close()
	c.servers = slices.DeleteFunc(c.servers, func(o *server) bool { return o == s })
	c.log.Info("server removed", "server", s.settings.shortID, "uri", s.settings.uri)
	if !c.closing {
		c.reconcile() // it may have been added again in the meantime
	}
	c.publish()
	c.finish()
}
