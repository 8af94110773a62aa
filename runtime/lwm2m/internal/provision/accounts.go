package provision

import (
	"context"
	"errors"
	"slices"

	"github.com/lwm2mgen/toolkit/internal/transport"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/serve"
)

// accounts are the Security and Server instances of a data model.
type accounts struct {
	security []securityInstance
	server   []serverInstance
}

// securityInstance is a Security instance.
type securityInstance struct {
	id        dm.InstanceID
	bootstrap bool
	short     int64 // 0: none
	uri       string
	hasOSCORE bool
	oscore    dm.InstanceID // of the OSCORE object
}

// serverInstance is a Server instance.
type serverInstance struct {
	id    dm.InstanceID
	short int64 // 0: none
}

// readAccounts reads the accounts of a data model. Values that slow functions give count as absent.
func readAccounts(s dm.Snapshot) accounts {
	ctx := dm.RefuseSlow(context.Background())
	value := func(o dm.ObjectID, i dm.InstanceID, r dm.ResourceID) dm.Value {
		v, _ := s.Value(ctx, dm.Application, dm.ResourcePath(o, i, r))
		return v // the zero value where there is none
	}
	var a accounts
	for i := range s.Instances(securityObject) {
		x := securityInstance{
			id: i, uri: value(securityObject, i, 0).Text(), bootstrap: value(securityObject, i, 1).Boolean(),
			short: value(securityObject, i, 10).Integer(),
		}
		l := value(securityObject, i, 17).Link()
		if x.hasOSCORE = l.Object == oscoreObject; x.hasOSCORE {
			x.oscore = l.Instance
		}
		a.security = append(a.security, x)
	}
	for i := range s.Instances(serverObject) {
		a.server = append(a.server, serverInstance{id: i, short: value(serverObject, i, 0).Integer()})
	}
	return a
}

// bootstrapAccounts returns the Security instances of bootstrap servers.
func bootstrapAccounts(s dm.Snapshot) []dm.InstanceID {
	var ids []dm.InstanceID
	for _, x := range readAccounts(s).security {
		if x.bootstrap {
			ids = append(ids, x.id)
		}
	}
	return ids
}

// CheckAccounts reports what is inconsistent in the accounts of a data model (Core 1.2.2 §6.1.2,
// §6.1.6): two accounts of bootstrap servers, a Security instance without Server instance or the
// reverse, a Short Server ID that is missing or belongs to two accounts, or what usable says about
// one account; a nil usable accepts every account. An account may have several Security instances,
// each with another transport, between which /1/x/22 chooses. servers is how many management
// servers have an account. The text of the error begins with the path of the fault and contains no
// secret, unless usable returns one; see Faultf.
func CheckAccounts(s dm.Snapshot, usable func(dm.Snapshot, dm.InstanceID) error) (servers int, err error) {
	a := readAccounts(s)
	return a.check(s, usable)
}

// way is a transport to a server.
type way struct {
	short     int64
	transport string
}

func (a *accounts) check(s dm.Snapshot, usable func(dm.Snapshot, dm.InstanceID) error) (servers int, err error) {
	paired := map[int64]bool{}
	ways := map[way]dm.InstanceID{}
	bootstrap := -1
	for i := range a.security {
		x := &a.security[i]
		p := dm.InstancePath(securityObject, x.id)
		switch {
		case x.bootstrap && bootstrap >= 0:
			return 0, Faultf(p, "instance %d is the account of a bootstrap server already", bootstrap)
		case x.bootstrap:
			bootstrap = int(x.id)
			continue
		case x.short < 1 || x.short > 65534:
			return 0, Faultf(dm.ResourcePath(securityObject, x.id, 10),
				"the Short Server ID is missing or not from 1 to 65534")
		}
		w := way{x.short, transport.Of(x.uri)}
		if other, taken := ways[w]; taken {
			return 0, Faultf(dm.ResourcePath(securityObject, x.id, 10),
				"instance %d has the Short Server ID %d already, with the same transport", other, x.short)
		}
		ways[w], paired[x.short] = x.id, true
	}
	seen := map[int64]dm.InstanceID{}
	for _, x := range a.server {
		p := dm.ResourcePath(serverObject, x.id, 0)
		if other, twice := seen[x.short]; twice {
			return 0, Faultf(p, "instance %d has the Short Server ID %d already", other, x.short)
		}
		if !paired[x.short] {
			return 0, Faultf(p, "no Security instance has the Short Server ID %d", x.short)
		}
		seen[x.short] = x.id
	}
	for _, x := range a.security {
		if _, ok := seen[x.short]; !ok && !x.bootstrap {
			return 0, Faultf(dm.ResourcePath(securityObject, x.id, 10),
				"no Server instance has the Short Server ID %d", x.short)
		}
		if usable == nil {
			continue
		}
		if err := usable(s, x.id); err != nil {
			return 0, withPath(dm.InstancePath(securityObject, x.id), err)
		}
	}
	return len(seen), nil
}

// replaced returns the bootstrap accounts that the sequence has replaced by a new one under another
// instance (Core 1.2.2 §6.1.3): the server cannot delete them itself.
func (a *accounts) replaced(own []dm.InstanceID) []securityInstance {
	var old []securityInstance
	made := 0
	for _, x := range a.security {
		switch {
		case !x.bootstrap:
		case slices.Contains(own, x.id):
			old = append(old, x)
		default:
			made++
		}
	}
	if made != 1 {
		return nil
	}
	return old
}

// leaveOut removes a Security instance from the list.
func (a *accounts) leaveOut(id dm.InstanceID) {
	a.security = slices.DeleteFunc(a.security, func(x securityInstance) bool { return x.id == id })
}

// purge deletes an account that is not on the list, with its instance of the OSCORE object unless
// another account uses it.
func (a *accounts) purge(t *dm.Transaction, x securityInstance) error {
	if err := t.Delete(dm.InstancePath(securityObject, x.id)); err != nil {
		return err
	}
	p := dm.InstancePath(oscoreObject, x.oscore)
	shared := slices.ContainsFunc(a.security, func(y securityInstance) bool { return y.hasOSCORE && y.oscore == x.oscore })
	if !x.hasOSCORE || shared || !t.Snapshot().Has(p) {
		return nil
	}
	return t.Delete(p)
}

// PurgeAccount deletes a Security instance, with its instance of the OSCORE object unless another
// account uses it.
func PurgeAccount(t *dm.Transaction, security dm.InstanceID) error {
	a := readAccounts(t.Snapshot())
	i := slices.IndexFunc(a.security, func(x securityInstance) bool { return x.id == security })
	if i < 0 {
		return nil
	}
	x := a.security[i]
	a.leaveOut(security)
	return a.purge(t, x)
}

// withPath returns an error of a callback with the path that it concerns.
func withPath(p dm.Path, err error) error {
	var own *serve.Refusal
	var e *dm.Error
	if errors.As(err, &own) || errors.As(err, &e) && !e.Path.IsRoot() {
		return err
	}
	return &dm.Error{Code: dm.NotAcceptable, Path: p, Err: err}
}
