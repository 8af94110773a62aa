package socket

import "strconv"

// An AlertError is a TLS or DTLS alert that ended a handshake or a connection (RFC 5246 §7.2, RFC 8446 §6).
type AlertError struct {
	Level       AlertLevel // zero if the protocol's engine does not tell
	Description Alert
	Received    bool  // the peer sent it; otherwise this side did
	Err         error // why this side sent it; may be nil
}

// Error names the alert, its number, and who sent it.
func (e *AlertError) Error() string {
	who := "sent"
	if e.Received {
		who = "peer sent"
	}
	s := who + " alert " + e.Description.String()
	if e.Level == AlertWarning {
		s = who + " warning alert " + e.Description.String()
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns Err.
func (e *AlertError) Unwrap() error { return e.Err }

// Is reports whether target is an *AlertError with the same description, and with the same level unless that is zero in target.
func (e *AlertError) Is(target error) bool {
	t, ok := target.(*AlertError)
	return ok && t.Description == e.Description && (t.Level == 0 || t.Level == e.Level)
}

// AlertLevel is the severity of an alert.
type AlertLevel uint8

// The levels of RFC 5246 §7.2.
const (
	AlertWarning AlertLevel = 1
	AlertFatal   AlertLevel = 2
)

// Alert is the description of an alert, by its number in IANA's TLS Alerts registry.
type Alert uint8

// The alerts that a device meets.
const (
	AlertCloseNotify            Alert = 0
	AlertUnexpectedMessage      Alert = 10
	AlertBadRecordMAC           Alert = 20
	AlertRecordOverflow         Alert = 22
	AlertHandshakeFailure       Alert = 40
	AlertNoCertificate          Alert = 41
	AlertBadCertificate         Alert = 42
	AlertUnsupportedCertificate Alert = 43
	AlertCertificateRevoked     Alert = 44
	AlertCertificateExpired     Alert = 45
	AlertCertificateUnknown     Alert = 46
	AlertIllegalParameter       Alert = 47
	AlertUnknownCA              Alert = 48
	AlertAccessDenied           Alert = 49
	AlertDecodeError            Alert = 50
	AlertDecryptError           Alert = 51
	AlertProtocolVersion        Alert = 70
	AlertInsufficientSecurity   Alert = 71
	AlertInternalError          Alert = 80
	AlertInappropriateFallback  Alert = 86
	AlertUserCanceled           Alert = 90
	AlertMissingExtension       Alert = 109
	AlertUnsupportedExtension   Alert = 110
	AlertUnrecognizedName       Alert = 112
	AlertBadStatusResponse      Alert = 113
	AlertUnknownPSKIdentity     Alert = 115
	AlertCertificateRequired    Alert = 116
	AlertNoApplicationProtocol  Alert = 120
)

// String returns the registered name and the number, such as "handshake_failure (40)".
func (a Alert) String() string {
	name := a.name()
	if name == "" {
		name = "unknown"
	}
	return name + " (" + strconv.Itoa(int(a)) + ")"
}

func (a Alert) name() string {
	switch a {
	case AlertCloseNotify:
		return "close_notify"
	case AlertUnexpectedMessage:
		return "unexpected_message"
	case AlertBadRecordMAC:
		return "bad_record_mac"
	case AlertRecordOverflow:
		return "record_overflow"
	case AlertHandshakeFailure:
		return "handshake_failure"
	case AlertNoCertificate:
		return "no_certificate"
	case AlertBadCertificate:
		return "bad_certificate"
	case AlertUnsupportedCertificate:
		return "unsupported_certificate"
	case AlertCertificateRevoked:
		return "certificate_revoked"
	case AlertCertificateExpired:
		return "certificate_expired"
	case AlertCertificateUnknown:
		return "certificate_unknown"
	case AlertIllegalParameter:
		return "illegal_parameter"
	case AlertUnknownCA:
		return "unknown_ca"
	case AlertAccessDenied:
		return "access_denied"
	case AlertDecodeError:
		return "decode_error"
	case AlertDecryptError:
		return "decrypt_error"
	case AlertProtocolVersion:
		return "protocol_version"
	case AlertInsufficientSecurity:
		return "insufficient_security"
	case AlertInternalError:
		return "internal_error"
	case AlertInappropriateFallback:
		return "inappropriate_fallback"
	case AlertUserCanceled:
		return "user_canceled"
	case AlertMissingExtension:
		return "missing_extension"
	case AlertUnsupportedExtension:
		return "unsupported_extension"
	case AlertUnrecognizedName:
		return "unrecognized_name"
	case AlertBadStatusResponse:
		return "bad_certificate_status_response"
	case AlertUnknownPSKIdentity:
		return "unknown_psk_identity"
	case AlertCertificateRequired:
		return "certificate_required"
	case AlertNoApplicationProtocol:
		return "no_application_protocol"
	}
	return ""
}
