package formattest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// At returns an entry.
func At(path string, v dm.Value) dm.Entry {
	p, err := dm.ParsePath(path)
	if err != nil {
		return dm.Entry{}
	}
	return dm.Entry{Path: p, Value: v}
}

// Path parses a path. It is for constants: it returns the root for a text that is not a path.
func Path(s string) dm.Path { return At(s, dm.Value{}).Path }

// Device0 is instance /3/0 of the examples (Core 1.2.2 Appendix E).
func Device0() []dm.Entry {
	return []dm.Entry{
		At("/3/0/0", dm.StringValue("Open Mobile Alliance")),
		At("/3/0/1", dm.StringValue("Lightweight M2M Client")),
		At("/3/0/2", dm.StringValue("345000123")),
		At("/3/0/3", dm.StringValue("1.0")),
		At("/3/0/6/0", dm.IntegerValue(1)),
		At("/3/0/6/1", dm.IntegerValue(5)),
		At("/3/0/7/0", dm.IntegerValue(3800)),
		At("/3/0/7/1", dm.IntegerValue(5000)),
		At("/3/0/8/0", dm.IntegerValue(125)),
		At("/3/0/8/1", dm.IntegerValue(900)),
		At("/3/0/9", dm.IntegerValue(100)),
		At("/3/0/10", dm.IntegerValue(15)),
		At("/3/0/11/0", dm.IntegerValue(0)),
		At("/3/0/13", dm.TimeValue(1367491215)),
		At("/3/0/14", dm.StringValue("+02:00")),
		At("/3/0/16", dm.StringValue("U")),
	}
}

// AccessControl is object /2 of the examples.
func AccessControl() []dm.Entry {
	return []dm.Entry{
		At("/2/0/0", dm.IntegerValue(1)),
		At("/2/0/1", dm.IntegerValue(0)),
		At("/2/0/2/127", dm.IntegerValue(7)),
		At("/2/0/3", dm.IntegerValue(127)),
		At("/2/2/0", dm.IntegerValue(3)),
		At("/2/2/1", dm.IntegerValue(0)),
		At("/2/2/2/127", dm.IntegerValue(7)),
		At("/2/2/2/310", dm.IntegerValue(1)),
		At("/2/2/3", dm.IntegerValue(127)),
	}
}

// Servers is object /1 of the examples.
func Servers() []dm.Entry {
	return []dm.Entry{
		At("/1/0/0", dm.IntegerValue(1)),
		At("/1/0/1", dm.IntegerValue(86400)),
		At("/1/0/6", dm.BooleanValue(true)),
		At("/1/0/7", dm.StringValue("U")),
	}
}

// Linked65 is instance /65/0 of Appendix C.
func Linked65() []dm.Entry {
	return []dm.Entry{
		At("/65/0/0/0", dm.LinkValue(dm.ObjectLink{Object: 66, Instance: 0})),
		At("/65/0/0/1", dm.LinkValue(dm.ObjectLink{Object: 66, Instance: 1})),
		At("/65/0/1", dm.StringValue("8613800755500")),
		At("/65/0/2", dm.IntegerValue(0x12345678)),
	}
}

// Linked66 is object /66 of Appendix C.
func Linked66() []dm.Entry {
	return []dm.Entry{
		At("/66/0/0", dm.StringValue("myService 1")),
		At("/66/0/1", dm.StringValue("Internet.15.234")),
		At("/66/0/2", dm.LinkValue(dm.ObjectLink{Object: 67, Instance: 0})),
		At("/66/1/0", dm.StringValue("myService 2")),
		At("/66/1/1", dm.StringValue("Internet.15.235")),
		At("/66/1/2", dm.LinkValue(dm.NullLink)),
	}
}

// Encoder is the encoder of one format.
type Encoder interface {
	Begin(dst []byte, t content.Target) error
	Entry(e dm.Entry) error
	Finish() ([]byte, error)
}

// Decoder is the decoder of one format.
type Decoder interface {
	Decode(payload []byte, r content.Request, yield func(dm.Entry) error) error
}

// Request returns a request for base with the definitions of the examples.
func Request(base string) content.Request {
	return content.Request{Base: Path(base), Schema: Schema}
}

// Encode returns the payload of entries.
func Encode(t testing.TB, e Encoder, base string, entries []dm.Entry) []byte {
	t.Helper()
	b, err := TryEncode(e, content.Target{Base: Path(base)}, entries)
	if err != nil {
		t.Fatalf("encode: %v", err)
	}
	return b
}

// TryEncode returns the payload of entries, or the first error.
func TryEncode(e Encoder, to content.Target, entries []dm.Entry) ([]byte, error) {
	if err := e.Begin(nil, to); err != nil {
		return nil, err
	}
	for _, x := range entries {
		if err := e.Entry(x); err != nil {
			return nil, err
		}
	}
	return e.Finish()
}

// Decode returns the entries of a payload.
func Decode(t testing.TB, d Decoder, r content.Request, payload []byte) []dm.Entry {
	t.Helper()
	entries, err := TryDecode(d, r, payload)
	if err != nil {
		t.Fatalf("decode %x: %v", payload, err)
	}
	return entries
}

// TryDecode returns the entries of a payload up to the first error.
func TryDecode(d Decoder, r content.Request, payload []byte) ([]dm.Entry, error) {
	var got []dm.Entry
	err := d.Decode(payload, r, func(e dm.Entry) error {
		got = append(got, e)
		return nil
	})
	return got, err
}

// Equal fails the test unless both lists hold the same entries. NaN equals NaN.
func Equal(t testing.TB, got, want []dm.Entry) {
	t.Helper()
	if Same(got, want) {
		return
	}
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			t.Errorf("entry %d is missing: %v", i, text(want[i]))
		case i >= len(want):
			t.Errorf("entry %d is unexpected: %v", i, text(got[i]))
		case !same(got[i], want[i]):
			t.Errorf("entry %d is %v, not %v", i, text(got[i]), text(want[i]))
		}
	}
}

// Same reports whether both lists hold the same entries. NaN equals NaN.
func Same(a, b []dm.Entry) bool { return slices.EqualFunc(a, b, same) }

func same(a, b dm.Entry) bool {
	return a.Path == b.Path && a.Time == b.Time && a.Value.Equal(b.Value)
}

func text(e dm.Entry) string {
	return fmt.Sprintf("%v = %v %v at %v", e.Path, e.Value.Type(), e.Value, e.Time)
}
