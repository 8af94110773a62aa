// Package corelink reads and writes lists of links in the format application/link-format (RFC
// 6690): the objects of a Register or an Update, and the responses to Discover and
// Bootstrap-Discover.
//
// A client does this itself. Import corelink for a server or a test server, which reads the objects
// of a client from its Register:
//
//	reg, err := corelink.ParseRegistration(payload)
//	if reg.Has(dm.ObjectPath(3303)) {
//		// The client has a temperature sensor.
//	}
//
// [Parse] yields the links of any list, such as the response to a Discover, with their attributes.
// An [Encoder] writes a list. [Registration] and [Link] are the results.
package corelink

import (
	"strconv"
	"unicode/utf8"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/fault"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// Encoder writes lists of links, one after another: Begin, then for each link Link (or Root,
// Enabler) and its attributes, then Finish. Reuse an Encoder: it allocates nothing but the list.
// One goroutine at a time may use it. The zero value is ready to use.
type Encoder struct {
	buf   []byte
	start int
	root  string
	err   error
}

// Begin starts a list that is appended to dst. root precedes every path, such as "/lwm2m" for an
// alternate path or "/dev0" for a device behind a gateway. It may be empty.
func (e *Encoder) Begin(dst []byte, root string) {
	*e = Encoder{buf: dst, start: len(dst), root: root}
	for i := range len(root) {
		if c := root[i]; c <= ' ' || c == '"' || c == '<' || c == '>' || c >= 0x7f || i == 0 && c != '/' {
			e.err = fault.Internal(dm.Path{},
				"the root path %.32q of links must start with a slash and be a URI path", root)
		}
	}
}

func (e *Encoder) comma() {
	if len(e.buf) > e.start {
		e.buf = append(e.buf, ',')
	}
}

// Link starts the link of a node, such as </3303/0>.
func (e *Encoder) Link(p dm.Path) {
	e.comma()
	e.buf = append(append(e.buf, '<'), e.root...)
	if e.root == "" || !p.IsRoot() {
		e.buf = p.Append(e.buf)
	}
	e.buf = append(e.buf, '>')
}

// Root starts the link of the root in a Register: that it is the root of LwM2M, and the formats
// that the client prefers, most preferred first (Core 1.2.2 §6.2.1.2).
func (e *Encoder) Root(formats ...content.Format) {
	e.Link(dm.Path{})
	e.Text("rt", "oma.lwm2m")
	switch len(formats) {
	case 0:
		return
	case 1:
		e.Int("ct", int64(formats[0]))
		return
	}
	e.buf = append(e.buf, `;ct="`...)
	for i, f := range formats {
		if i > 0 {
			e.buf = append(e.buf, ' ')
		}
		e.buf = strconv.AppendUint(e.buf, uint64(f), 10)
	}
	e.buf = append(e.buf, '"')
}

// Enabler appends the version of LwM2M, with which the response to a Bootstrap-Discover begins. In
// version 1.0 it is an attribute without a link (Core 1.0.2 §5.2.7.3, Core 1.2.2 §6.1.7.3).
func (e *Encoder) Enabler(v registry.Version) {
	if v.Compare(registry.V(1, 0)) > 0 {
		e.Link(dm.Path{})
		e.Version("lwm2m", v)
		return
	}
	e.comma()
	e.buf = append(e.buf, `lwm2m="`...)
	e.appendVersion(v)
	e.buf = append(e.buf, '"')
}

// name appends the name of an attribute.
func (e *Encoder) name(name string) {
	e.buf = append(append(e.buf, ';'), name...)
}

// Int adds an attribute with a whole number, such as dim=2.
func (e *Encoder) Int(name string, v int64) {
	e.name(name)
	e.buf = strconv.AppendInt(append(e.buf, '='), v, 10)
}

// Float adds an attribute with a number, such as gt=22.5. The number must be finite.
func (e *Encoder) Float(name string, v float64) {
	e.name(name)
	e.buf = strconv.AppendFloat(append(e.buf, '='), v, 'f', -1, 64)
}

// Text adds an attribute with a text in quotes, such as uri="coaps://lwm2m.example.com".
func (e *Encoder) Text(name, v string) {
	e.name(name)
	e.buf = append(e.buf, `="`...)
	for i := range len(v) {
		c := v[i]
		if c < ' ' || c == 0x7f {
			e.err = fault.Internal(dm.Path{}, "the attribute %s has a control character", name)
		}
		if c == '"' || c == '\\' {
			e.buf = append(e.buf, '\\')
		}
		e.buf = append(e.buf, c)
	}
	e.buf = append(e.buf, '"')
	if !utf8.ValidString(v) {
		e.err = fault.Internal(dm.Path{}, "the attribute %s is not valid UTF-8", name)
	}
}

// Version adds an attribute with a version, such as ver=1.1. The version has no quotes in any
// version of LwM2M: Core 1.0.2 prints both forms, and some servers refuse the quotes.
func (e *Encoder) Version(name string, v registry.Version) {
	e.name(name)
	e.buf = append(e.buf, '=')
	e.appendVersion(v)
}

func (e *Encoder) appendVersion(v registry.Version) {
	v = v.OrDefault()
	e.buf = strconv.AppendUint(e.buf, uint64(v.Major), 10)
	e.buf = append(e.buf, '.')
	e.buf = strconv.AppendUint(e.buf, uint64(v.Minor), 10)
}

// Finish ends the list and returns dst with the list appended. It returns an error for a root or a
// text that a link cannot hold.
func (e *Encoder) Finish() ([]byte, error) {
	b, err := e.buf, e.err
	*e = Encoder{}
	return b, err
}
