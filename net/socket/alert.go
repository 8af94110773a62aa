package socket

import "strconv"

// An AlertError is a TLS or DTLS alert that ended a handshake or a connection (RFC 5246 §7.2, RFC
// 8446 §6).
type AlertError struct {
	Level       AlertLevel // zero if not known
	Description Alert
	Received    bool  // the peer sent the alert; otherwise this side did
	Err         error // why this side sent the alert; may be nil
}

// Error names the alert, its number, and its sender.
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

// Is reports whether target is an *AlertError with the same description, and with the same level
// unless that is zero in target.
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
	AlertBadRecordMAC           Alert = 20
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
	AlertDecryptError           Alert = 51
	AlertProtocolVersion        Alert = 70
	AlertInsufficientSecurity   Alert = 71
	AlertInternalError          Alert = 80
	AlertUnrecognizedName       Alert = 112
	AlertUnknownPSKIdentity     Alert = 115
	AlertCertificateRequired    Alert = 116
)

// String returns the registered name and the number, such as "handshake_failure (40)".
func (a Alert) String() string {
	name := alertNames[a]
	if name == "" {
		name = "unknown"
	}
	return name + " (" + strconv.Itoa(int(a)) + ")"
}

// alertNames are the names in the registry.
var alertNames = [256]string{
	AlertCloseNotify:            "close_notify",
	10:                          "unexpected_message",
	AlertBadRecordMAC:           "bad_record_mac",
	22:                          "record_overflow",
	AlertHandshakeFailure:       "handshake_failure",
	AlertNoCertificate:          "no_certificate",
	AlertBadCertificate:         "bad_certificate",
	AlertUnsupportedCertificate: "unsupported_certificate",
	AlertCertificateRevoked:     "certificate_revoked",
	AlertCertificateExpired:     "certificate_expired",
	AlertCertificateUnknown:     "certificate_unknown",
	AlertIllegalParameter:       "illegal_parameter",
	AlertUnknownCA:              "unknown_ca",
	AlertAccessDenied:           "access_denied",
	50:                          "decode_error",
	AlertDecryptError:           "decrypt_error",
	AlertProtocolVersion:        "protocol_version",
	AlertInsufficientSecurity:   "insufficient_security",
	AlertInternalError:          "internal_error",
	86:                          "inappropriate_fallback",
	90:                          "user_canceled",
	109:                         "missing_extension",
	110:                         "unsupported_extension",
	AlertUnrecognizedName:       "unrecognized_name",
	113:                         "bad_certificate_status_response",
	AlertUnknownPSKIdentity:     "unknown_psk_identity",
	AlertCertificateRequired:    "certificate_required",
	120:                         "no_application_protocol",
}
