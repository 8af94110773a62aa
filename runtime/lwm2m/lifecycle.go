package lwm2m

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/account"
)

// Update sends a registration update to a server, even if nothing has changed. A server that the
// device is not registered with is left to the attempts that are planned. The error is
// [ErrUnknownServer]. Update may be called from any goroutine.
func (c *Client) Update(id ShortServerID) error {
	return c.with(id, (*server).requestUpdate)
}

// UpdateAll is Update for every server. It may be called from any goroutine.
func (c *Client) UpdateAll() { c.withAll((*server).requestUpdate) }

// Register registers with a server again, at once and whatever was planned: where the client has given
// up, during the initial delay, and where an account that failed holds this one back (/1/x/15). An
// account whose turn in the order of registrations has not come registers when it comes, one that is
// offline when it is online again, and a disabled one when it is enabled. The error is
// [ErrUnknownServer]. Register may be called from any goroutine.
func (c *Client) Register(id ShortServerID) error {
	return c.with(id, func(s *server) {
		if first := s.wishes.after; first != nil && first.state.Outcome == account.Failed {
			s.wishes.turn, s.wishes.after = true, nil
		}
		s.requestRegister()
	})
}

// RegisterAll is Register for every server, in the order of registrations. It may be called from any
// goroutine.
func (c *Client) RegisterAll() { c.withAll((*server).requestRegister) }

func (s *server) requestUpdate() {
	s.wishes.update = true
	s.client.planUpdates()
}
func (s *server) requestRegister() { s.handle(account.Event{Kind: account.RegisterRequested}) }

// Disable de-registers from the server and stays away from it for d, or until Enable if d is 0. It
// may be called from any goroutine; the error is [ErrUnknownServer].
func (c *Client) Disable(id ShortServerID, d time.Duration) error {
	return c.with(id, func(s *server) { s.setDisabled(true, d) })
}

// Enable ends a Disable, be it the application's or the server's own (/1/x/4). It may be called
// from any goroutine; the error is [ErrUnknownServer].
func (c *Client) Enable(id ShortServerID) error {
	return c.with(id, func(s *server) { s.setDisabled(false, 0) })
}

// setDisabled disables an account, for d unless that is 0, or enables it.
func (s *server) setDisabled(disabled bool, d time.Duration) {
	s.client.loop.sched.Cancel(&s.enabling)
	if disabled && d > 0 {
		s.client.loop.sched.After(&s.enabling, d)
		s.enableAt = time.Now().Add(d)
	}
	if s.wishes.disabled != disabled {
		s.wishes.disabled = disabled
		s.handle(account.Event{Kind: account.FactsChanged})
	}
}

// offline is what of the client is suspended.
type offline struct {
	all     bool
	schemes map[string]bool // of URIs, in lower case
}

func (o *offline) covers(uri string) bool { return o.all || o.schemes[schemeOf(uri)] }

// Suspend takes the client offline without telling the servers: connections are ended, with their
// security sessions kept where the network can, and nothing is sent until Resume. With schemes of
// URIs only the servers that are reached by them, such as "coap+tcp". Registrations whose lifetime
// ends meanwhile are made anew. It may be called from any goroutine.
func (c *Client) Suspend(schemes ...string) { c.setOffline(true, schemes) }

// Resume ends a Suspend: without schemes altogether, with schemes for those. Servers that still
// know the device get an Update. It may be called from any goroutine.
func (c *Client) Resume(schemes ...string) { c.setOffline(false, schemes) }

func (c *Client) setOffline(off bool, schemes []string) {
	schemes = slices.Clone(schemes)
	c.loop.sched.Post(func() {
		switch {
		case len(schemes) == 0:
			c.offline = offline{all: off}
		case off:
			if c.offline.schemes == nil {
				c.offline.schemes = map[string]bool{}
			}
			for _, s := range schemes {
				c.offline.schemes[strings.ToLower(s)] = true
			}
		default:
			for _, s := range schemes {
				delete(c.offline.schemes, strings.ToLower(s))
			}
		}
		for _, s := range slices.Clone(c.servers) {
			if covered := c.offline.covers(s.settings.uri); s.wishes.offline != covered {
				s.wishes.offline = covered
				s.handle(account.Event{Kind: account.FactsChanged})
			}
		}
		c.publish()
	})
}

// RequestBootstrap says that a bootstrap is to be had; it shows in Status until it was. It may be
// called from any goroutine; the error is [ErrNoBootstrap].
func (c *Client) RequestBootstrap() error {
	if !bootstrapAccount(c.model.Snapshot()) {
		return ErrNoBootstrap
	}
	c.loop.sched.Post(func() { c.requestBootstrap(errors.New("it was asked for"), nil) })
	return nil
}

// requestBootstrap notes, once, why a bootstrap is needed.
// by is the account that has given up registering, if that is why.
func (c *Client) requestBootstrap(reason error, by *server) {
	if c.bootstrapReason != nil || c.closing {
		return
	}
	c.bootstrapReason, c.bootstrapBy = reason, by
	c.log.Warn("a bootstrap is wanted", "endpoint", c.cfg.Endpoint, "reason", reason.Error())
	c.publish()
}

// noBootstrapFor withdraws the request that an account made which is registered by now.
func (c *Client) noBootstrapFor(s *server) {
	if c.bootstrapBy == s {
		c.bootstrapReason, c.bootstrapBy = nil, nil
	}
}

// with calls fn on the loop for one account.
func (c *Client) with(id ShortServerID, fn func(*server)) error {
	if !slices.ContainsFunc(accountsIn(c.model.Snapshot()), func(v settings) bool { return v.shortID == id }) {
		return ErrUnknownServer
	}
	c.withAll(func(s *server) {
		if s.settings.shortID == id {
			fn(s)
		}
	})
	return nil
}

// withAll calls fn on the loop for every account.
func (c *Client) withAll(fn func(*server)) {
	c.loop.sched.Post(func() {
		if c.closing {
			return
		}
		for _, s := range slices.Clone(c.servers) {
			fn(s)
		}
	})
}

// control is what the executables of the Server object see of the client.
type control struct{ c *Client }

func (k control) settings(id dm.InstanceID) (settings, error) {
	for _, a := range accountsIn(k.c.model.Snapshot()) {
		if a.instance == id {
			return a, nil
		}
	}
	return settings{}, dm.Errorf(dm.InternalServerError, "%w", ErrUnknownServer)
}

// DisableAccount implements server.Client.
func (k control) DisableAccount(id dm.InstanceID) error {
	a, err := k.settings(id)
	if err != nil {
		return err
	}
	return k.c.Disable(a.shortID, max(a.disableTimeout, time.Second))
}

// UpdateAccount implements server.Client.
func (k control) UpdateAccount(id dm.InstanceID) error {
	a, err := k.settings(id)
	if err != nil {
		return err
	}
	return k.c.Update(a.shortID)
}

// RequestBootstrap implements server.Client.
func (k control) RequestBootstrap() error {
	if err := k.c.RequestBootstrap(); err != nil {
		return dm.Errorf(dm.MethodNotAllowed, "%w", err)
	}
	return nil
}
