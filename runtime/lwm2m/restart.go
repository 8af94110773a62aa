package lwm2m

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/account"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/link"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/manage"
	"github.com/lwm2mgen/toolkit/runtime/store"
)

// registrationsRecord is the record of what a client that has detached leaves to the next one. It
// is removed durably before it is used: a registration that goes on twice would repeat message IDs,
// and after a kill there is none.
const registrationsRecord = "registrations"

// sessionPrefix begins the names of the records of security sessions.
const sessionPrefix = "session/"

// The executables of the Device object that restart the device.
const (
	rebootID       dm.ResourceID = 4
	factoryResetID dm.ResourceID = 5
)

// savedVersion is the version of the record.
const savedVersion = 1

// savedClient is what one client leaves to the next.
type savedClient struct {
	Version  int           `json:"version"`
	BootID   string        `json:"boot"`
	Endpoint string        `json:"endpoint"`
	At       int64         `json:"at"`              // microseconds since 1970
	Ended    string        `json:"ended,omitempty"` // why no registration goes on
	Servers  []savedServer `json:"servers"`
}

// savedServer is a connection, and the registration with all that the server has at the device,
// unless the server does not know the device. The state of the connection is of use without the
// registration, too: where the security session goes on, the server may repeat a request.
type savedServer struct {
	ShortID  ShortServerID `json:"server"`
	Security dm.InstanceID `json:"security"`
	URI      string        `json:"uri"`
	Link     link.State    `json:"link"`
	// Location is nil without a registration.
	Location    []string         `json:"location,omitempty"`
	LwM2M       string           `json:"lwm2m"`
	VersionStep uint8            `json:"versionStep,omitempty"`
	NoFormats   bool             `json:"noFormats,omitempty"`
	Unsure      bool             `json:"unsure,omitempty"` // whether the last Update has arrived
	Lifetime    int64            `json:"lifetime"`         // seconds, 0 for ever
	Binding     string           `json:"binding,omitempty"`
	Queue       bool             `json:"queue,omitempty"`
	Links       string           `json:"links,omitempty"`
	Expires     int64            `json:"expires,omitempty"` // microseconds since 1970
	Peer        manage.SavedPeer `json:"peer"`
}

