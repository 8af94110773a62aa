package lwm2m

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"

	genaccess "github.com/lwm2mgen/toolkit/generated/accesscontrol"
	gensecurity "github.com/lwm2mgen/toolkit/generated/security"
	genserver "github.com/lwm2mgen/toolkit/generated/server"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/access"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/manage"
	"github.com/lwm2mgen/toolkit/runtime/objects/accesscontrol"
)

// AccessControl says what the client writes into the Access Control object (2) by itself.
type AccessControl struct {
	// Owner is the Short Server ID of the server that owns the instances which the device makes: it
	// may do everything with them, and change the rights of the others. The zero value means the
	// server with the lowest Short Server ID among the accounts at New.
	Owner ShortServerID
	// Rights are what servers may do with these instances, by their Short Server ID. An entry for
	// the owner replaces its right to everything. accesscontrol.Everyone applies to all servers
	// without an entry, except the owner. The right to Create applies to the objects, and is not
	// given to Everyone. The zero value means that only the owner has rights.
	Rights map[ShortServerID]accesscontrol.Rights
}

// accessControl enforces the Access Control object.
type accessControl struct {
	c     *Client
	rules access.Rules
	table *access.Table // of the published state
	// several reports that the device has several servers.
	several atomic.Bool
}

// accessRules returns the rules that keep the Access Control object in line with the device.
func (c *Client) accessRules(table *access.Table) access.Rules {
	r := access.Rules{Exempt: hidden[:], Servers: c.serversIn, Table: table}
	if own := c.cfg.AccessControl; own != nil {
		r.Own = &access.Policy{Owner: own.Owner, Rights: own.Rights}
	}
	return r
}

// serversIn returns the Short Server IDs in the Security object, without that of the bootstrap
// server.
func (c *Client) serversIn(s dm.Snapshot) []dm.ShortServerID {
	var ids []dm.ShortServerID
	for id := range s.Instances(securityID) {
		v := c.valuesOf(s, securityID, id)
		if short := v.number(gensecurity.ShortServerIDID, 0); short != 0 && !v.bool(gensecurity.BootstrapServerID, false) && !slices.Contains(ids, dm.ShortServerID(short)) {
			ids = append(ids, dm.ShortServerID(short))
		}
	}
	return ids
}

// addAccessControl adds the object where entries may come, unless the program has its own.
func (c *Client) addAccessControl() error {
	snap := c.model.Snapshot()
	provisioned := c.cfg.Factory.read != nil || c.cfg.Smartcard != nil || c.bootstrapAccountIn(snap).present
	if snap.Definition(genaccess.ObjectID) != nil || c.cfg.AccessControl == nil && !provisioned {
		return nil
	}
	o, err := accesscontrol.New(accesscontrol.Config{})
	if err != nil {
		return err
	}
	return c.model.Register(context.Background(), o)
}

// addEntries adds the entries that Config.AccessControl asks for.
func (c *Client) addEntries() error {
	own := c.cfg.AccessControl
	if own == nil {
		return nil
	}
	if own.Owner == 0 {
		servers := c.serversIn(c.model.Snapshot())
		if len(servers) == 0 {
			return errors.New("Config.AccessControl.Owner is not set, and there is no account yet whose server it could be: set it")
		}
		c.access.rules.Own.Owner = slices.Min(servers)
	}
	t, err := c.model.Begin(context.Background(), dm.Application)
	if err != nil {
		return err
	}
	defer t.Rollback()
	if err := c.access.rules.AddMissing(t); err != nil {
		return err
	}
	return t.Commit()
}

// init prepares the object for the Model that the client makes next.
func (a *accessControl) init(c *Client) {
	a.c, a.table = c, access.Read(dm.Snapshot{})
	a.rules = c.accessRules(a.table)
}

// start follows the published states of the Model from now on, as long as there is the Model: the
// program may change it after the end of the client.
func (a *accessControl) start() {
	_ = a.c.model.Subscribe(a.published)
	s := a.c.model.Snapshot()
	a.table.Update(s, dm.ObjectPath(genaccess.ObjectID))
	a.several.Store(len(a.c.accountsIn(s)) > 1)
}

