package lwm2m

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	gensecurity "github.com/lwm2mgen/toolkit/generated/security"
	genserver "github.com/lwm2mgen/toolkit/generated/server"
	"github.com/lwm2mgen/toolkit/internal/transport"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/account"
)

// settings are the values of one account in the Security and Server objects.
type settings struct {
	shortID            ShortServerID
	security, instance dm.InstanceID // in the Security and the Server object
	uri                string
	ways               []way // all Security instances of the account; uri is that of one
	fault              error // why the client cannot register as the account says

	lifetime       time.Duration // 0 means that the registration never expires
	binding        string
	disableTimeout time.Duration
	versions       []registry.Version // that the server supports (/1/x/25); empty if absent

	ordered      bool // the account has a place in the order of registrations (/1/x/13)
	priority     uint64
	initialDelay time.Duration  // /1/x/14
	block        bool           // if it fails, the accounts after it do not register (/1/x/15)
	bootstrap    bool           // if it fails, a bootstrap is requested (/1/x/16)
	retry        account.Policy // /1/x/17 to /1/x/20
}

// The defaults of Core 1.2.2 §6.2.1.
const (
	defaultRetryCount     = 5
	defaultRetryTimer     = 60
	defaultSequenceDelay  = 86400
	defaultSequenceCount  = 1
	defaultDisableTimeout = 86400
)

// defaultRestart is the pause after the last sequence of attempts if no bootstrap can follow and
// the server has not set /1/x/19. Core defines no attempts after the last sequence: after an outage
// of 15 minutes a device would stay unreachable for ever.
const defaultRestart = time.Hour

// forever is the value of a timer that never ends, in seconds.
const forever = math.MaxUint32

// minPause is the shortest pause that a server can set. Without it a value of 0 would make the
// device send requests without a pause.
const minPause = time.Second

// seconds returns n seconds, but at most account.MaxPause, so that no value overflows.
func seconds(n uint64) time.Duration {
	if n >= uint64(account.MaxPause/time.Second) {
		return account.MaxPause
	}
	return time.Duration(n) * time.Second
}

// clampCount returns a number of attempts or sequences, but at most what 32 bits hold.
func clampCount(n uint64) uint32 { return uint32(min(n, math.MaxUint32)) }

// values reads resources of one instance in a snapshot, with the rights of the application. A
// resource with a slow function counts as absent, because values are read on the loop, and so does
// one with a function that panics.
type values struct {
	c   *Client
	ctx context.Context
	s   dm.Snapshot
	p   dm.Path // the instance
}

func (c *Client) valuesOf(s dm.Snapshot, o dm.ObjectID, id dm.InstanceID) values {
	return values{c, dm.RefuseSlow(context.Background()), s, dm.InstancePath(o, id)}
}

func (v values) get(id dm.ResourceID) (dm.Value, bool) {
	p, ok := v.p.Child(uint16(id))
	if !ok {
		return dm.Value{}, false
	}
	var val dm.Value
	err := errPanic
	v.c.guard("a function of the Security or Server object", func() { val, err = v.s.Value(v.ctx, dm.Application, p) })
	return val, err == nil
}

func (v values) text(id dm.ResourceID) string {
	val, _ := v.get(id)
	return val.Text()
}

func (v values) bool(id dm.ResourceID, other bool) bool {
	if val, ok := v.get(id); ok {
		return val.Boolean()
	}
	return other
}

// number reads an Integer or an Unsigned Integer: the versions of the objects differ in this type.
func (v values) number(id dm.ResourceID, other uint64) uint64 {
	val, ok := v.get(id)
	switch {
	case !ok:
		return other
	case val.Type() == registry.UnsignedInteger:
		return val.Unsigned()
	}
	return uint64(max(0, val.Integer()))
}

func (v values) opaque(id dm.ResourceID) []byte {
	val, _ := v.get(id)
	return val.Opaque()
}

// each calls fn for every instance of a multiple resource.
func (v values) each(id dm.ResourceID, fn func(dm.Value)) {
	p, ok := v.p.Child(uint16(id))
	if !ok || !v.s.Has(p) {
		return
	}
	v.c.guard("a function of the Security or Server object", func() {
		_ = v.s.Read(v.ctx, dm.Application, p, func(_ dm.Path, val dm.Value) error {
			if val.Type() != registry.None { // otherwise there is no instance
				fn(val)
			}
			return nil
		}) // a resource that cannot be read counts as absent
	})
}

