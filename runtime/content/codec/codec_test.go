package codec_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/codec"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/formattest"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// formats are all formats that carry values; many says whether a format carries more than one.
var formats = []struct {
	format content.Format
	many   bool
}{
	{content.Text, false}, {content.Opaque, false}, {content.CBOR, false},
	{content.SenMLJSON, true}, {content.SenMLCBOR, true}, {content.SenMLETCHJSON, true}, {content.SenMLETCHCBOR, true},
	{content.TLV, true}, {content.LegacyTLV, true}, {content.LegacyTLV99, true},
	{content.LwM2MJSON, true}, {content.LegacyJSON, true}, {content.LwM2MCBOR, true},
}

func decode(d *codec.Decoder, f content.Format, payload []byte, r content.Request) ([]dm.Entry, error) {
	var got []dm.Entry
	err := d.Decode(f, payload, r, func(e dm.Entry) error { got = append(got, e); return nil })
	return got, err
}

// TestEveryValue encodes and decodes every value in every format, with one Encoder and one Decoder.
func TestEveryValue(t *testing.T) {
	var enc codec.Encoder
	var dec codec.Decoder
	for _, f := range formats {
		t.Run(f.format.String(), func(t *testing.T) {
			for _, v := range formattest.Values() {
				multiple := dm.ResourceID(formattest.EveryMultiple + v.Type())
				for _, p := range []dm.Path{formattest.Every(v.Type()), dm.ResourceInstancePath(formattest.EveryID, 3, multiple, 7)} {
					e := []dm.Entry{{Path: p, Value: v}}
					b, err := enc.Encode(f.format, nil, content.Target{Base: p}, e)
					if f.format == content.Opaque && v.Type() != registry.Opaque {
						if !errors.Is(err, dm.NotAcceptable) {
							t.Errorf("%v: %v, want 4.06", v.Type(), err)
						}
						continue
					}
					if err != nil {
						t.Fatalf("%v %v: %v", v.Type(), v, err)
					}
					got, err := decode(&dec, f.format, b, formattest.Request(p.String()))
					if err != nil || !formattest.Same(got, e) {
						t.Errorf("%v %v: %x comes back as %v, %v", v.Type(), v, b, got, err)
					}
				}
			}
		})
	}
}

// TestInstances encodes and decodes whole instances and objects in every format that carries them.
func TestInstances(t *testing.T) {
	var enc codec.Encoder
	var dec codec.Decoder
	for _, f := range formats {
		if !f.many {
			continue
		}
		t.Run(f.format.String(), func(t *testing.T) {
			for base, entries := range map[string][]dm.Entry{
				"/3/0": formattest.Device0(), "/3": formattest.Device0(), "/2": formattest.AccessControl(), "/66": formattest.Linked66(),
				"/33001/0": formattest.Instance(), "/33001": formattest.Instance(), "/3/0/6": formattest.Device0()[4:6], "/1": nil,
			} {
				b, err := enc.Encode(f.format, []byte("head"), content.Target{Base: formattest.Path(base)}, entries)
				if err != nil || string(b[:4]) != "head" {
					t.Fatalf("%s: %v", base, err)
				}
				got, err := decode(&dec, f.format, b[4:], formattest.Request(base))
				if err != nil {
					t.Fatalf("%s: %v", base, err)
				}
				formattest.Equal(t, got, entries)
			}
		})
	}
}

// TestComposite encodes and decodes values of several objects in every format that carries them.
func TestComposite(t *testing.T) {
	entries := slices.Concat(formattest.Servers(), formattest.AccessControl(), formattest.Device0(), formattest.Linked65())
	var enc codec.Encoder
	var dec codec.Decoder
	for _, f := range formats {
		b, err := enc.Encode(f.format, nil, content.Target{}, entries)
		if !f.format.Carries(content.WriteComposite, dm.RootLevel) {
			if !errors.Is(err, dm.NotAcceptable) {
				t.Errorf("%v: %v, want 4.06", f.format, err)
			}
			continue
		}
		if err != nil {
			t.Fatalf("%v: %v", f.format, err)
		}
		got, err := decode(&dec, f.format, b, formattest.Request("/"))
		if err != nil {
			t.Fatalf("%v: %v", f.format, err)
		}
		formattest.Equal(t, got, entries)
	}
}

