package omaxml

import (
	"testing"

	"github.com/lwm2mgen/toolkit/registry"
)

func TestParseURN(t *testing.T) {
	for s, want := range map[string]urn{
		"urn:oma:lwm2m:oma:0":        {},
		"urn:oma:lwm2m:oma:3:1.2":    {3, registry.V(1, 2)},
		"urn:oma:lwm2m:ext:3303":     {3303, registry.Version{}},
		"URN:OMA:LWM2M:x:10241:2.10": {10241, registry.V(2, 10)},
	} {
		if got, ok := parseURN(s); !ok || got != want {
			t.Errorf("%q: got %v, %v", s, got, ok)
		}
	}
	for _, s := range []string{
		"", "3303", "urn:oma:lwm2m:ext", "urn:oma:lwm2m:ext:", "urn:oma:lwm2m:ext:3303:", "urn:oma:lwm2m:ext:3303:1",
		"urn:oma:lwm2m:ext:3303:1.0:1",
		"urn:oma:lwm2m:ext:65536", "urn:oma:lwm2m:ext:-1", "urn:oma:dm:ext:3303", "uri:oma:lwm2m:ext:3303",
		"urn:ietf:lwm2m:ext:3303",
	} {
		if got, ok := parseURN(s); ok {
			t.Errorf("%q: got %v", s, got)
		}
	}
}
