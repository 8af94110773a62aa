package tshark

import (
	"bytes"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// document is the output of tshark, as far as it concerns TLV.
type document struct {
	Packets []struct {
		Protocols []field `xml:"proto"`
	} `xml:"packet"`
}

// field is a field of a packet, or a protocol.
type field struct {
	Name   string  `xml:"name,attr"`
	Show   string  `xml:"show,attr"`
	Value  string  `xml:"value,attr"`
	Fields []field `xml:"field"`
}

// parse returns the values that the dissector found in each packet.
func parse(output []byte, bases []dm.Path) ([][]found, error) {
	var d document
	if err := xml.Unmarshal(printable(output), &d); err != nil {
		return nil, err
	}
	var all [][]found
	for i, p := range d.Packets {
		var here []found
		for _, proto := range p.Protocols {
			switch {
			case strings.Contains(proto.Name, "malformed"):
				return nil, fmt.Errorf("packet %d is malformed to the dissector", i)
			case proto.Name == "lwm2mtlv":
				f, err := proto.leaves(bases[i])
				if err != nil {
					return nil, fmt.Errorf("packet %d: %w", i, err)
				}
				here = f
			}
		}
		all = append(all, here)
	}
	return all, nil
}

// printable returns the output of tshark without characters that XML does not allow: tshark shows
// any bytes as a text, too.
func printable(output []byte) []byte {
	return bytes.Map(func(r rune) rune {
		if r < ' ' && r != '\n' || r == utf8.RuneError || r > 0xfffd && r < 0x10000 {
			return '?'
		}
		return r
	}, output)
}

// found is a value that the dissector found.
type found struct {
	path dm.Path
	leaf field
}

// leaves returns the values of a field whose path is p.
func (f field) leaves(p dm.Path) ([]found, error) {
	var all []found
	for _, c := range f.Fields {
		up := dm.Level(0)
		switch c.Name {
		case "lwm2mtlv.object_instance":
			up = dm.ObjectLevel
		case "lwm2mtlv.resource", "lwm2mtlv.resource_array":
			up = dm.InstanceLevel
		case "lwm2mtlv.resource_instance":
			up = dm.ResourceLevel
		default:
			continue
		}
		id, err := strconv.ParseUint(c.get("lwm2mtlv.header").get("lwm2mtlv.identifier").Show, 10, 16)
		if err != nil {
			return nil, err
		}
		at, ok := p.Up(up).Child(uint16(id))
		if !ok || p.Level() < up {
			return nil, fmt.Errorf("%s of ID %d in %v", c.Name, id, p)
		}
		if c.get("lwm2mtlv.value").Name != "" {
			all = append(all, found{at, c})
			continue
		}
		below, err := c.leaves(at)
		if err != nil {
			return nil, err
		}
		all = append(all, below...)
	}
	return all, nil
}

// get returns a field within f, or the zero field.
func (f field) get(name string) field {
	for _, c := range f.Fields {
		if c.Name == name {
			return c
		}
	}
	return field{}
}

// named returns the field that the dissector derived from its own definition of the resource.
func (f field) named() (field, bool) {
	for _, c := range f.Fields {
		if strings.HasPrefix(c.Name, "lwm2mtlv.resource.") {
			return c, true
		}
	}
	return field{}, false
}

// agrees returns an error if the dissector's reading of a value differs from ours.
func (f found) agrees(v dm.Value) error {
	view := map[registry.Type]string{
		registry.String: "string", registry.Integer: "integer", registry.UnsignedInteger: "unsigned_integer",
		registry.Boolean: "boolean", registry.Time: "timestamp",
	}[v.Type()]
	c := f.leaf.get("lwm2mtlv.value." + view)
	if n, ok := f.leaf.named(); ok {
		c = n
	}
	got := c.Show
	switch v.Type() {
	case registry.Float:
		return f.agreesFloat(v.Float())
	case registry.Opaque, registry.Objlnk, registry.Corelnk:
		got = f.leaf.get("lwm2mtlv.value").Value
	case registry.Time:
		at, err := time.Parse("Jan _2, 2006 15:04:05.000000000 MST", c.Show)
		if err != nil {
			return err
		}
		got = strconv.FormatInt(at.Unix(), 10)
	}
	if want := text(v); got != want {
		return fmt.Errorf("%v is %q to the dissector, not %q", v.Type(), got, want)
	}
	return nil
}

// agreesFloat compares as many digits as tshark prints.
func (f found) agreesFloat(want float64) error {
	for _, view := range []string{"float", "double"} {
		show := f.leaf.get("lwm2mtlv.value." + view).Show
		if show == "" {
			continue
		}
		got, err := strconv.ParseFloat(show, 64)
		if err != nil || got-want > 1e-5*max(1, want, -want) || want-got > 1e-5*max(1, want, -want) {
			return fmt.Errorf("a Float is %s to the dissector, not %v", show, want)
		}
		return nil
	}
	return fmt.Errorf("the dissector finds no Float of %v", want)
}

// text returns a value as the dissector shows it.
func text(v dm.Value) string {
	switch v.Type() {
	case registry.Boolean:
		if v.Boolean() {
			return "1"
		}
		return "0"
	case registry.Opaque:
		return hex.EncodeToString(v.Opaque())
	case registry.Corelnk:
		return hex.EncodeToString([]byte(v.Text()))
	case registry.Objlnk:
		return fmt.Sprintf("%04x%04x", uint16(v.Link().Object), uint16(v.Link().Instance))
	case registry.Time:
		return strconv.FormatInt(v.Seconds(), 10)
	}
	return v.String()
}
