package omaxml

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"

	"github.com/beevik/etree"
)

// parse checks the limits and returns the root element, or nil after a fault. It records the line
// of each element in f.lines.
func (f *file) parse(data []byte) *etree.Element {
	tags := bytes.Count(data, []byte{'<'})
	switch {
	case len(data) > MaxSize:
		f.fail(fmt.Sprintf("the file is larger than %d bytes", MaxSize), "split it into one file per object")
		return nil
	case tags > maxTags || bytes.Count(data, []byte{'='}) > maxAttributes:
		f.fail("the file has more tags or attributes than any object definition needs",
			"split it into one file per object")
		return nil
	}
	data, ok := f.cutMark(data)
	if !ok {
		return nil
	}
	f.lines = make(map[*etree.Element]int32, tags/2)
	f.texts = make(map[*etree.CharData]int32, tags/2)
	b := builder{file: f, doc: etree.NewDocument(), decoder: xml.NewDecoder(bytes.NewReader(data))}
	b.decoder.CharsetReader = b.encoding.reader
	if !b.build() {
		return nil
	}
	if b.root == nil {
		f.line = 0
		f.fail("the file has no elements", "let it hold a <LWM2M> element with <Object> elements")
	}
	return b.root
}

// cutMark removes a byte-order mark, and refuses the marks of encodings other than UTF-8.
func (f *file) cutMark(data []byte) ([]byte, bool) {
	if bytes.HasPrefix(data, []byte{0xFF, 0xFE}) || bytes.HasPrefix(data, []byte{0xFE, 0xFF}) {
		f.fail("the file is in UTF-16", "save it as UTF-8")
		return nil, false
	}
	return bytes.TrimPrefix(data, []byte("\uFEFF")), true
}

// builder builds the tree of a document from its tokens. The parser of etree does not say where an
// element is, nor which tag is missing.
type builder struct {
	file     *file
	decoder  *xml.Decoder
	encoding charset
	doc      *etree.Document
	root     *etree.Element
	open     []*etree.Element // from the root inwards
}

// build reads all tokens. It returns false after a fault.
func (b *builder) build() bool {
	for {
		b.file.line, _ = b.decoder.InputPos()
		t, err := b.decoder.RawToken()
		if errors.Is(err, io.EOF) {
			return b.checkClosed()
		}
		if err != nil {
			b.malformed(err)
			return false
		}
		ok := true
		switch t := t.(type) {
		case xml.StartElement:
			ok = b.start(t)
		case xml.EndElement:
			ok = b.end(t)
		case xml.CharData:
			b.text(t)
		case xml.Directive:
			ok = false
			b.file.fail("the file has a document type declaration",
				"remove it: definitions need none, and entities are not expanded")
		}
		if !ok {
			return false
		}
	}
}

func (b *builder) start(t xml.StartElement) bool {
	parent := &b.doc.Element
	switch n := len(b.open); {
	case n == maxDepth:
		b.file.fail(fmt.Sprintf("elements are nested more than %d deep", maxDepth), "follow the structure of LWM2M.xsd")
		return false
	case n > 0:
		parent = b.open[n-1]
	case b.root != nil:
		b.file.fail("there is a second root element "+tag(t.Name.Local), "put everything into one <LWM2M> element")
		return false
	}
	e := parent.CreateElement(t.Name.Local)
	e.Space = t.Name.Space
	for _, a := range t.Attr { // CreateAttr would hide a second attribute of the same name
		e.Attr = append(e.Attr, etree.Attr{Space: a.Name.Space, Key: a.Name.Local, Value: a.Value})
	}
	b.file.lines[e] = int32(b.file.line)
	b.open = append(b.open, e)
	if b.root == nil {
		b.root = e
	}
	return true
}

func (b *builder) end(t xml.EndElement) bool {
	n := len(b.open)
	if n == 0 {
		b.file.fail(fmt.Sprintf("</%s> closes no element", shortName(t.Name.Local)), "remove it")
		return false
	}
	e := b.open[n-1]
	if e.Tag != t.Name.Local || e.Space != t.Name.Space {
		b.file.fail(fmt.Sprintf("</%s> comes before the end of %s in line %d", shortName(t.Name.Local), tag(e.Tag), b.file.lines[e]),
			fmt.Sprintf("close %s first", tag(e.Tag)))
		return false
	}
	b.open = b.open[:n-1]
	return true
}

func (b *builder) text(t xml.CharData) {
	n := len(b.open)
	if n == 0 {
		return
	}
	c := b.open[n-1].CreateText(string(t))
	if words := bytes.TrimLeft(t, " \t\r\n"); len(words) > 0 {
		b.file.texts[c] = int32(b.file.line + bytes.Count(t[:len(t)-len(words)], []byte{'\n'}))
	}
}

// checkClosed reports the innermost element that the end of the file leaves open.
func (b *builder) checkClosed() bool {
	n := len(b.open)
	if n == 0 {
		return true
	}
	e := b.open[n-1]
	b.file.at(e)
	b.file.fail(fmt.Sprintf("the element %s is not closed", tag(e.Tag)), fmt.Sprintf("write </%s> where it ends", shortName(e.Tag)))
	return false
}

func (b *builder) malformed(err error) {
	f := b.file
	if b.encoding.refused {
		f.fail("the file declares the encoding "+quote(b.encoding.declared), "save it as UTF-8")
		return
	}
	what := err.Error()
	var syntax *xml.SyntaxError
	if errors.As(err, &syntax) {
		what = syntax.Msg
		f.line, _ = b.decoder.InputPos()
	}
	f.fail("the file is not well-formed XML: "+shorten(what), "correct it")
}

// tag returns the name of an element as faults show it.
func tag(name string) string { return "<" + shortName(name) + ">" }

// shortName returns the name of an element, or the start of a long one.
func shortName(name string) string {
	if len(name) > maxQuote {
		return name[:runeStart(name, maxQuote)] + "..."
	}
	return name
}
