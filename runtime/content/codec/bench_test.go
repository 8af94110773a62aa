package codec_test

import (
	"encoding/json"
	"testing"

	"github.com/fxamacker/cbor/v2"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/codec"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/formattest"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// many are the formats that carry instances, one are those that carry one value, by name.
var (
	many = map[string]content.Format{
		"TLV": content.TLV, "SenMLCBOR": content.SenMLCBOR, "SenMLJSON": content.SenMLJSON,
		"LwM2MCBOR": content.LwM2MCBOR, "LwM2MJSON": content.LwM2MJSON,
	}
	one = map[string]content.Format{"Text": content.Text, "CBOR": content.CBOR}
)

// encoding holds the encoder, the entries and the buffer of repeated encodes.
type encoding struct {
	enc     codec.Encoder
	format  content.Format
	target  content.Target
	entries []dm.Entry
	buf     []byte
}

func newEncoding(f content.Format, base string, entries []dm.Entry) *encoding {
	return &encoding{format: f, target: content.Target{Base: formattest.Path(base)}, entries: entries, buf: make([]byte, 0, 4096)}
}

func (e *encoding) run(t testing.TB) int {
	b, err := e.enc.Encode(e.format, e.buf[:0], e.target, e.entries)
	if err != nil {
		t.Fatal(err)
	}
	return len(b)
}

// decoding holds the decoder and the payload of repeated decodes.
type decoding struct {
	dec     codec.Decoder
	format  content.Format
	req     content.Request
	payload []byte
	n       int
	yield   func(dm.Entry) error
}

func newDecoding(t testing.TB, f content.Format, base string, entries []dm.Entry) *decoding {
	t.Helper()
	var enc codec.Encoder
	b, err := enc.Encode(f, nil, content.Target{Base: formattest.Path(base)}, entries)
	if err != nil {
		t.Fatal(err)
	}
	d := &decoding{format: f, req: formattest.Request(base), payload: b}
	d.yield = func(dm.Entry) error { d.n++; return nil }
	return d
}

func (d *decoding) run(t testing.TB) {
	if err := d.dec.Decode(d.format, d.payload, d.req, d.yield); err != nil {
		t.Fatal(err)
	}
}

// battery is the entry of one resource.
var battery = []dm.Entry{formattest.At("/3/0/9", dm.IntegerValue(100))}

func TestAllocations(t *testing.T) {
	check := func(name string, limit float64, run func()) {
		t.Helper()
		run() // the first run allocates the buffers that later runs reuse
		if n := testing.AllocsPerRun(200, run); n > limit {
			t.Errorf("%s: %v allocations, more than %v", name, n, limit)
		}
	}
	texts := 0.0
	for _, e := range formattest.Device0() {
		if e.Value.Text() != "" {
			texts++
		}
	}
	for name, f := range many {
		e := newEncoding(f, "/3/0", formattest.Device0())
		check("encode instance "+name, 0, func() { e.run(t) })
		d := newDecoding(t, f, "/3/0", formattest.Device0())
		check("decode instance "+name, texts, func() { d.run(t) })
		if d.n == 0 {
			t.Errorf("%s: no entries were decoded", name)
		}
	}
	for _, set := range []map[string]content.Format{many, one} {
		for name, f := range set {
			e := newEncoding(f, "/3/0/9", battery)
			check("encode resource "+name, 0, func() { e.run(t) })
			d := newDecoding(t, f, "/3/0/9", battery)
			check("decode resource "+name, 0, func() { d.run(t) })
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	for name, f := range many {
		b.Run("instance/"+name, func(b *testing.B) { benchEncode(b, newEncoding(f, "/3/0", formattest.Device0())) })
	}
	for _, set := range []map[string]content.Format{many, one} {
		for name, f := range set {
			b.Run("resource/"+name, func(b *testing.B) { benchEncode(b, newEncoding(f, "/3/0/9", battery)) })
		}
	}
}

func benchEncode(b *testing.B, e *encoding) {
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		n = e.run(b)
	}
	b.ReportMetric(float64(n), "payload-B")
}

func BenchmarkDecode(b *testing.B) {
	for name, f := range many {
		b.Run("instance/"+name, func(b *testing.B) { benchDecode(b, newDecoding(b, f, "/3/0", formattest.Device0())) })
	}
	for _, set := range []map[string]content.Format{many, one} {
		for name, f := range set {
			b.Run("resource/"+name, func(b *testing.B) { benchDecode(b, newDecoding(b, f, "/3/0/9", battery)) })
		}
	}
}

func benchDecode(b *testing.B, d *decoding) {
	b.ReportAllocs()
	for b.Loop() {
		d.run(b)
	}
}

// record is a SenML record as a program would write it for reflection.
type record struct {
	BaseName string   `json:"bn,omitempty" cbor:"-2,keyasint,omitempty"`
	Name     string   `json:"n,omitempty" cbor:"0,keyasint,omitempty"`
	Value    *float64 `json:"v,omitempty" cbor:"2,keyasint,omitempty"`
	Text     string   `json:"vs,omitempty" cbor:"3,keyasint,omitempty"`
}

// records is instance /3/0 for reflection.
func records() []record {
	var all []record
	for i, e := range formattest.Device0() {
		r := record{Name: e.Path.String()[len("/3/0/"):], Text: e.Value.Text()}
		if i == 0 {
			r.BaseName = "/3/0/"
		}
		if r.Text == "" {
			f := float64(e.Value.Integer() + e.Value.Seconds())
			r.Value = &f
		}
		all = append(all, r)
	}
	return all
}

// BenchmarkReflection encodes and decodes the same instance with encoding/json and fxamacker/cbor.
func BenchmarkReflection(b *testing.B) {
	for name, m := range map[string]struct {
		marshal   func(any) ([]byte, error)
		unmarshal func([]byte, any) error
	}{"SenMLJSON": {json.Marshal, json.Unmarshal}, "SenMLCBOR": {cbor.Marshal, cbor.Unmarshal}} {
		all := records()
		payload, err := m.marshal(all)
		if err != nil {
			b.Fatal(err)
		}
		b.Run("encode/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := m.marshal(all); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(payload)), "payload-B")
		})
		b.Run("decode/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				var got []record
				if err := m.unmarshal(payload, &got); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
