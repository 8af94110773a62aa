package secured

import (
	"testing"

	"github.com/lwm2mgen/toolkit/net/socket"
)

func TestHintDependsOnHowFarTheHandshakeCame(t *testing.T) {
	for _, c := range []struct {
		name  string
		seen  Progress
		alert socket.Alert
		want  string
	}{
		{"before a ciphersuite is chosen", Progress{Offered: "A, B"}, socket.AlertHandshakeFailure, "it has probably no ciphersuite in common with us, we offered A, B"},
		{"offered suites unknown", Progress{}, socket.AlertInsufficientSecurity, "it has probably no ciphersuite in common with us"},
		{"after it, with a key", Progress{SuiteChosen: true}, socket.AlertHandshakeFailure, "it has chosen a ciphersuite, so it probably does not know our identity"},
		{"after it, with a certificate", Progress{SuiteChosen: true, Certificate: true}, socket.AlertHandshakeFailure, "it has chosen a ciphersuite, so it probably does not accept our certificate"},
		{"after the handshake", Progress{SuiteChosen: true, Certificate: true, Complete: true}, socket.AlertHandshakeFailure, ""},
		{"no certificate of the CAs asked for", Progress{SuiteChosen: true, Certificate: true, NoCertificate: true}, socket.AlertUnknownCA, wantsAnother},
		{"certificate refused", Progress{SuiteChosen: true, Certificate: true}, socket.AlertUnknownCA, "it does not trust the CA that issued our certificate: use one of another CA"},
		{"certificate revoked", Progress{SuiteChosen: true, Certificate: true}, socket.AlertCertificateRevoked, "it refuses our certificate"},
		{"certificate required", Progress{Certificate: true}, socket.AlertCertificateRequired, wantsAnother},
		{"signature refused", Progress{Certificate: true}, socket.AlertDecryptError, "it refuses our certificate"},
		{"key refused", Progress{}, socket.AlertDecryptError, refusedKey},
		{"identity unknown", Progress{}, socket.AlertUnknownPSKIdentity, refusedKey},
		{"internal error with a key", Progress{}, socket.AlertInternalError, "some servers say so when they do not know the identity"},
		{"internal error with a certificate", Progress{Certificate: true}, socket.AlertInternalError, ""},
		{"version", Progress{VersionHint: "it is old"}, socket.AlertProtocolVersion, "it is old"},
		{"name", Progress{ServerName: "a.example"}, socket.AlertUnrecognizedName, "it has no service of the name a.example"},
		{"nothing to add", Progress{}, socket.AlertCloseNotify, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.seen.Hint(c.alert); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}
