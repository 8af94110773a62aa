package factoryfile

import (
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// rightLetters are the rights of the Access Control object in the order of their bits (/2/x/2).
const rightLetters = "RWEDC"

// The bits of Create and of all rights.
const (
	createRight = 1 << 4
	allRights   = 1<<5 - 1
)

// accessControl reads instances of the Access Control object.
func (b *builder) accessControl(n *yaml.Node) {
	for i, n := range b.list(n, "access-control") {
		pairs := b.mapping(n, "an entry of access-control", "object", "instance", "owner", "rights")
		p := dm.InstancePath(accessObject, dm.InstanceID(i))
		b.instance(p, n.Line)
		object := find(pairs, "object")
		if object == nil {
			b.fault(n.Line, "an entry of access-control has no object, write its name or its ID")
			continue
		}
		text, ok := b.scalar(object, "object")
		if !ok {
			continue
		}
		target, err := b.book.Path(text, nil)
		if err == nil && target.Level() == dm.ObjectLevel {
			b.set(p, 0, dm.IntegerValue(int64(target.Object())), object)
		} else if err != nil {
			b.fault(object.Line, "%v", err)
		} else {
			b.fault(object.Line, "object must be the name or the ID of an object, write the instance behind the key instance")
		}
		b.accessTarget(p, n, pairs)
		if v := find(pairs, "rights"); v != nil {
			b.rights(p, v)
		}
	}
}

// accessTarget reads the instance and its owner. Without an instance the entry is that of the
// object, which says who may create instances and has no owner.
func (b *builder) accessTarget(p dm.Path, n *yaml.Node, pairs []pair) {
	instance, owner := int64(registry.ReservedID), int64(registry.ReservedID)
	v, o := find(pairs, "instance"), find(pairs, "owner")
	if v != nil {
		instance, _ = b.integer(v, "instance", 0, registry.ReservedID-1)
	}
	switch {
	case o != nil && v == nil:
		b.fault(o.Line, "an entry without instance says who may create instances and has no owner, remove owner or write instance")
	case o != nil:
		owner, _ = b.integer(o, "owner", 1, registry.ReservedID-1)
	case v != nil:
		b.fault(n.Line, "an entry of access-control with an instance has no owner, write the Short Server ID of its owner")
	}
	b.set(p, 1, dm.IntegerValue(instance), n)
	b.set(p, 3, dm.IntegerValue(owner), n)
}

// rights reads who has which rights.
func (b *builder) rights(p dm.Path, n *yaml.Node) {
	for _, r := range b.mapping(n, "rights") {
		id, err := strconv.ParseUint(r.key, 10, 16)
		if r.key == "default" {
			id, err = 0, nil
		} else if err != nil || id == 0 || id == registry.ReservedID {
			b.fault(r.line, "%q is no server, write a Short Server ID from 1 to 65534, or default", printable(r.key))
			continue
		}
		bits := int64(0)
		letters := ""
		if r.value.Tag != "!!null" {
			var ok bool
			if letters, ok = b.scalar(r.value, "rights"); !ok {
				continue
			}
		}
		for _, c := range strings.ToUpper(strings.TrimSpace(letters)) {
			bit := strings.IndexRune(rightLetters, c)
			if bit < 0 {
				b.fault(r.value.Line, "rights are the letters R (read), W (write), E (execute), D (delete) and C (create), write some of these")
				break
			}
			bits |= 1 << bit
		}
		b.add(dm.ResourceInstancePath(accessObject, p.Instance(), 2, dm.ResourceInstanceID(id)), dm.IntegerValue(bits), r.line)
	}
}
