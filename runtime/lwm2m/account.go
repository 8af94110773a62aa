package lwm2m

import (
	"context"
	"math"
	"strings"
	"time"

	gensecurity "github.com/lwm2mgen/toolkit/generated/security"
	genserver "github.com/lwm2mgen/toolkit/generated/server"
	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// account is what the Security and Server objects say of one management server.
type account struct {
	short              ShortServerID
	security, instance dm.InstanceID // in the Security and the Server object
	uri                string

	lifetime       time.Duration // 0: for ever
	binding        string
	disableTimeout time.Duration
	versions       []registry.Version // that the server speaks; none: not said

	ordered      bool // has a place in the order of registrations
	priority     uint64
	initialDelay time.Duration
	block        bool // its failure holds back those behind it
	bootstrap    bool // its failure asks for a bootstrap
	retry        retryPolicy
}

// retryPolicy is /1/x/17 to 20 (Core 1.2.2 §6.2.1).
type retryPolicy struct {
	count     uint64        // attempts in a sequence; 0 is 1
	timer     time.Duration // after the first attempt, doubled after each further one
	delay     time.Duration // between sequences
	sequences uint64        // 0 is 1
	lastOne   bool          // there is no sequence after the first, whatever comes
}

// The defaults of Core 1.2.2 §6.2.1.
const (
	defaultRetryCount     = 5
	defaultRetryTimer     = 60
	defaultSequenceDelay  = 86400
	defaultSequenceCount  = 1
	defaultDisableTimeout = 86400
)

// forever is the value of a timer that never ends.
const forever = math.MaxUint32

// minPause and maxPause bound what a server can make the device wait: against a device that does nothing but try, and against
// overflow.
const (
	minPause = time.Second
	maxPause = 100 * 365 * 24 * time.Hour
)

func seconds(n uint64) time.Duration {
	if n >= uint64(maxPause/time.Second) {
		return maxPause
	}
	return time.Duration(n) * time.Second
}

// values reads single resources of a snapshot, as the application. What a slow function stands behind counts as absent: these are
// read on the loop.
type values struct {
	ctx context.Context
	s   dm.Snapshot
	p   dm.Path // the instance
}

func valuesOf(s dm.Snapshot, o dm.ObjectID, id dm.InstanceID) values {
	return values{dm.RefuseSlow(context.Background()), s, dm.InstancePath(o, id)}
}

func (v values) get(id dm.ResourceID) (dm.Value, bool) {
	p, ok := v.p.Child(uint16(id))
	if !ok {
		return dm.Value{}, false
	}
	val, err := v.s.Value(v.ctx, dm.Application, p)
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

// number reads Integer and Unsigned Integer alike; older versions of the objects differ in it.
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

// each reads the instances of a multiple resource.
func (v values) each(id dm.ResourceID, fn func(dm.Value)) {
	p, ok := v.p.Child(uint16(id))
	if !ok || !v.s.Has(p) {
		return
	}
	_ = v.s.Read(v.ctx, dm.Application, p, func(_ dm.Path, val dm.Value) error {
		fn(val)
		return nil
	}) // what cannot be read is as good as absent
}

// accountsIn finds the management servers of a snapshot, by ascending instance of the Server object. A Server instance
// without a Security instance, or the other way round, is no account.
func accountsIn(s dm.Snapshot) []account {
	type place struct {
		id  dm.InstanceID
		uri string
	}
	found := map[uint64]place{}
	for id := range s.Instances(securityID) {
		v := valuesOf(s, securityID, id)
		short := v.number(gensecurity.ShortServerIDID, 0)
		if _, taken := found[short]; short == 0 || taken || v.bool(gensecurity.BootstrapServerID, false) {
			continue
		}
		found[short] = place{id, v.text(gensecurity.ServerURIID)}
	}
	var accounts []account
	for id := range s.Instances(serverID) {
		v := valuesOf(s, serverID, id)
		short := v.number(genserver.ShortServerIDID, 0) // at most 65534, by the definition
		at, ok := found[short]
		if !ok {
			continue
		}
		delete(found, short)
		a := readAccount(v)
		a.short, a.security, a.instance, a.uri = ShortServerID(short), at.id, id, at.uri
		accounts = append(accounts, a)
	}
	return accounts
}

func readAccount(v values) account {
	a := account{
		lifetime:       seconds(v.number(genserver.LifetimeID, uint64(defaultLifetime/time.Second))),
		binding:        v.text(genserver.BindingID),
		disableTimeout: seconds(v.number(genserver.DisableTimeoutID, defaultDisableTimeout)),
		initialDelay:   seconds(v.number(genserver.InitialRegistrationDelayTimerID, 0)),
		block:          v.bool(genserver.RegistrationFailureBlockID, false),
		bootstrap:      v.bool(genserver.BootstrapOnRegistrationFailureID, true),
	}
	a.priority = v.number(genserver.RegistrationPriorityOrderID, 0)
	_, a.ordered = v.get(genserver.RegistrationPriorityOrderID)
	delay := v.number(genserver.CommunicationSequenceDelayTimerID, defaultSequenceDelay)
	a.retry = retryPolicy{
		count:     v.number(genserver.CommunicationRetryCountID, defaultRetryCount),
		timer:     max(minPause, seconds(v.number(genserver.CommunicationRetryTimerID, defaultRetryTimer))),
		delay:     max(minPause, seconds(delay)),
		sequences: v.number(genserver.CommunicationSequenceRetryCountID, defaultSequenceCount),
		lastOne:   delay >= forever,
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

// bootstrapAccount reports whether there is an account of a bootstrap server.
func bootstrapAccount(s dm.Snapshot) bool {
	for id := range s.Instances(securityID) {
		if valuesOf(s, securityID, id).bool(gensecurity.BootstrapServerID, false) {
			return true
		}
	}
	return false
}
