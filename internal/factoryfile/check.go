package factoryfile

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/lwm2mgen/toolkit/internal/names"
	"github.com/lwm2mgen/toolkit/internal/transport"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// Fault is a mistake of a factory file, at a node of the data model.
type Fault struct {
	Path dm.Path
	// Text says what is wrong and what to do. It shows no secret.
	Text string
}

// file is what a factory file holds, for the checks.
type file struct {
	book      *names.Book
	values    map[dm.Path]dm.Value
	instances map[dm.ObjectID][]dm.InstanceID
	faults    []Fault
}

// Check returns what is wrong with the entries of a factory file, which are in the order of their
// paths: values that do not fit the definitions, inconsistent accounts, and rights of servers that
// have no account.
func Check(entries []dm.Entry, book *names.Book) []Fault {
	c := &file{book: book, values: map[dm.Path]dm.Value{}, instances: map[dm.ObjectID][]dm.InstanceID{}}
	for _, e := range entries {
		if ids := c.instances[e.Path.Object()]; len(ids) == 0 || ids[len(ids)-1] != e.Path.Instance() {
			c.instances[e.Path.Object()] = append(ids, e.Path.Instance())
		}
		if e.Path.Level() >= dm.ResourceLevel && e.Value.Type() != registry.None {
			c.values[e.Path] = e.Value
			c.checkValue(e.Path, e.Value)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(c.instances)) {
		c.checkInstances(id)
	}
	c.checkAccess(c.checkAccounts())
	return c.faults
}

func (c *file) fault(p dm.Path, format string, args ...any) {
	c.faults = append(c.faults, Fault{p, fmt.Sprintf(format, args...)})
}

// checkInstances checks which instances of an object there are, and that those of objects 0 to 2
// are complete. Other objects may have values that the device has itself.
func (c *file) checkInstances(id dm.ObjectID) {
	def := c.book.Object(id)
	if def == nil {
		c.fault(dm.ObjectPath(id), "the definition of object %d is not known, name its XML file with -objects", id)
		return
	}
	for _, i := range c.instances[id] {
		p := dm.InstancePath(id, i)
		if !c.hasValue(p) {
			c.fault(p, "the instance %s has no value, and a factory file has no place for such an instance; write one or remove it", p)
			continue
		}
		if !def.Multiple && i != 0 {
			c.fault(p, "%s (%d) has one instance, which has the number 0, not %d", def.Name, id, i)
		}
		if id > accessObject {
			continue
		}
		for _, r := range def.Resources {
			path, _ := p.Child(r.ID)
			if _, ok := c.values[path]; r.Mandatory && r.Type != registry.None && !ok {
				c.fault(p, "%s (%s) has no value, which every instance needs; write one", r.Name, path)
			}
		}
	}
}

// hasValue reports whether an instance has a value.
func (c *file) hasValue(instance dm.Path) bool {
	for p := range c.values {
		if instance.Contains(p) {
			return true
		}
	}
	return false
}

// checkValue compares a value with the definition of its resource.
func (c *file) checkValue(p dm.Path, v dm.Value) {
	if c.book.Object(p.Object()) == nil {
		return
	}
	r := c.book.Resource(p)
	switch {
	case r == nil:
		c.fault(p, "the object has no resource %d in the known version, remove it or name its XML file with -objects", p.Resource())
		return
	case r.Type == registry.None:
		c.fault(p, "%s (%s) is an executable and has no value, remove it", r.Name, p)
		return
	case r.Multiple != (p.Level() == dm.ResourceInstanceLevel):
		c.fault(p, "%s (%s) has the wrong depth: a resource has instances only if its definition says so", r.Name, p)
		return
	case r.Type != v.Type():
		c.fault(p, "%s (%s) is of the type %s, not %s", r.Name, p, v.Type(), r.Type)
		return
	}
	if !allowed(r, v) {
		limit := r.Range.String()
		if len(r.Strings) > 0 {
			limit = r.Strings.String()
		} else if r.Type.Measured() {
			limit = "a length of " + limit
		}
		c.fault(p, "%s (%s) is out of its range, which is %s", r.Name, p, limit)
	}
}

// allowed reports whether a value is within the range of its resource. An empty Opaque or String is
// a value that is left out.
func allowed(r *registry.Resource, v dm.Value) bool {
	switch v.Type() {
	case registry.Integer:
		return r.Range.AllowsInt(v.Integer())
	case registry.Time:
		return r.Range.AllowsInt(v.Seconds())
	case registry.UnsignedInteger:
		return r.Range.AllowsUint(v.Unsigned())
	case registry.Float:
		return r.Range.Allows(v.Float())
	case registry.Opaque:
		return r.Range.AllowsLen(len(v.Opaque()))
	case registry.String:
		return r.Range.AllowsLen(utf8.RuneCountInString(v.Text())) && r.Strings.Allows(v.Text())
	}
	return true
}

// checkAccounts compares Security and Server instances, and returns the Short Server IDs.
func (c *file) checkAccounts() map[int64]dm.Path {
	servers := map[int64]dm.Path{}
	for _, i := range c.instances[serverObject] {
		p := dm.ResourcePath(serverObject, i, 0)
		c.add(servers, p, "Server")
	}
	security := map[int64]dm.Path{}
	ways := map[way]bool{}
	bootstrap := dm.Path{}
	for _, i := range c.instances[securityObject] {
		p := dm.InstancePath(securityObject, i)
		c.checkSecurity(i)
		if !c.values[dm.ResourcePath(securityObject, i, 1)].Boolean() {
			c.addSecurity(security, ways, i)
		} else if bootstrap.IsRoot() {
			bootstrap = p
		} else {
			c.fault(p, "%s is a second account of a bootstrap server beside %s, remove one", p, bootstrap)
		}
	}
	if len(c.instances[securityObject]) == 0 {
		c.fault(dm.ObjectPath(securityObject), "the file has no account, write at least the key bootstrap or servers")
	}
	for _, id := range slices.Sorted(maps.Keys(security)) {
		if _, ok := servers[id]; !ok {
			c.fault(security[id], "the Short Server ID %d has a Security instance and no Server instance, add it", id)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(servers)) {
		if _, ok := security[id]; !ok {
			c.fault(servers[id], "the Short Server ID %d has a Server instance and no Security instance, add it", id)
		}
	}
	return servers
}

// way is a transport to a server.
type way struct {
	short     int64
	transport string
}

// addSecurity adds the Short Server ID of a Security instance. A server may have several instances,
// each with another transport.
func (c *file) addSecurity(ids map[int64]dm.Path, ways map[way]bool, i dm.InstanceID) {
	p := dm.ResourcePath(securityObject, i, 10)
	short := c.values[p].Integer()
	w := way{short, transport.Of(c.values[dm.ResourcePath(securityObject, i, 0)].Text())}
	switch other, known := ids[short]; {
	case !known:
		c.add(ids, p, "Security")
	case ways[w] && short != 0:
		c.fault(p, "the Short Server ID %d is that of the Security instance %d already, with the same transport; write a URI of another transport",
			short, other.Instance())
	}
	ways[w] = true
}

// add adds the Short Server ID at a path.
func (c *file) add(ids map[int64]dm.Path, p dm.Path, object string) {
	v, ok := c.values[p]
	id := v.Integer()
	switch other, twice := ids[id]; {
	case !ok:
		c.fault(p.Up(dm.InstanceLevel), "%s has no Short Server ID, write one from 1 to 65534", p.Up(dm.InstanceLevel))
	case twice:
		c.fault(p, "the Short Server ID %d is that of the %s instance %d already, choose another one", id, object, other.Instance())
	default:
		ids[id] = p
	}
}

// checkSecurity checks the URI and the credentials of one account.
func (c *file) checkSecurity(i dm.InstanceID) {
	value := func(r dm.ResourceID) dm.Value { return c.values[dm.ResourcePath(securityObject, i, r)] }
	p := dm.ResourcePath(securityObject, i, 0)
	uri := value(0).Text()
	if _, _, err := socket.ParseURI(uri); err != nil {
		c.fault(p, "the URI of the server is not valid, write one such as coaps://lwm2m.example.com:5684")
		return
	}
	secured := strings.HasPrefix(strings.ToLower(uri), "coaps")
	oscore := value(17).Type() != registry.None && !value(17).Link().IsNull()
	mode := value(2).Integer()
	key, identity := len(value(5).Opaque()), len(value(3).Opaque())
	switch {
	case secured && mode == modeNoSec:
		c.fault(p, "the URI begins with coaps and the account has no credentials, write psk, certificate or est, or a URI with coap")
	case !secured && mode != modeNoSec && !oscore:
		c.fault(p, "the account has credentials and the URI does not begin with coaps, change the URI or remove the credentials")
	case mode == modePSK && secured && (key == 0 || identity == 0):
		c.fault(dm.ResourcePath(securityObject, i, 5), "a pre-shared key needs an identity and a key, write both")
	}
	if l := value(17).Link(); oscore && (l.Object != oscoreObject || !slices.Contains(c.instances[oscoreObject], l.Instance)) {
		c.fault(dm.ResourcePath(securityObject, i, 17), "the account refers to the OSCORE instance %s, which the file does not have", l)
	}
}

// checkAccess checks that rights belong to servers that have an account, and that no node has two
// instances of the Access Control object.
func (c *file) checkAccess(servers map[int64]dm.Path) {
	seen := map[[2]int64]dm.Path{}
	known := func(p dm.Path, id int64, what string) {
		if _, ok := servers[id]; !ok {
			c.fault(p, "%s is server %d, which has no account in this file; the accounts are of %s", what, id, list(servers))
		}
	}
	for _, i := range c.instances[accessObject] {
		value := func(r dm.ResourceID) int64 { return c.values[dm.ResourcePath(accessObject, i, r)].Integer() }
		p := dm.InstancePath(accessObject, i)
		node := [2]int64{value(0), value(1)}
		if other, twice := seen[node]; twice {
			c.fault(p, "%s is for the same instance as %s, join their rights", p, other)
		}
		seen[node] = p
		whole := node[1] == registry.ReservedID
		if owner := value(3); owner != registry.ReservedID {
			known(dm.ResourcePath(accessObject, i, 3), owner, "the owner")
		}
		for _, q := range c.rights(i) {
			if id := int64(q.ResourceInstance()); id != 0 {
				known(q, id, "an entry of the rights")
			}
			switch bits := c.values[q].Integer(); {
			case whole && bits&^createRight&allRights != 0:
				c.fault(q, "the rights of a whole object can only be C (create), write the others in an entry with an instance")
			case !whole && bits&createRight != 0:
				c.fault(q, "the right C (create) is that of a whole object, write it in an entry without an instance")
			}
		}
	}
}

// rights returns the paths of the rights in an instance of the Access Control object.
func (c *file) rights(i dm.InstanceID) []dm.Path {
	var paths []dm.Path
	for p := range c.values {
		if dm.ResourcePath(accessObject, i, 2).Contains(p) {
			paths = append(paths, p)
		}
	}
	slices.SortFunc(paths, dm.Path.Compare)
	return paths
}

// list returns Short Server IDs in words.
func list(servers map[int64]dm.Path) string {
	if len(servers) == 0 {
		return "no server"
	}
	var words []string
	for _, id := range slices.Sorted(maps.Keys(servers)) {
		words = append(words, fmt.Sprint(id))
	}
	return strings.Join(words, ", ")
}
