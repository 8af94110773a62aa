package lwm2mtest

import (
	"bytes"
	"slices"
	"strings"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/coap"
)

// Wakaama refuses what the server of Eclipse Wakaama refuses although LwM2M allows it: 4.00 to
// Content-Formats in quotes, such as ct="112 110" and ct="112", and 4.12 to versions above 1.1. It
// is for Server.Intercept, to test that a device registers at such a server:
//
//	srv.Intercept(lwm2mtest.Wakaama)
func Wakaama(r Request) (Reply, bool) {
	switch {
	case carriesLinks(r) && bytes.Contains(r.Payload, []byte(`;ct="`)):
		return Reply{Code: coap.BadRequest}, true
	case registersAbove(r, registry.V(1, 1)):
		return Reply{Code: coap.PreconditionFailed}, true
	}
	return Reply{}, false
}

// Leshan refuses what Eclipse Leshan 2 refuses although LwM2M allows it: 4.00 to versions of
// objects in quotes, such as ver="1.1", and 4.12 to versions of LwM2M above 1.1. It is for
// Server.Intercept.
func Leshan(r Request) (Reply, bool) {
	switch {
	case registersAbove(r, registry.V(1, 1)):
		return Reply{Code: coap.PreconditionFailed}, true
	case carriesLinks(r) && bytes.Contains(r.Payload, []byte(`;ver="`)):
		return Reply{Code: coap.BadRequest}, true
	}
	return Reply{}, false
}

// carriesLinks reports whether r is a Register or an Update with a list of objects.
func carriesLinks(r Request) bool {
	return r.Method == coap.POST && strings.HasPrefix(r.Path, "/rd") && len(r.Payload) > 0
}

// registersAbove reports whether r is a Register with a version of LwM2M above v.
func registersAbove(r Request, v registry.Version) bool {
	if r.Method != coap.POST || r.Path != "/rd" {
		return false
	}
	return slices.ContainsFunc(r.Query, func(q string) bool {
		name, value, _ := strings.Cut(q, "=")
		version, err := registry.ParseVersion(value)
		return name == "lwm2m" && err == nil && version.Compare(v) > 0
	})
}
