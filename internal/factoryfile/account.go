package factoryfile

import (
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// Security modes (/0/x/2).
const (
	modePSK         = 0
	modeRPK         = 1
	modeCertificate = 2
	modeNoSec       = 3
	modeEST         = 4
)

// defaultLifetime is the lifetime of an account that names none, as in Config.Servers.
const defaultLifetime = 24 * time.Hour

var (
	commonKeys    = []string{"uri", "psk", "certificate", "est", "security"}
	bootstrapKeys = append([]string{"hold-off", "account-timeout"}, commonKeys...)
	serverKeys    = append([]string{"short-id", "lifetime", "min-period", "max-period", "binding", "drop-notifications", "server", "transports"},
		commonKeys...)
)

// accounts reads the account of the bootstrap server and those of management servers. The bootstrap
// server's is Security instance 0, and the others follow in the order of the file. Further
// transports come last.
func (b *builder) accounts(bootstrap, servers *yaml.Node) {
	next := dm.InstanceID(0)
	if bootstrap != nil {
		pairs := b.mapping(bootstrap, "bootstrap", bootstrapKeys...)
		p := dm.InstancePath(securityObject, next)
		b.instance(p, bootstrap.Line)
		b.security(p, bootstrap, pairs, true)
		b.seconds(pairs, "hold-off", dm.ResourcePath(securityObject, next, 11), 0)
		b.seconds(pairs, "account-timeout", dm.ResourcePath(securityObject, next, 12), 0)
		next++
	}
	if servers == nil {
		return
	}
	list := b.list(servers, "servers")
	further := next + dm.InstanceID(len(list))
	for i, n := range list {
		pairs := b.mapping(n, "an entry of servers", serverKeys...)
		short := b.server(dm.InstanceID(i), next+dm.InstanceID(i), n, pairs)
		if v := find(pairs, "transports"); v != nil {
			further = b.transports(further, short, v)
		}
	}
}

// transports makes further Security instances of the account of a management server, from id on. It
// returns the next free ID.
func (b *builder) transports(id dm.InstanceID, short int64, v *yaml.Node) dm.InstanceID {
	for _, n := range b.list(v, "transports") {
		p := dm.InstancePath(securityObject, id)
		b.instance(p, n.Line)
		b.security(p, n, b.mapping(n, "an entry of transports", commonKeys...), false)
		b.set(p, 10, dm.IntegerValue(short), n)
		id++
	}
	return id
}

// server makes both instances of the account of a management server, and returns its Short Server
// ID.
func (b *builder) server(id, security dm.InstanceID, n *yaml.Node, pairs []pair) (short int64) {
	p, s := dm.InstancePath(serverObject, id), dm.InstancePath(securityObject, security)
	b.instance(p, n.Line)
	b.instance(s, n.Line)
	b.security(s, n, pairs, false)
	short = int64(id) + 1
	if v := find(pairs, "short-id"); v != nil {
		short, _ = b.integer(v, "short-id", 1, 65534)
	}
	b.set(s, 10, dm.IntegerValue(short), n)
	b.set(p, 0, dm.IntegerValue(short), n)
	b.seconds(pairs, "lifetime", dm.ResourcePath(serverObject, id, 1), defaultLifetime)
	if find(pairs, "min-period") != nil {
		b.seconds(pairs, "min-period", dm.ResourcePath(serverObject, id, 2), 0)
	}
	if find(pairs, "max-period") != nil {
		b.seconds(pairs, "max-period", dm.ResourcePath(serverObject, id, 3), 0)
	}
	drop := false
	if v := find(pairs, "drop-notifications"); v != nil {
		drop, _ = b.boolean(v, "drop-notifications")
	}
	b.set(p, 6, dm.BooleanValue(!drop), n)
	binding := "U"
	if v := find(pairs, "uri"); v != nil && strings.Contains(v.Value, "+tcp:") {
		binding = "T"
	}
	if v := find(pairs, "binding"); v != nil {
		binding, _ = b.scalar(v, "binding")
	}
	b.set(p, 7, dm.StringValue(binding), n)
	if v := find(pairs, "server"); v != nil {
		b.resources(p, v)
	}
	if _, ok := b.lines[dm.ResourcePath(serverObject, id, 23)]; !ok {
		b.set(p, 23, dm.BooleanValue(false), n) // without a value Send is muted
	}
	return short
}

// security makes the resources of a Security instance.
func (b *builder) security(p dm.Path, n *yaml.Node, pairs []pair, bootstrap bool) {
	uri := find(pairs, "uri")
	if uri == nil {
		b.fault(n.Line, "an account has no uri, write one such as coaps://lwm2m.example.com")
	} else if text, ok := b.scalar(uri, "uri"); ok {
		b.set(p, 0, dm.StringValue(text), uri)
	}
	b.set(p, 1, dm.BooleanValue(bootstrap), n)
	var used []string
	for _, key := range []string{"psk", "certificate", "est"} {
		if find(pairs, key) != nil {
			used = append(used, key)
		}
	}
	mode, identity, server, key := int64(modeNoSec), []byte(nil), []byte(nil), []byte(nil)
	if len(used) > 1 {
		b.fault(n.Line, "an account has %s, keep one of them", strings.Join(used, " and "))
	} else if len(used) == 1 {
		v := find(pairs, used[0])
		switch used[0] {
		case "psk":
			mode = modePSK
			identity, key = b.psk(v)
		case "certificate":
			mode = modeCertificate
			identity, server, key = b.certificate(p, v)
		case "est":
			mode = modeEST
			server = b.est(p, v)
		}
	}
	b.set(p, 2, dm.IntegerValue(mode), n)
	b.set(p, 3, dm.OpaqueValue(identity).Hidden(), n)
	b.set(p, 4, dm.OpaqueValue(server).Hidden(), n)
	b.set(p, 5, dm.OpaqueValue(key).Hidden(), n)
	if v := find(pairs, "security"); v != nil {
		b.resources(p, v)
	}
}

// psk reads the identity and the key of a pre-shared key.
func (b *builder) psk(n *yaml.Node) (identity, key []byte) {
	pairs := b.mapping(n, "psk", "identity", "key")
	if v := find(pairs, "identity"); v == nil {
		b.fault(n.Line, "psk has no identity, write the name of the device that the server knows")
	} else if v.Kind == yaml.MappingNode {
		identity, _ = b.source(v, "the identity of psk")
	} else if text, ok := b.scalar(v, "the identity of psk"); ok {
		identity = []byte(text)
	}
	if v := find(pairs, "key"); v == nil {
		b.fault(n.Line, "psk has no key, %s", sourceHelp)
	} else {
		key, _ = b.source(v, "the key of psk")
	}
	return identity, key
}

// certificate reads the certificates and the private key of the device, and the certificate that
// the server is compared with.
func (b *builder) certificate(p dm.Path, n *yaml.Node) (chain, server, key []byte) {
	pairs := b.mapping(n, "certificate", "chain", "key", "server", "usage", "server-name")
	c, k := find(pairs, "chain"), find(pairs, "key")
	if c == nil {
		b.fault(n.Line, "certificate has no chain, name the PEM file of the device's certificate")
	} else {
		chain, _ = b.certificates(c, "chain")
	}
	if k != nil { // without it the device has the key elsewhere
		key, _ = b.privateKey(k, "key")
	}
	if chain != nil && c != nil {
		b.belongs(chain, key, "certificate", c.Line)
	}
	return chain, b.peer(p, n, pairs), key
}

// est reads how a device enrols over EST: the certificate comes from the server.
func (b *builder) est(p dm.Path, n *yaml.Node) (server []byte) {
	pairs := b.mapping(n, "est", "server", "usage", "server-name")
	if find(pairs, "server") == nil {
		b.fault(n.Line, "est has no server, name the PEM file of the certificate that the EST server is compared with")
	}
	return b.peer(p, n, pairs)
}

// peer reads how the certificate of the server is checked.
func (b *builder) peer(p dm.Path, n *yaml.Node, pairs []pair) (server []byte) {
	if v := find(pairs, "server"); v != nil {
		server, _ = b.certificates(v, "server")
	}
	if v := find(pairs, "usage"); v != nil {
		if usage, ok := b.integer(v, "usage", 0, 3); ok {
			b.set(p, 15, dm.UnsignedValue(uint64(usage)), v)
		}
	}
	usage := find(pairs, "usage")
	if find(pairs, "server") == nil && (usage == nil || usage.Value == "3") {
		b.fault(n.Line, "certificate usage 3 needs the key server, name the PEM file of the server's certificate, or another usage")
	}
	if v := find(pairs, "server-name"); v != nil {
		if text, ok := b.scalar(v, "server-name"); ok {
			b.set(p, 14, dm.StringValue(text), v)
		}
	}
	return server
}

// set adds the value of a resource of an account.
func (b *builder) set(instance dm.Path, r dm.ResourceID, v dm.Value, n *yaml.Node) {
	p, _ := instance.Child(uint16(r))
	b.add(p, v, n.Line)
}

// seconds adds a time that is written as a number of seconds or as 24h.
func (b *builder) seconds(pairs []pair, key string, p dm.Path, absent time.Duration) {
	n := find(pairs, key)
	if n == nil {
		b.add(p, dm.IntegerValue(int64(absent/time.Second)), b.lineOf(p))
		return
	}
	text, ok := b.scalar(n, key)
	if !ok {
		return
	}
	d, err := time.ParseDuration(text)
	if s, e := strconv.ParseInt(text, 10, 64); e == nil {
		if d, err = time.Duration(s)*time.Second, nil; s < 0 || s > 1<<31-1 {
			d = -1
		}
	}
	switch {
	case err != nil:
		b.fault(n.Line, "%s is no time, write seconds or a time such as 10s or 24h", key)
	case d < 0 || d > (1<<31-1)*time.Second || d%time.Second != 0:
		b.fault(n.Line, "%s must be whole seconds, from 0 to 68 years", key)
	default:
		b.add(p, dm.IntegerValue(int64(d/time.Second)), n.Line)
	}
}

func (b *builder) integer(n *yaml.Node, what string, low, high int64) (int64, bool) {
	text, ok := b.scalar(n, what)
	if !ok {
		return 0, false
	}
	i, err := strconv.ParseInt(text, 10, 64)
	if err != nil || i < low || i > high {
		b.fault(n.Line, "%s must be a whole number from %d to %d", what, low, high)
		return 0, false
	}
	return i, true
}

func (b *builder) boolean(n *yaml.Node, what string) (value, ok bool) {
	text, ok := b.scalar(n, what)
	if ok && text != "true" && text != "false" {
		b.fault(n.Line, "%s must be true or false", what)
		return false, false
	}
	return text == "true", ok
}