func TestPaths(t *testing.T) {
	paths := []dm.Path{formattest.Path("/1/0/1"), formattest.Path("/3"), formattest.Path("/3303/0")}
	var dec codec.Decoder
	for _, f := range formats {
		b, err := codec.AppendPaths(f.format, nil, content.Target{}, paths)
		var got []dm.Path
		derr := dec.DecodePaths(f.format, b, content.Request{}, func(p dm.Path) error { got = append(got, p); return nil })
		if !f.format.Carries(content.CompositePaths, dm.RootLevel) {
			if !errors.Is(err, dm.UnsupportedContentFormat) || !errors.Is(derr, dm.UnsupportedContentFormat) {
				t.Errorf("%v: %v and %v, want 4.15", f.format, err, derr)
			}
			continue
		}
		if err != nil || derr != nil || !slices.Equal(got, paths) {
			t.Errorf("%v: %x, %v is %v, %v", f.format, b, err, got, derr)
		}
	}
}

func TestUnknownFormat(t *testing.T) {
	var enc codec.Encoder
	var dec codec.Decoder
	for _, f := range []content.Format{content.Link, content.None, 50} {
		if _, err := enc.Encode(f, nil, content.Target{}, nil); !errors.Is(err, dm.NotAcceptable) {
			t.Errorf("%v: %v, want 4.06", f, err)
		}
		if _, err := decode(&dec, f, nil, content.Request{}); !errors.Is(err, dm.UnsupportedContentFormat) {
			t.Errorf("%v: %v, want 4.15", f, err)
		}
	}
	if err := enc.Value(dm.Path{}, dm.Value{}); !errors.Is(err, dm.InternalServerError) {
		t.Errorf("a value before Begin: %v", err)
	}
	if _, err := enc.Finish(); !errors.Is(err, dm.InternalServerError) {
		t.Errorf("Finish before Begin: %v", err)
	}
}

// TestReuseAfterFailure uses an Encoder and a Decoder again after each kind of failure.
func TestReuseAfterFailure(t *testing.T) {
	var enc codec.Encoder
	var dec codec.Decoder
	stop := errors.New("stop")
	for _, f := range formats {
		if !f.many {
			continue
		}
		target := content.Target{Base: formattest.Path("/3/0")}
		want, err := enc.Encode(f.format, nil, target, formattest.Device0())
		if err != nil {
			t.Fatal(err)
		}
		broken := append(formattest.Device0()[:5:5], formattest.At("/4/0/0", dm.IntegerValue(1)))
		if _, err := enc.Encode(f.format, nil, target, broken); err == nil {
			t.Errorf("%v: encoded a path outside of the base", f.format)
		}
		if got, err := enc.Encode(f.format, nil, target, formattest.Device0()); err != nil || string(got) != string(want) {
			t.Errorf("%v: after a failure %x, %v", f.format, got, err)
		}
		if err := dec.Decode(f.format, want, formattest.Request("/3/0"), func(dm.Entry) error { return stop }); !errors.Is(err, stop) {
			t.Errorf("%v: %v, want the caller's own error", f.format, err)
		}
		if _, err := decode(&dec, f.format, want[:len(want)-1], formattest.Request("/3/0")); !errors.Is(err, dm.BadRequest) {
			t.Errorf("%v: %v, want 4.00", f.format, err)
		}
		got, err := decode(&dec, f.format, want, formattest.Request("/3/0"))
		if err != nil {
			t.Fatalf("%v: after a failure %v", f.format, err)
		}
		formattest.Equal(t, got, formattest.Device0())
	}
}

// TestErrorsShowNoValue checks that no error contains the value, which may be a secret.
func TestErrorsShowNoValue(t *testing.T) {
	const secret = "Hunter2"
	payloads := map[content.Format]string{
		content.Text:      secret,
		content.CBOR:      "\x67" + secret,
		content.SenMLJSON: `[{"n":"/33001/0/2","vs":"` + secret + `"}]`,
		content.SenMLCBOR: "\x81\xa2\x00\x6a/33001/0/2\x03\x67" + secret,
		content.TLV:       "\xc7\x02" + secret,
		content.LwM2MJSON: `{"e":[{"sv":"` + secret + `"}]}`,
		content.LwM2MCBOR: "\xa1\x83\x19\x80\xe9\x00\x02\x67" + secret,
	}
	var dec codec.Decoder
	for f, payload := range payloads {
		for _, base := range []string{"/33001/0/2", "/33001/0/6", "/33001/0/8"} {
			_, err := decode(&dec, f, []byte(payload), formattest.Request(base))
			if base == "/33001/0/2" && !errors.Is(err, dm.BadRequest) {
				t.Errorf("%v: %v, want 4.00", f, err)
			}
			if err != nil && strings.Contains(fmt.Sprintf("%+v", err), secret) {
				t.Errorf("%v: the error shows the value: %v", f, err)
			}
		}
	}
}

