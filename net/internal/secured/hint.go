package secured

import "github.com/lwm2mgen/toolkit/net/socket"

// Progress is what is known of a handshake that the server ended with an alert.
type Progress struct {
	Certificate   bool   // the device has a certificate, not a pre-shared key
	SuiteChosen   bool   // the server has chosen a ciphersuite
	NoCertificate bool   // the server asked for a certificate of CAs that the device has none of
	Complete      bool   // the handshake was complete: the alert came later
	VersionHint   string // what protocol_version means
	Offered       string // ciphersuites; may be empty
	ServerName    string // sent as SNI; may be empty
}

const wantsAnother = "it wants a certificate of a CA that ours is not from"

// Hint says what an alert of the server probably means, empty if there is nothing to add. Many
// servers send one alert for everything; how far the handshake came then tells more.
func (p *Progress) Hint(a socket.Alert) string {
	switch a {
	case socket.AlertHandshakeFailure, socket.AlertInsufficientSecurity:
		return p.refusal()
	case socket.AlertNoCertificate, socket.AlertCertificateRequired:
		return wantsAnother
	case socket.AlertUnknownCA, socket.AlertBadCertificate, socket.AlertCertificateUnknown,
		socket.AlertUnsupportedCertificate,
		socket.AlertCertificateExpired, socket.AlertCertificateRevoked, socket.AlertAccessDenied:
		if a == socket.AlertUnknownCA && !p.NoCertificate {
			return "it does not trust the CA that issued our certificate: use one of another CA"
		}
		return p.refusedCertificate()
	case socket.AlertDecryptError:
		if p.Certificate {
			return p.refusedCertificate()
		}
		return refusedKey
	case socket.AlertUnknownPSKIdentity, socket.AlertBadRecordMAC:
		if !p.Certificate {
			return refusedKey
		}
	case socket.AlertInternalError:
		if !p.Certificate {
			return "some servers say so when they do not know the identity"
		}
	case socket.AlertProtocolVersion:
		return p.VersionHint
	case socket.AlertUnrecognizedName:
		if p.ServerName == "" {
			return "it has no service of this name"
		}
		return "it has no service of the name " + p.ServerName
	}
	return ""
}

const refusedKey = "it does not know our identity, or has another key for it"

// refusal explains an alert that stands for everything.
func (p *Progress) refusal() string {
	switch {
	case p.Complete:
		return ""
	case p.NoCertificate:
		return wantsAnother
	case !p.SuiteChosen && p.Offered != "":
		return "it has probably no ciphersuite in common with us, we offered " + p.Offered
	case !p.SuiteChosen:
		return "it has probably no ciphersuite in common with us"
	case p.Certificate:
		return "it has chosen a ciphersuite, so it probably does not accept our certificate"
	}
	return "it has chosen a ciphersuite, so it probably does not know our identity"
}

func (p *Progress) refusedCertificate() string {
	if p.NoCertificate {
		return wantsAnother
	}
	return "it refuses our certificate"
}
