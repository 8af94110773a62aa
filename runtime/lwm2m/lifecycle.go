package lwm2m

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/account"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/bootstrap"
)

// Update sends an Update to a server, even if nothing has changed. It has no effect if the device
// is not registered with the server, because the next Register contains everything. The error is
// [ErrUnknownServer], or [ErrClosed] after Shutdown. Update may be called from any goroutine.
func (c *Client) Update(id ShortServerID) error {
	return c.post(id, (*server).requestUpdate)
}

// UpdateAll is Update for every server. It may be called from any goroutine.
func (c *Client) UpdateAll() { c.postAll((*server).requestUpdate) }

// Register registers with a server again at once and replaces any planned attempt. It also works
// after the client has given up, during the initial delay, and if an account that has failed blocks
// this one (/1/x/15). If the account's turn in the order of registrations has not come, Register
// waits for it; if the account is offline or disabled, Register waits until it is online or enabled
// again. The error is [ErrUnknownServer], or [ErrClosed] after Shutdown. Register may be called
// from any goroutine.
func (c *Client) Register(id ShortServerID) error {
	return c.post(id, func(s *server) {
		if first := s.intent.after; first != nil && first.state.Outcome == account.Failed {
			s.intent.turn, s.intent.after = true, nil
		}
		s.requestRegister()
	})
}

// RegisterAll is Register for every server, in the order of registrations. It may be called from
// any goroutine.
func (c *Client) RegisterAll() { c.postAll((*server).requestRegister) }

func (s *server) requestUpdate() {
	s.intent.update = true
	s.client.planUpdates()
}

func (s *server) requestRegister() { s.handle(account.Event{Kind: account.RegisterRequested}) }

// Disable de-registers from a server and disables its account for d, or until Enable is called if d
// is 0. The error is [ErrUnknownServer], or [ErrClosed] after Shutdown. Disable may be called from
// any goroutine.
func (c *Client) Disable(id ShortServerID, d time.Duration) error {
	return c.post(id, func(s *server) { s.setDisabled(true, d) })
}

// Enable ends a Disable, of the application or of the server itself (/1/x/4). The error is
// [ErrUnknownServer], or [ErrClosed] after Shutdown. Enable may be called from any goroutine.
func (c *Client) Enable(id ShortServerID) error {
	return c.post(id, func(s *server) { s.setDisabled(false, 0) })
}

// setDisabled disables an account, for d unless that is 0, or enables it.
func (s *server) setDisabled(disabled bool, d time.Duration) {
	s.client.loop.sched.Cancel(&s.enabling)
	if disabled && d > 0 {
		s.client.loop.sched.After(&s.enabling, d)
		s.enableAt = time.Now().Add(d)
	}
	if s.intent.disabled != disabled {
		s.intent.disabled = disabled
		if !disabled {
			s.err = nil // what failed before the Disable is not why the account is where it is
		}
		s.handle(account.Event{Kind: account.FactsChanged})
	}
}

// offline says which servers are suspended.
type offline struct {
	all     bool
	schemes map[string]bool // of URIs, in lower case
	servers map[ShortServerID]bool
}

func (o *offline) covers(v *settings) bool {
	return o.coversURI(v.uri) || o.servers[v.shortID]
}

// coversURI reports whether all servers with the scheme of a URI are suspended.
func (o *offline) coversURI(uri string) bool { return o.all || o.schemes[schemeOf(uri)] }

// Suspend takes the client offline without telling the servers. It ends the connections and keeps
// their security sessions if the network supports that. The client sends nothing until Resume. With
// URI schemes, such as "coap+tcp", Suspend affects only the servers with a URI of these schemes. If
// the lifetime of a registration passes in the meantime, the client registers again after Resume. A
// bootstrap ends in the same way, without counting as a failure, and follows after Resume. Suspend
// may be called from any goroutine.
func (c *Client) Suspend(schemes ...string) { c.setOffline(true, schemes) }

