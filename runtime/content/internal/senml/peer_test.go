package senml_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"testing"

	"github.com/fxamacker/cbor/v2"
	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/formattest"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/senml"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// TestPeerJSON reads an instance with all values with encoding/json, which writes it for our
// decoder.
func TestPeerJSON(t *testing.T) {
	entries := formattest.Instance()
	dec := json.NewDecoder(bytes.NewReader(formattest.Encode(t, &senml.JSONEncoder{}, "/33001/0", entries)))
	dec.UseNumber()
	dec.DisallowUnknownFields()
	var records []struct {
		BaseName string      `json:"bn,omitempty"`
		Name     string      `json:"n,omitempty"`
		Value    json.Number `json:"v,omitempty"`
		Text     *string     `json:"vs,omitempty"`
		Bool     *bool       `json:"vb,omitempty"`
		Data     *string     `json:"vd,omitempty"`
		Link     string      `json:"vlo,omitempty"`
	}
	if err := dec.Decode(&records); err != nil {
		t.Fatal(err)
	}
	if len(records) != len(entries) {
		t.Fatalf("the peer finds %d records of %d", len(records), len(entries))
	}
	base := ""
	for i, r := range records {
		if r.BaseName != "" {
			base = r.BaseName
		}
		e, agree := entries[i], false
		switch v := e.Value; v.Type() {
		case registry.Integer:
			agree = r.Value.String() == strconv.FormatInt(v.Integer(), 10)
		case registry.Time:
			agree = r.Value.String() == strconv.FormatInt(v.Seconds(), 10)
		case registry.UnsignedInteger:
			agree = r.Value.String() == strconv.FormatUint(v.Unsigned(), 10)
		case registry.Float:
			f, err := r.Value.Float64()
			agree = err == nil && f == v.Float()
		case registry.String, registry.Corelnk:
			agree = r.Text != nil && *r.Text == v.Text()
		case registry.Boolean:
			agree = r.Bool != nil && *r.Bool == v.Boolean()
		case registry.Opaque:
			agree = r.Data != nil && *r.Data == base64.RawURLEncoding.EncodeToString(v.Opaque())
		case registry.Objlnk:
			agree = r.Link == v.Link().String()
		}
		if !agree || base+r.Name != e.Path.String() {
			t.Errorf("%v = %v is %+v to the peer", e.Path, e.Value, r)
		}
	}
	theirs, err := json.MarshalIndent(records, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	formattest.Equal(t, formattest.Decode(t, &senml.JSONDecoder{}, formattest.Request("/33001/0"), theirs), entries)
}

// TestPeerCBOR reads an instance with all values with fxamacker/cbor, which writes it for our
// decoder.
func TestPeerCBOR(t *testing.T) {
	entries := formattest.Instance()
	var records []struct {
		BaseName string          `cbor:"-2,keyasint,omitempty"`
		Name     string          `cbor:"0,keyasint,omitempty"`
		Value    cbor.RawMessage `cbor:"2,keyasint,omitempty"`
		Text     *string         `cbor:"3,keyasint,omitempty"`
		Bool     *bool           `cbor:"4,keyasint,omitempty"`
		Data     *[]byte         `cbor:"8,keyasint,omitempty"`
		Link     string          `cbor:"vlo,omitempty"`
	}
	mode, err := cbor.DecOptions{DupMapKey: cbor.DupMapKeyEnforcedAPF, IndefLength: cbor.IndefLengthForbidden, ExtraReturnErrors: cbor.ExtraDecErrorUnknownField}.DecMode()
	if err != nil {
		t.Fatal(err)
	}
	if err := mode.Unmarshal(formattest.Encode(t, &senml.CBOREncoder{}, "/33001/0", entries), &records); err != nil {
		t.Fatal(err)
	}
	if len(records) != len(entries) {
		t.Fatalf("the peer finds %d records of %d", len(records), len(entries))
	}
	base := ""
	for i, r := range records {
		if r.BaseName != "" {
			base = r.BaseName
		}
		e, agree := entries[i], false
		switch v := e.Value; v.Type() {
		case registry.Integer:
			agree = reads(r.Value, v.Integer())
		case registry.Time:
			agree = reads(r.Value, v.Seconds())
		case registry.UnsignedInteger:
			agree = reads(r.Value, v.Unsigned())
		case registry.Float:
			agree = reads(r.Value, v.Float())
		case registry.String, registry.Corelnk:
			agree = r.Text != nil && *r.Text == v.Text()
		case registry.Boolean:
			agree = r.Bool != nil && *r.Bool == v.Boolean()
		case registry.Opaque:
			agree = r.Data != nil && bytes.Equal(*r.Data, v.Opaque())
		case registry.Objlnk:
			agree = r.Link == v.Link().String()
		}
		if !agree || base+r.Name != e.Path.String() {
			t.Errorf("%v = %v is %+v to the peer", e.Path, e.Value, r)
		}
	}
	theirs, err := cbor.Marshal(records)
	if err != nil {
		t.Fatal(err)
	}
	formattest.Equal(t, formattest.Decode(t, &senml.CBORDecoder{}, formattest.Request("/33001/0"), theirs), entries)
}

// reads reports whether the peer reads b as want.
func reads[T comparable](b []byte, want T) bool {
	var got T
	return cbor.Unmarshal(b, &got) == nil && got == want
}

// TestPeerOrder reads records that the peer writes from Go maps, with fields in any order.
func TestPeerOrder(t *testing.T) {
	for range 20 {
		list := []map[any]any{{-2: "/3/0/", 0: "9", 2: 100, 1: "%", -3: 1700000000}, {0: "14", 3: "+02:00", 6: -5}}
		b, err := cbor.Marshal(list)
		if err != nil {
			t.Fatal(err)
		}
		want := []dm.Entry{timed("/3/0/9", 100, 1700000000), formattest.At("/3/0/14", dm.StringValue("+02:00"))}
		want[1].Time = 1699999995
		formattest.Equal(t, formattest.Decode(t, &senml.CBORDecoder{}, formattest.Request("/3/0"), b), want)
	}
}