// TestSecretsAreHidden decodes a secret resource in every format: its value does not print itself.
func TestSecretsAreHidden(t *testing.T) {
	vault := &registry.Object{ID: 33001, Version: registry.V(1, 0), Name: "Vault", Resources: []registry.Resource{
		{ID: 0, Name: "Owner", Ops: registry.RW, Type: registry.String},
		{ID: 1, Name: "Key", Type: registry.Opaque, Secret: true},
		{ID: 2, Name: "Password", Ops: registry.W, Type: registry.String, Secret: true},
		{ID: 3, Name: "Spares", Type: registry.Opaque, Multiple: true, Secret: true},
	}}
	entries := []dm.Entry{
		{Path: dm.ResourcePath(33001, 0, 0), Value: dm.StringValue("Hunter2")},
		{Path: dm.ResourcePath(33001, 0, 1), Value: dm.OpaqueValue([]byte("Hunter2"))},
		{Path: dm.ResourcePath(33001, 0, 2), Value: dm.StringValue("Hunter2")},
		{Path: dm.ResourceInstancePath(33001, 0, 3, 0), Value: dm.OpaqueValue([]byte("Hunter2"))},
	}
	req := content.Request{Base: dm.InstancePath(33001, 0), Schema: func(dm.ObjectID) *registry.Object { return vault }}
	var enc codec.Encoder
	var dec codec.Decoder
	for _, f := range []content.Format{content.TLV, content.SenMLJSON, content.SenMLCBOR, content.LwM2MJSON, content.LwM2MCBOR} {
		payload, err := enc.Encode(f, nil, content.Target{Base: req.Base}, entries)
		if err != nil {
			t.Fatal(f, err)
		}
		got, err := decode(&dec, f, payload, req)
		if err != nil || len(got) != len(entries) {
			t.Fatalf("%v: %v, %v", f, got, err)
		}
		for i, e := range got {
			secret := e.Path.Resource() != 0
			if !e.Value.Equal(entries[i].Value) || e.Value.IsSecret() != secret || strings.Contains(fmt.Sprintf("%+v", e), "Hunter2") == secret {
				t.Errorf("%v: %+v, secret %v", f, e, e.Value.IsSecret())
			}
		}
	}
}

// TestTimeInCBOR shows where a Time has tag 1: in the format of one value. The maps and records of
// the other formats hold a plain number. All of them are read with the tag and without.
func TestTimeInCBOR(t *testing.T) {
	clock := dm.ResourcePath(3, 0, 13)
	for f, want := range map[content.Format]string{
		content.CBOR:          "\xc1\x1a\x51\x82\x42\x8f",
		content.SenMLCBOR:     "\x81\xa2\x21\x67/3/0/13\x02\x1a\x51\x82\x42\x8f",
		content.SenMLETCHCBOR: "\x81\xa2\x21\x67/3/0/13\x02\x1a\x51\x82\x42\x8f",
		content.LwM2MCBOR:     "\xa1\x03\xa1\x00\xa1\x0d\x1a\x51\x82\x42\x8f",
	} {
		var e codec.Encoder
		got, err := e.Encode(f, nil, content.Target{Base: clock}, []dm.Entry{{Path: clock, Value: dm.TimeValue(1367491215)}})
		if err != nil || string(got) != want {
			t.Errorf("%v: %x, %v, want %x", f, got, err, want)
		}
		for _, tag := range []string{"", "\xc1"} {
			payload := []byte(strings.Replace(strings.Replace(want, "\xc1", "", 1), "\x1a\x51", tag+"\x1a\x51", 1))
			var d codec.Decoder
			var entries []dm.Entry
			err := d.Decode(f, payload, formattest.Request("/3/0/13"), func(e dm.Entry) error {
				entries = append(entries, e)
				return nil
			})
			if err != nil || len(entries) != 1 || !entries[0].Value.Equal(dm.TimeValue(1367491215)) {
				t.Errorf("%v: %x is read as %v, %v", f, payload, entries, err)
			}
		}
	}
}