// published brings the table in line with a transaction, on the goroutine that published it.
func (a *accessControl) published(b dm.Batch) {
	s, accounts := a.c.model.Snapshot(), false
	var entries []dm.Path
	for _, e := range b.Events {
		switch p := e.Path.Up(dm.InstanceLevel); {
		case p.Object() != genaccess.ObjectID:
			accounts = accounts || affectsRights(e)
		case len(entries) == 0 || entries[len(entries)-1] != p:
			entries = append(entries, p)
		}
	}
	if entries != nil {
		a.table.Update(s, entries...)
	}
	if accounts {
		a.several.Store(len(a.c.accountsIn(s)) > 1)
	}
}

// open reports whether every server has all rights: if there is a single one, or while nobody has
// written an entry (Core 1.2.2 §8.1). It may be called on any goroutine.
func (a *accessControl) open() bool { return !a.several.Load() || a.table.Empty() }

// affectsRights reports whether a change may change what servers may do.
func affectsRights(e dm.Event) bool {
	switch e.Path.Object() {
	case genaccess.ObjectID:
		return true
	case securityID:
		return e.Kind != dm.Changed || e.Path.Resource() == gensecurity.ShortServerIDID || e.Path.Resource() == gensecurity.BootstrapServerID
	case serverID:
		return e.Kind != dm.Changed || e.Path.Resource() == genserver.ShortServerIDID
	}
	return false
}

// The errors of a server without a right. They have no path, because reads of objects ask for each
// instance.
var (
	errNoRead    = newNoRight("Read")
	errNoWrite   = newNoRight("Write")
	errNoExecute = newNoRight("Execute")
	errNoDelete  = newNoRight("Delete")
	errNoCreate  = newNoRight("Create")
)

func newNoRight(name string) error {
	return dm.Errorf(dm.Unauthorized, "the Access Control object gives the server no right to %s", name)
}

// errNoRight returns the error of a server without a right.
func errNoRight(r accesscontrol.Rights) error {
	switch r {
	case accesscontrol.Read:
		return errNoRead
	case accesscontrol.Write:
		return errNoWrite
	case accesscontrol.Execute:
		return errNoExecute
	case accesscontrol.Delete:
		return errNoDelete
	}
	return errNoCreate
}

// authorizer returns what decides about the requests of a server. It may be called on any
// goroutine.
func (a *accessControl) authorizer(server ShortServerID) func(manage.Operation, string, dm.Path) error {
	return func(op manage.Operation, prefix string, p dm.Path) error {
		if prefix != "" {
			return nil // another device, whose instances have no entries here
		}
		if a.open() {
			return nil
		}
		need := rightFor(op)
		switch {
		case need == 0, p.Level() == dm.ObjectLevel && need != accesscontrol.Create, p.IsRoot():
			return nil // Discover needs no right, and an object is its instances
		case p.Object() == genaccess.ObjectID:
			if need == accesscontrol.Read || need == accesscontrol.Write && a.table.Owns(server, p.Instance()) {
				return nil
			}
		default:
			instance := accesscontrol.WholeObject
			if need != accesscontrol.Create {
				instance = p.Instance()
			}
			if a.table.Rights(server, p.Object(), instance).Has(need) {
				return nil
			}
		}
		return errNoRight(need)
	}
}

// rightFor returns the right that an operation needs (Core 1.2.2 §8.2), 0 for none.
func rightFor(op manage.Operation) accesscontrol.Rights {
	switch op {
	case manage.Read, manage.Observe, manage.WriteAttributes:
		return accesscontrol.Read
	case manage.Write:
		return accesscontrol.Write
	case manage.Execute:
		return accesscontrol.Execute
	case manage.Delete:
		return accesscontrol.Delete
	case manage.Create:
		return accesscontrol.Create
	}
	return 0
}