// Resume ends a Suspend for the servers with a URI of the given schemes. Without schemes it ends
// every Suspend and every SuspendServer. Servers that still know the device get an Update, others a
// Register. Resume may be called from any goroutine.
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
		c.applyOffline()
	})
}

// SuspendServer is Suspend for one server. The error is [ErrUnknownServer], or [ErrClosed] after
// Shutdown. It may be called from any goroutine.
func (c *Client) SuspendServer(id ShortServerID) error {
	return c.post(id, func(*server) {
		if c.offline.servers == nil {
			c.offline.servers = map[ShortServerID]bool{}
		}
		c.offline.servers[id] = true
		c.applyOffline()
	})
}

// ResumeServer ends a SuspendServer. A Suspend of the client, or of the server's URI scheme,
// remains in effect. The error is [ErrUnknownServer], or [ErrClosed] after Shutdown. It may be
// called from any goroutine.
func (c *Client) ResumeServer(id ShortServerID) error {
	return c.post(id, func(*server) {
		delete(c.offline.servers, id)
		c.applyOffline()
	})
}

// applyOffline suspends the accounts that offline covers and resumes the others.
func (c *Client) applyOffline() {
	for _, s := range slices.Clone(c.servers) {
		if covered := c.offline.covers(&s.settings); s.intent.offline != covered {
			s.intent.offline = covered
			s.handle(account.Event{Kind: account.FactsChanged})
		}
	}
	c.boot.handle(bootstrap.Event{Kind: bootstrap.FactsChanged})
	c.publish()
}

// Reconnect ends the connection to a server and connects again, with the security session if the
// network supports that. Use it when the device has moved to another network and the old connection
// is dead, but has not timed out. A Register in flight is sent again and does not count as a failed
// attempt. Without a connection Reconnect has no effect: the next attempt follows as planned. The
// error is [ErrUnknownServer], or [ErrClosed] after Shutdown. Reconnect may be called from any
// goroutine.
func (c *Client) Reconnect(id ShortServerID) error {
	return c.post(id, func(s *server) { s.handle(account.Event{Kind: account.ReconnectRequested}) })
}

// SetTransmission changes the CoAP transmission parameters for one server, for the present
// connection and later ones. The error is [ErrUnknownServer], [ErrClosed] after Shutdown, or says
// which field of p is out of range. SetTransmission may be called from any goroutine.
func (c *Client) SetTransmission(id ShortServerID, p coap.Params) error {
	if err := p.Validate(); err != nil {
		return fmt.Errorf("lwm2m: %w", err)
	}
	return c.post(id, func(s *server) { s.setTransmission(p) })
}

func (s *server) setTransmission(p coap.Params) {
	s.transmission = &p
	if err := s.link.SetParams(p); err != nil {
		s.log.Error("the transmission parameters are not changed", "reason", err.Error())
	}
}

// Stats returns the counters of all connections to a server since its account was added, and false
// if there is no such account. Call Stats on the goroutine of the loop: in a callback, or through
// Sched().Post.
func (c *Client) Stats(id ShortServerID) (coap.Stats, bool) {
	for _, s := range c.servers {
		if s.settings.shortID == id {
			return s.link.Stats(), true
		}
	}
	return coap.Stats{}, false
}

// Traffic returns how many bytes the client has sent and received since New, over all connections
// to all servers, those of removed accounts included. The bytes are those of the network, with the
// overhead of DTLS and TLS and without the headers of IP, UDP and TCP. A network that does not
// count (socket.Counters) adds the bytes of its CoAP messages. Traffic may be called from any
// goroutine.
func (c *Client) Traffic() (sent, received uint64) { return c.links.Traffic.Bytes() }

