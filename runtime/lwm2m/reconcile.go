package lwm2m

import (
	"cmp"
	"errors"
	"slices"

	"github.com/lwm2mgen/toolkit/runtime/dm"
)

var errAccountChanged = errors.New("the account has changed")

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
		c.loop.sched.Post(c.look)
	}
}

// look goes through what has changed since the last look.
func (c *Client) look() {
	if c.closing {
		return
	}
	c.reconcile()
	for _, s := range slices.Clone(c.servers) {
		s.update(false)
	}
}

// reconcile makes the accounts what the Security and Server objects say.
func (c *Client) reconcile() {
	c.mu.Lock()
	touched := c.touched
	c.touched, c.dirty = map[dm.InstanceID]bool{}, false
	c.mu.Unlock()
	accounts := accountsIn(c.model.Snapshot())
	for _, s := range slices.Clone(c.servers) {
		if !slices.ContainsFunc(accounts, func(a account) bool { return a.short == s.acct.short }) {
			s.gone = true
			s.steer()
		}
	}
	for _, a := range accounts {
		i := slices.IndexFunc(c.servers, func(s *server) bool { return s.acct.short == a.short })
		if i >= 0 {
			c.servers[i].change(a, touched[a.security])
			continue
		}
		s, err := c.newServer(a)
		if err != nil {
			c.log.Error("the server cannot be added", "server", a.short, "reason", err.Error())
			continue
		}
		c.servers = append(c.servers, s)
		slices.SortFunc(c.servers, func(x, y *server) int { return cmp.Compare(x.acct.short, y.acct.short) })
		c.log.Info("server added", "server", a.short, "uri", a.uri)
		if !a.ordered {
			s.takeTurn()
		}
	}
	c.advance()
	c.publish()
}

// change takes over what an account says now. A connection to somewhere else, or with other credentials, is made anew.
func (s *server) change(a account, credentials bool) {
	if s.gone {
		return // when it has left, the account is found anew
	}
	old := s.acct
	s.acct = a
	if !slices.Equal(old.versions, a.versions) {
		s.chooseVersion()
	}
	if !a.ordered && !s.turn {
		s.takeTurn() // nobody comes before it any more
	}
	if old.uri == a.uri && old.security == a.security && !credentials {
		return
	}
	s.chooseVersion()
	s.forgetSocket(errAccountChanged)
	s.retry, s.outcome, s.ever = retry{}, outcomeNone, false
	if s.disabled || s.offline {
		s.steer()
		return
	}
	s.enter(StateInitial, nil, errAccountChanged.Error())
	s.steer()
}

// dismiss forgets an account that has left.
func (c *Client) dismiss(s *server) {
	s.closeSocket()
	c.loop.sched.Cancel(&s.enabling)
	s.peer.Close()
	c.servers = slices.DeleteFunc(c.servers, func(o *server) bool { return o == s })
	c.log.Info("server removed", "server", s.acct.short, "uri", s.acct.uri)
	if !c.closing {
		c.reconcile() // it may have been added again meanwhile
	}
	c.publish()
	c.finish()
}
