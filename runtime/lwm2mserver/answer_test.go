package lwm2mserver_test

import (
	"testing"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mserver"
)

func TestAnswerString(t *testing.T) {
	for want, a := range map[string]lwm2mserver.Answer{
		"2.04":                     {Code: coap.Changed, Format: content.None},
		"2.05 22.5":                {Code: coap.Content, Format: content.Text, Payload: []byte("22.5")},
		"2.05 TLV c80301":          {Code: coap.Content, Format: content.TLV, Payload: []byte{0xc8, 3, 1}},
		"2.05 TLV":                 {Code: coap.Content, Format: content.TLV},
		"4.00 /3308/0/5900":        {Code: coap.BadRequest, Format: content.None, Payload: []byte("/3308/0/5900")},
		"2.05 octet stream 000102": {Code: coap.Content, Format: content.Opaque, Payload: []byte{0, 1, 2}},
	} {
		if got := a.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
