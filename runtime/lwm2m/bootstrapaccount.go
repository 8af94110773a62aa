package lwm2m

import (
	"slices"
	"time"

	gensecurity "github.com/lwm2mgen/toolkit/generated/security"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/account"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/bootstrap"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/provision"
)

// bootstrapAccount are the values of the account of the bootstrap server in the Security object.
type bootstrapAccount struct {
	present  bool
	instance dm.InstanceID
	uri      string
	holdOff  time.Duration // /0/x/11
	timeout  time.Duration // /0/x/12; 0 keeps the account
}

// bootstrapAccountIn returns the account of the bootstrap server in a snapshot. A device has at
// most one (Core 1.2.2 §6.1.2); of several the one with the lowest instance ID is used.
func (c *Client) bootstrapAccountIn(s dm.Snapshot) bootstrapAccount {
	for id := range s.Instances(securityID) {
		v := c.valuesOf(s, securityID, id)
		if !v.bool(gensecurity.BootstrapServerID, false) {
			continue
		}
		return bootstrapAccount{
			present: true, instance: id, uri: v.text(gensecurity.ServerURIID),
			holdOff: seconds(v.number(gensecurity.ClientHoldOffTimeID, 0)),
			timeout: seconds(v.number(gensecurity.BootstrapServerAccountTimeoutID, 0)),
		}
	}
	return bootstrapAccount{}
}

// reconcile applies the present account of the bootstrap server. credentials says whether the
// Security instance may hold other credentials.
func (b *bootstrapper) reconcile(now bootstrapAccount, credentials bool) {
	if b.settling { // the sequence has published, and its end is not handled yet
		b.replaced = b.replaced || credentials
		return
	}
	old := b.account
	b.account = now
	other := old.uri != now.uri || old.instance != now.instance || credentials
	switch {
	case !old.present && !now.present:
		return
	case !old.present:
		b.log.Info("bootstrap server added", "uri", now.uri)
	case !now.present:
		b.log.Info("bootstrap server removed", "uri", old.uri)
	case other:
		b.log.Info("the account of the bootstrap server has changed", "uri", now.uri)
	}
	if other {
		b.link.Renew()
	}
	if old.present != now.present || old.timeout != now.timeout {
		b.client.loop.sched.Cancel(&b.purge)
		if b.purging = b.purging && now.present; b.purging {
			b.purging = false
			b.startPurge()
		}
	}
	if other && old.present {
		b.handle(bootstrap.Event{Kind: bootstrap.AccountChanged})
	} else {
		b.handle(bootstrap.Event{Kind: bootstrap.FactsChanged})
	}
	if old.present != now.present {
		b.client.factsChanged() // whether a bootstrap can follow a failed registration
	}
}

// startPurge starts the time after which the account is deleted (/0/x/12), unless it runs. It
// begins with the end of a bootstrap and with the first registration after a start: a restart makes
// no account immortal, and no account goes before the device has a server that works.
func (b *bootstrapper) startPurge() {
	if b.account.present && b.account.timeout > 0 && !b.purging {
		b.purging = true
		b.client.loop.sched.After(&b.purge, b.account.timeout)
	}
}

// onPurge deletes the account. During a bootstrap it waits for its end.
func (b *bootstrapper) onPurge() {
	if b.state.Attempting() {
		b.client.loop.sched.After(&b.purge, time.Second)
		return
	}
	id := b.account.instance
	b.client.store("delete the account of the bootstrap server", func(t *dm.Transaction) error {
		return provision.PurgeAccount(t, id)
	}, func(err error) {
		if err != nil && b.account.present && !b.client.closing { // a hook, or Config.Persist
			b.client.loop.sched.After(&b.purge, time.Minute)
		}
	})
}

// needsBootstrap reports whether the registrations need a bootstrap.
func (c *Client) needsBootstrap() bool {
	_, cause := c.bootstrapCause()
	return cause != nil
}

// bootstrapCause returns why the registrations need a bootstrap (Core 1.2.2 §6.1.4), nil if they do
// not, and the server whose registration has failed, if that is why.
func (c *Client) bootstrapCause() (by *server, cause error) {
	for _, s := range c.servers {
		if s.asksForBootstrap() {
			return s, s.failure()
		}
	}
	if !c.hasUsableServer() {
		return nil, errNoServer
	}
	return nil, nil
}

// hasUsableServer reports whether there is an account that the client can register with.
func (c *Client) hasUsableServer() bool {
	for _, s := range c.servers {
		if s.state.Effort != account.Invalid && !s.intent.removed {
			return true
		}
	}
	return false
}

// asksForBootstrap reports whether a registration has failed for good since the last one that has
// succeeded, and the account asks for a bootstrap then (/1/x/16).
func (s *server) asksForBootstrap() bool {
	return s.failedForGood && s.settings.bootstrap && !s.intent.removed && !s.intent.disabled && !s.intent.offline
}

// failure returns why the registration has failed for good.
func (s *server) failure() error {
	if s.finalErr != nil {
		return s.finalErr
	}
	return errNoServer
}

// settleBootstrap tells the bootstrapper when an account begins or ceases to ask for a bootstrap.
func (s *server) settleBootstrap() {
	if s.state.Outcome == account.Succeeded {
		s.failedForGood, s.finalErr = false, nil
		s.client.boot.startPurge()
	}
	if asks := s.asksForBootstrap(); asks != s.asked || s.state.Effort != s.shownEffort {
		s.asked, s.shownEffort = asks, s.state.Effort
		s.client.boot.handle(bootstrap.Event{Kind: bootstrap.FactsChanged})
	}
}

// factsChanged lets all accounts look at the facts again.
func (c *Client) factsChanged() {
	for _, s := range c.copyServers() {
		s.handle(account.Event{Kind: account.FactsChanged})
	}
}

func (c *Client) copyServers() []*server { return slices.Clone(c.servers) }

// close ends what the bootstrapper does when the client shuts down.
func (b *bootstrapper) close() {
	b.handle(bootstrap.Event{Kind: bootstrap.FactsChanged})
	b.client.loop.sched.Cancel(&b.purge)
	b.client.loop.sched.Cancel(&b.renewal)
	b.link.Discard(ErrClosed, false)
}
