package opaque_test

import (
	"errors"
	"testing"

	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/formattest"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/opaque"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

func TestRoundTrip(t *testing.T) {
	for _, payload := range []string{"", "\x00", "\x00\xff\xfe", "text"} {
		for _, p := range []string{"/33001/0/6", "/33001/0/26/3", "/1/0/99"} {
			e := []dm.Entry{formattest.At(p, dm.OpaqueValue([]byte(payload)))}
			b := formattest.Encode(t, &opaque.Encoder{}, p, e)
			if string(b) != payload {
				t.Errorf("%q is written as %q", payload, b)
			}
			formattest.Equal(t, formattest.Decode(t, &opaque.Decoder{}, formattest.Request(p), b), e)
		}
	}
}

// TestValueSharesPayload checks that the value shares the payload's bytes: a firmware image is not
// copied.
func TestValueSharesPayload(t *testing.T) {
	payload := []byte("image")
	got := formattest.Decode(t, &opaque.Decoder{}, formattest.Request("/33001/0/6"), payload)
	if &got[0].Value.Opaque()[0] != &payload[0] {
		t.Error("the value is a copy")
	}
}

func TestRefused(t *testing.T) {
	formattest.Refused(t, &opaque.Decoder{}, formattest.Request("/1/0/1"), []byte("1"), dm.BadRequest, "/1/0/1")
	formattest.Refused(t, &opaque.Decoder{}, formattest.Request("/1/0"), []byte("1"), dm.UnsupportedContentFormat, "/1/0")
	_, err := formattest.TryEncode(&opaque.Encoder{}, content.Target{Base: formattest.Path("/1/0/7")},
		[]dm.Entry{formattest.At("/1/0/7", dm.StringValue("U"))})
	if !errors.Is(err, dm.NotAcceptable) {
		t.Errorf("a String: %v, want 4.06", err)
	}
}

func FuzzOpaque(f *testing.F) {
	f.Add([]byte("image"), formattest.FuzzBase("/33001/0/24"))
	f.Fuzz(func(t *testing.T, payload []byte, n uint8) {
		formattest.RoundTrip(t, &opaque.Encoder{}, &opaque.Decoder{}, formattest.FuzzRequest(n), payload, formattest.Quirks{NoEmpty: true})
	})
}
