package factoryfile

import (
	"fmt"
	"strconv"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

const (
	securityObject dm.ObjectID = 0
	serverObject   dm.ObjectID = 1
	accessObject   dm.ObjectID = 2
	oscoreObject   dm.ObjectID = 21
)

// document reads the whole file.
func (b *builder) document(root *yaml.Node) {
	pairs := b.mapping(root, "the file", "bootstrap", "servers", "access-control", "objects")
	b.accounts(find(pairs, "bootstrap"), find(pairs, "servers"))
	if n := find(pairs, "access-control"); n != nil {
		b.accessControl(n)
	}
	if n := find(pairs, "objects"); n != nil {
		b.objects(n)
	}
	if len(b.entries) == 0 && len(b.faults) == 0 {
		b.fault(root.Line, "the file describes no instance, write at least the key bootstrap or servers")
	}
}

// objects reads instances of any object: object, instance, resource, value.
func (b *builder) objects(n *yaml.Node) {
	for _, o := range b.mapping(n, "objects") {
		p, err := b.book.Path(o.key, nil)
		switch {
		case err != nil:
			b.fault(o.line, "%v", err)
			continue
		case p.Level() != dm.ObjectLevel:
			b.fault(o.line, "%q is no object, write its name or its ID, and the instances below it", printable(o.key))
			continue
		}
		def := b.book.Object(p.Object())
		if def == nil {
			b.fault(o.line, "the definition of object %d is not known, name its XML file with -objects", p.Object())
			continue
		}
		for _, i := range b.mapping(o.value, fmt.Sprintf("%s (%d)", def.Name, def.ID)) {
			id, err := strconv.ParseUint(i.key, 10, 16)
			if err != nil || id == registry.ReservedID {
				b.fault(i.line, "%q is no instance of %s, write a number from 0 to 65534", printable(i.key), def.Name)
				continue
			}
			b.instance(dm.InstancePath(p.Object(), dm.InstanceID(id)), i.line)
			b.resources(dm.InstancePath(p.Object(), dm.InstanceID(id)), i.value)
		}
	}
}

// instance adds an instance, which may remain without resources.
func (b *builder) instance(p dm.Path, line int) bool {
	if _, twice := b.lines[p]; twice {
		b.fault(line, "the instance %s is described already in line %d, choose another number", p, b.lines[p])
		return false
	}
	b.lines[p] = line
	b.entries = append(b.entries, dm.Entry{Path: p})
	return true
}

// resources reads the resources of an instance.
func (b *builder) resources(instance dm.Path, n *yaml.Node) {
	def := b.book.Object(instance.Object())
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		return
	}
	for _, r := range b.mapping(n, instance.String()) {
		p, err := b.book.Path(fmt.Sprintf("%d/%d/%s", instance.Object(), instance.Instance(), r.key), nil)
		if err != nil {
			b.fault(r.line, "%v", err)
			continue
		}
		res := b.book.Resource(p)
		switch {
		case p.Level() != dm.ResourceLevel:
			b.fault(r.line, "%q is no resource, write its name or its ID", printable(r.key))
		case res == nil:
			b.fault(r.line, "%s (%d) has no resource %d; \"lwm2mgen show\" lists the resources of a definition", def.Name, def.ID, p.Resource())
		case res.Type == registry.None:
			b.fault(r.line, "%s (%s) is an executable and has no value, remove it", res.Name, p)
		case res.Multiple:
			b.multiple(p, res, r)
		default:
			b.single(p, res, r)
		}
	}
}

// single reads the value of a single resource.
func (b *builder) single(p dm.Path, res *registry.Resource, r pair) {
	if v, ok := b.value(p, res, r.value); ok {
		b.add(p, v, r.line)
	}
}

// multiple reads the resource instances of a resource: a list, or a mapping with their numbers.
func (b *builder) multiple(p dm.Path, res *registry.Resource, r pair) {
	item := func(id uint16, line int, n *yaml.Node) {
		ri, _ := p.Child(id)
		if v, ok := b.value(ri, res, n); ok {
			b.add(ri, v, line)
		}
	}
	switch r.value.Kind {
	case yaml.SequenceNode:
		for i, n := range r.value.Content {
			if i >= registry.ReservedID {
				b.fault(n.Line, "%s (%s) has too many values, write at most 65535", res.Name, p)
				return
			}
			item(uint16(i), n.Line, n)
		}
	case yaml.MappingNode:
		for _, x := range b.mapping(r.value, res.Name) {
			id, err := strconv.ParseUint(x.key, 10, 16)
			if err != nil || id == registry.ReservedID {
				b.fault(x.line, "%q is no resource instance of %s, write a number from 0 to 65534", printable(x.key), res.Name)
				continue
			}
			item(uint16(id), x.line, x.value)
		}
	default:
		b.fault(r.line, "%s (%s) has several values, write a list such as [%s]", res.Name, p, "first, second")
	}
}

// add adds an entry.
func (b *builder) add(p dm.Path, v dm.Value, line int) {
	if other, twice := b.lines[p]; twice {
		b.fault(line, "%s has a value already in line %d, remove one", p, other)
		return
	}
	b.lines[p] = line
	b.entries = append(b.entries, dm.Entry{Path: p, Value: v})
}

// value reads one value of a resource.
func (b *builder) value(p dm.Path, res *registry.Resource, n *yaml.Node) (dm.Value, bool) {
	what := fmt.Sprintf("%s (%s)", res.Name, p)
	if res.Type == registry.Opaque {
		raw, ok := b.source(n, what)
		if ok && res.Secret {
			return dm.OpaqueValue(raw).Hidden(), true
		}
		return dm.OpaqueValue(raw), ok
	}
	if res.Secret && n.Kind == yaml.MappingNode {
		raw, ok := b.source(n, what)
		return dm.StringValue(string(raw)).Hidden(), ok
	}
	text, ok := b.scalar(n, what)
	if !ok {
		return dm.Value{}, false
	}
	if res.Units == "s" && (res.Type == registry.Integer || res.Type == registry.UnsignedInteger) {
		if d, err := time.ParseDuration(text); err == nil && d%time.Second == 0 {
			text = strconv.FormatInt(int64(d/time.Second), 10)
		}
	}
	v, err := b.book.Value(p, text)
	if err != nil {
		if res.Secret {
			err = fmt.Errorf("the value of %s is no %s", res.Name, res.Type)
		}
		b.fault(n.Line, "%v, write %s", err, form(res))
		return dm.Value{}, false
	}
	if res.Secret {
		v = v.Hidden()
	}
	return v, true
}

// form says how a value of a resource is written.
func form(r *registry.Resource) string {
	switch r.Type {
	case registry.Integer, registry.UnsignedInteger:
		if r.Units == "s" {
			return "seconds or a time such as 24h"
		}
		return "a whole number"
	case registry.Float:
		return "a number"
	case registry.Boolean:
		return "true or false"
	case registry.Time:
		return "a time such as 2027-01-31T12:00:00Z"
	case registry.Objlnk:
		return "a link such as 3303:0"
	}
	return "a text"
}