// defaultBootID returns what identifies the time since the machine was started, if the system says.
func defaultBootID() string {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// takeRegistrations reads what the last client has left, and removes it from the store.
func (c *Client) takeRegistrations() error {
	record, err := store.Get(c.cfg.Store, registrationsRecord)
	if err != nil {
		return err
	}
	var saved savedClient
	switch {
	case record == nil:
		err = errors.New("the last client was killed, or had another store")
	default:
		err = saved.parse(record)
	}
	if err != nil {
		if c.records.Has(securityID) {
			c.registersAgain(err)
		}
		return c.forgetSessions()
	}
	if err := c.cfg.Store.Apply(store.Delete(registrationsRecord)); err != nil {
		return err
	}
	c.saved = saved.Servers
	if c.savedFault = saved.check(&c.cfg, time.Now()); c.savedFault != nil {
		c.registersAgain(c.savedFault)
	}
	return nil
}

// forgetSessions removes the security sessions of the last client, and its registrations. It is for
// a client that does not know the message IDs which that has used: over the same DTLS association
// the server would take new messages for repetitions, and the device repetitions for new messages.
func (c *Client) forgetSessions() error {
	var batch []store.Change
	for _, prefix := range []string{registrationsRecord, sessionPrefix} {
		err := c.cfg.Store.Load(prefix, func(name string, _ []byte) error {
			batch = append(batch, store.Delete(name))
			return nil
		})
		if err != nil {
			return err
		}
	}
	if batch == nil {
		return nil
	}
	return c.cfg.Store.Apply(batch...)
}

func (s *savedClient) parse(record []byte) error {
	if err := json.Unmarshal(record, s); err != nil {
		return err
	}
	if s.Version != savedVersion {
		return fmt.Errorf("another version of the program has stored its registrations (%d)", s.Version)
	}
	return nil
}

// registersAgain logs why no registration of the last client goes on.
func (c *Client) registersAgain(why error) {
	c.log.Info("the device registers again", "endpoint", c.cfg.Endpoint, "reason", why.Error())
}

// check returns why no registration can go on.
func (s *savedClient) check(cfg *Config, now time.Time) error {
	switch {
	case s.Ended != "":
		return errors.New(s.Ended)
	case cfg.BootID == "":
		return errors.New("nothing tells whether the machine was restarted: set Config.BootID")
	case s.BootID != cfg.BootID:
		return errors.New("the machine was restarted")
	case s.Endpoint != cfg.Endpoint:
		return errors.New("the device has another endpoint name")
	case now.UnixMicro() < s.At:
		return errors.New("the clock was set back")
	}
	return nil
}

// resume has a server that was just made go on with its connection and its registration of before
// the restart, if the account is the same.
func (s *server) resume() {
	c := s.client
	i := slices.IndexFunc(c.saved, func(x savedServer) bool { return x.ShortID == s.settings.shortID })
	if i < 0 {
		return
	}
	saved := c.saved[i]
	c.saved = slices.Delete(c.saved, i, i+1)
	if saved.URI != s.settings.uri || saved.Security != s.settings.security {
		s.log.Info("the device registers again", "reason", "the account has changed")
		return
	}
	s.link.Restore(saved.Link)
	if c.savedFault != nil || saved.Location == nil {
		return
	}
	version, err := saved.check(s.versions, time.Now())
	if err != nil {
		s.log.Info("the device registers again", "reason", err.Error())
		return
	}
	now, lifetime := c.loop.sched.Now(), seconds(uint64(saved.Lifetime))
	s.state = account.Resumed(saved.VersionStep, saved.NoFormats, saved.Unsure)
	s.registration = registration{
		location: saved.Location, version: version, before: true, stale: true,
		offer: offer{lifetime: lifetime, binding: saved.Binding, links: saved.Links, queue: saved.Queue},
	}
	if lifetime > 0 {
		s.registration.until = time.UnixMicro(saved.Expires)
		s.registration.expires = now.Add(time.Until(s.registration.until))
		wait, _ := updateIn(lifetime, s.params())
		s.registration.updateAt = s.registration.expires.Add(wait - lifetime)
	}
	s.peer.SetVersion(version)
	for _, err := range s.peer.Restore(saved.Peer) {
		s.log.Warn("something of before the restart cannot go on", "reason", err.Error())
	}
	s.log.Info("the device goes on with its registration of before the restart", "location", s.registration.path(),
		"observations", s.peer.Observations())
}

// check returns the version of a registration, or why it cannot go on.
func (s *savedServer) check(offered []registry.Version, now time.Time) (registry.Version, error) {
	version, err := registry.ParseVersion(s.LwM2M)
	switch {
	case err != nil:
		return version, err
	case int(s.VersionStep) >= len(offered) || offered[s.VersionStep] != version:
		return version, errors.New("the versions of LwM2M to offer have changed")
	case s.Lifetime != 0 && now.UnixMicro() >= s.Expires:
		return version, errors.New("the registration has expired")
	}
	return version, nil
}

// save returns what the next client needs to go on with the connection, and with the registration
// if the server knows the device. peer is what the server had before the connection ended.
func (s *server) save(peer manage.SavedPeer) savedServer {
	saved := savedServer{ShortID: s.settings.shortID, Security: s.settings.security, URI: s.settings.uri, Link: s.link.Save()}
	r, known := &s.registration, s.state.Registration
	if known != account.Known && known != account.Unsure || r.location == nil || s.client.rebooting {
		return saved
	}
	saved.Location, saved.LwM2M, saved.Peer = r.location, r.version.String(), peer
	saved.VersionStep, saved.NoFormats, saved.Unsure = s.state.VersionStep, s.state.NoFormats, known == account.Unsure
	saved.Lifetime, saved.Binding, saved.Links, saved.Queue = int64(r.offer.lifetime/time.Second), r.offer.binding, r.offer.links, r.offer.queue
	if r.offer.lifetime > 0 {
		saved.Expires = r.until.UnixMicro()
	}
	return saved
}

// leaveRegistrations takes all accounts offline and stores their registrations for the next client.
func (c *Client) leaveRegistrations() {
	peers := make([]manage.SavedPeer, len(c.servers))
	if c.cfg.Store != nil {
		for i, s := range c.servers {
			peers[i] = s.peer.Save()
		}
	}
	servers := slices.Clone(c.servers)
	c.offline.all = true
	c.applyOffline()
	if c.cfg.Store == nil {
		return
	}
	ended := ""
	if c.rebooting {
		ended = "a server has asked for a reboot"
	}
	var left []savedServer
	for i, s := range servers {
		left = append(left, s.save(peers[i]))
	}
	c.leave(ended, left)
}

// leave stores what the next client goes on with. ended says why no registration is among it.
func (c *Client) leave(ended string, servers []savedServer) {
	c.hasLeft = true
	record, err := json.Marshal(savedClient{
		Version: savedVersion, BootID: c.cfg.BootID, Endpoint: c.cfg.Endpoint, At: time.Now().UnixMicro(), Ended: ended, Servers: servers,
	})
	if err != nil {
		c.failedToLeave(err)
		return
	}
	c.useStore(func() {
		if err := c.cfg.Store.Apply(store.Put(registrationsRecord, record)); err != nil {
			c.failedToLeave(err)
		}
	})
}

func (c *Client) failedToLeave(err error) {
	c.log.Warn("the next client registers again", "endpoint", c.cfg.Endpoint, "reason", err.Error())
}

// leaveConnections stores the connections of a client that has de-registered: their sessions can be
// resumed.
func (c *Client) leaveConnections() {
	if c.cfg.Store != nil && !c.hasLeft {
		c.leave("the last client has de-registered", c.left)
	}
}

// noteExecuted notes that a server has rebooted the device: a registration does not outlive that.
func (c *Client) noteExecuted(p dm.Path) {
	if p.Object() == deviceID && (p.Resource() == rebootID || p.Resource() == factoryResetID) {
		c.rebooting = true
	}
}
