package corelink

import (
	"slices"
	"strconv"
	"strings"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/fault"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// Registration is the content of a Register or an Update, as a server reads it.
type Registration struct {
	// Root is the alternate path, such as "/lwm2m". The zero value means that the objects are at
	// the root.
	Root string
	// Formats are the formats that the client prefers, most preferred first. The zero value means
	// that the client names none.
	Formats []content.Format
	// Nodes are the objects and instances, in the list's order.
	Nodes []RegisteredNode
}

// RegisteredNode is an object or an instance in a Registration.
type RegisteredNode struct {
	// Path is the object or the instance.
	Path dm.Path
	// Version is the version of the object. The zero value means that the client does not name it,
	// or not in a way that can be read: see VersionText.
	Version registry.Version
	// VersionText is the text of an attribute ver that is not a version, such as "latest". The zero
	// value means that there is none.
	VersionText string
}

// Has reports whether a node is registered. An object is registered if one of its instances is.
func (r Registration) Has(p dm.Path) bool {
	return slices.ContainsFunc(r.Nodes, func(n RegisteredNode) bool { return p.Contains(n.Path) })
}

// ParseRegistration reads the payload of a Register or an Update. It skips links that name neither
// an object nor an instance, and keeps an object whose version it cannot read. The error is a
// *dm.Error with 4.00.
func ParseRegistration(list []byte) (Registration, error) {
	var r Registration
	err := Parse(list, func(l Link) error { return r.root(l) })
	if err == nil {
		err = Parse(list, func(l Link) error { return r.add(l) })
	}
	return r, err
}

// root reads the root and the formats, if l is the link of the root.
func (r *Registration) root(l Link) error {
	types, ok := l.Attr("rt")
	if !ok || !slices.Contains(strings.Fields(types), "oma.lwm2m") {
		return nil
	}
	r.Root = strings.TrimSuffix(l.Target, "/")
	formats, _ := l.Attr("ct")
	r.Formats = nil
	for _, f := range strings.Fields(formats) {
		n, err := strconv.ParseUint(f, 10, 16)
		if err != nil {
			return fault.BadRequest(dm.Path{}, "the list of links has no list of formats in ct: %.32q", formats)
		}
		r.Formats = append(r.Formats, content.Format(n))
	}
	return nil
}

func (r *Registration) add(l Link) error {
	p, ok := l.Path(r.Root)
	if !ok || p.IsRoot() || p.Level() > dm.InstanceLevel {
		return nil
	}
	n := RegisteredNode{Path: p}
	if text, ok := l.Attr("ver"); ok {
		v, err := registry.ParseVersion(text)
		if err != nil {
			n.VersionText = text
		}
		n.Version = v
	}
	r.Nodes = append(r.Nodes, n)
	return nil
}