// accountsIn returns the accounts of management servers in a snapshot, by ascending instance of the
// Server object. A Server instance without a Security instance is not an account, nor the other way
// round.
func (c *Client) accountsIn(s dm.Snapshot) []settings {
	found := map[uint64][]way{}
	for id := range s.Instances(securityID) {
		v := c.valuesOf(s, securityID, id)
		short := v.number(gensecurity.ShortServerIDID, 0)
		if short != 0 && !v.bool(gensecurity.BootstrapServerID, false) {
			found[short] = append(found[short], way{id, v.text(gensecurity.ServerURIID)})
		}
	}
	var accounts []settings
	for id := range s.Instances(serverID) {
		v := c.valuesOf(s, serverID, id)
		short := v.number(genserver.ShortServerIDID, 0) // at most 65534, by the definition
		ways := found[short]
		if len(ways) == 0 {
			continue
		}
		delete(found, short)
		a := readSettings(v)
		at := c.chooseWay(ways, v.text(genserver.PreferredTransportID))
		a.shortID, a.security, a.instance, a.uri, a.ways = ShortServerID(short), at.security, id, at.uri, ways
		accounts = append(accounts, a)
	}
	return accounts
}

// way is a Security instance of an account, which may have one for each transport.
type way struct {
	security dm.InstanceID
	uri      string
}

// chooseWay returns the Security instance to connect with: the one of the preferred transport
// (/1/x/22), otherwise the lowest one, in both cases of those that a dialer serves if there are
// any.
func (c *Client) chooseWay(ways []way, preferred string) way {
	if len(ways) == 1 {
		return ways[0]
	}
	first := -1
	for i, w := range ways {
		switch {
		case !c.serves(w.uri):
		case transport.Of(w.uri) == preferred:
			return w
		case first < 0:
			first = i
		}
	}
	return ways[max(first, 0)]
}

// serves reports whether a dialer serves the scheme of a URI.
func (c *Client) serves(uri string) bool {
	scheme := schemeOf(uri)
	return slices.ContainsFunc(c.cfg.Dialers, func(d socket.Dialer) bool { return slices.Contains(d.Schemes(), scheme) })
}

// readSettings reads the resources of a Server instance.
func readSettings(v values) settings {
	a := settings{
		lifetime:       seconds(v.number(genserver.LifetimeID, uint64(defaultLifetime/time.Second))),
		binding:        v.text(genserver.BindingID),
		disableTimeout: seconds(v.number(genserver.DisableTimeoutID, defaultDisableTimeout)),
		initialDelay:   seconds(v.number(genserver.InitialRegistrationDelayTimerID, 0)),
		block:          v.bool(genserver.RegistrationFailureBlockID, false),
		bootstrap:      v.bool(genserver.BootstrapOnRegistrationFailureID, true),
	}
	// The object of package objects/server refuses these; another one may hold them.
	const longest = uint64(account.MaxPause / time.Second)
	if val, _ := v.get(genserver.LifetimeID); val.Integer() < 0 || v.number(genserver.LifetimeID, 0) > longest {
		a.fault = fmt.Errorf("%s: Lifetime must be from 0 to %d s", v.p, longest)
	}
	a.priority = v.number(genserver.RegistrationPriorityOrderID, 0)
	_, a.ordered = v.get(genserver.RegistrationPriorityOrderID)
	delay := v.number(genserver.CommunicationSequenceDelayTimerID, defaultSequenceDelay)
	restart := seconds(delay)
	if _, ok := v.get(genserver.CommunicationSequenceDelayTimerID); !ok {
		restart = defaultRestart
	}
	a.retry = account.Policy{
		Attempts:      clampCount(v.number(genserver.CommunicationRetryCountID, defaultRetryCount)),
		FirstPause:    max(minPause, seconds(v.number(genserver.CommunicationRetryTimerID, defaultRetryTimer))),
		SequencePause: max(minPause, seconds(delay)),
		Sequences:     clampCount(v.number(genserver.CommunicationSequenceRetryCountID, defaultSequenceCount)),
		RestartPause:  max(minPause, restart),
		NoneAfter:     delay >= forever,
	}
	v.each(genserver.SupportedServerVersionsID, func(val dm.Value) {
		major, rest, _ := strings.Cut(val.Text(), ".")
		minor, _, _ := strings.Cut(rest, ".")
		if w, err := registry.ParseVersion(major + "." + minor); err == nil {
			a.versions = append(a.versions, w)
		}
	})
	return a
}

// uriOf returns the server URI of a Security instance.
func (c *Client) uriOf(s dm.Snapshot, id dm.InstanceID) string {
	return c.valuesOf(s, securityID, id).text(gensecurity.ServerURIID)
}