// WatchMessages calls fn with the size in bytes of each CoAP message that the client sends or
// receives from now on, retransmissions included, until stop is called: one of the two sizes is 0.
// The sizes are those without the overhead of DTLS, TLS and lower layers. Over a stream a call
// stands for what the network took or returned at a time. fn runs on the loop and must be quick.
// WatchMessages and stop may be called from any goroutine; a call of fn may still run when stop
// returns.
func (c *Client) WatchMessages(fn func(sent, received int)) (stop func()) {
	return c.links.Traffic.Watch(fn)
}

// RemoveServer removes an account: it deletes its instances in the Security and the Server object
// in one transaction. The client then de-registers from the server. The error is
// [ErrUnknownServer], or the error of a hook or of Config.Persist; nothing is removed then.
// RemoveServer waits for other transactions until ctx ends. It may be called from any goroutine,
// but not from a hook.
func (c *Client) RemoveServer(ctx context.Context, id ShortServerID) error {
	t, err := c.model.Begin(ctx, dm.Application)
	if err != nil {
		return err
	}
	defer t.Rollback()
	accounts := c.accountsIn(c.model.Snapshot())
	i := slices.IndexFunc(accounts, func(v settings) bool { return v.shortID == id })
	if i < 0 {
		return ErrUnknownServer
	}
	paths := []dm.Path{dm.InstancePath(serverID, accounts[i].instance)}
	for _, w := range accounts[i].ways {
		paths = append(paths, dm.InstancePath(securityID, w.security))
	}
	for _, p := range paths {
		if err := t.Delete(p); err != nil {
			return err
		}
	}
	return t.Commit()
}

// RequestBootstrap starts a bootstrap at once, without the Client Hold Off Time and whatever the
// pause after a failed attempt. If the bootstrap fails, the client repeats it until it succeeds;
// Status.Bootstrap and Config.OnBootstrap say how it goes on. During an attempt RequestBootstrap
// has no further effect. The error is [ErrNoBootstrap], or [ErrClosed] after Shutdown.
// RequestBootstrap may be called from any goroutine.
func (c *Client) RequestBootstrap() error {
	return c.askForBootstrap(bootstrap.RequestedByApplication)
}

func (c *Client) askForBootstrap(by bootstrap.Kind) error {
	if c.leaving.Load() {
		return ErrClosed
	}
	if !c.bootstrapAccountIn(c.model.Snapshot()).present {
		return ErrNoBootstrap
	}
	c.loop.sched.Post(func() { c.boot.handle(bootstrap.Event{Kind: by}) })
	return nil
}

// post calls fn on the loop for one account.
func (c *Client) post(id ShortServerID, fn func(*server)) error {
	if c.leaving.Load() {
		return ErrClosed
	}
	if !slices.ContainsFunc(c.accountsIn(c.model.Snapshot()), func(v settings) bool { return v.shortID == id }) {
		return ErrUnknownServer
	}
	c.postAll(func(s *server) {
		switch {
		case s.settings.shortID != id:
		case s.intent.removed: // the account is there again, and this is the one before it
			s.later = append(s.later, fn)
		default:
			fn(s)
		}
	})
	return nil
}

// postAll calls fn on the loop for every account.
func (c *Client) postAll(fn func(*server)) {
	c.loop.sched.Post(func() {
		if c.closing {
			return
		}
		for _, s := range slices.Clone(c.servers) {
			fn(s)
		}
	})
}

// control gives the executables of the Server object access to the client.
type control struct{ c *Client }

func (k control) settings(id dm.InstanceID) (settings, error) {
	for _, a := range k.c.accountsIn(k.c.model.Snapshot()) {
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
	if st, ok := k.c.Status().Server(a.shortID); ok && errors.Is(st.Err, ErrDisabled) {
		return dm.Errorf(dm.MethodNotAllowed, "%w", ErrDisabled) // another server asks for it
	}
	return k.c.Update(a.shortID)
}

// RequestBootstrap implements server.Client.
func (k control) RequestBootstrap() error {
	if err := k.c.askForBootstrap(bootstrap.RequestedByServer); err != nil {
		return dm.Errorf(dm.MethodNotAllowed, "%w", err)
	}
	return nil
}
