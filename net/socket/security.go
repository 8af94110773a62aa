package socket

import (
	"crypto"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"
)

// Security says how a connection is secured: what a Security object instance (object 0) holds, in
// the terms of TLS. The zero value is no security at all.
//
// Printing a Security with any fmt verb, slog or JSON shows no key.
type Security struct {
	// Mode selects the credentials. The zero value means ModeNoSec.
	Mode Mode

	// Identity is the PSK identity (/0/x/3), not empty in ModePSK. It is sent in plaintext.
	Identity []byte
	// Key is the pre-shared key (/0/x/5), not empty in ModePSK.
	Key Secret

	// Certificates is the device's certificate (/0/x/3) in DER and then, in order, those that lead
	// to its CA; at least one in ModeCertificate.
	Certificates [][]byte
	// PrivateKey signs for the first of Certificates, or is the raw key pair in ModeRPK. The key
	// itself may stay in a secure element. ParsePrivateKey makes one of the bytes of /0/x/5, which
	// does not show where a Config is kept in an unexported field and printed; an
	// ed25519.PrivateKey does, as it is plain bytes.
	PrivateKey crypto.Signer
	// RebuildChain completes Certificates with issuers found in TrustStore. The zero value means
	// that they are sent as given.
	RebuildChain bool

	// ServerPublicKey (/0/x/4) is compared with the server's certificate, as Usage says. It is a
	// certificate in DER (in ModeRPK a SubjectPublicKeyInfo), or its hash, as Matching says. The
	// zero value means no comparison, which is possible with usages 0 and 1 only: they then
	// validate a certificate as browsers do.
	ServerPublicKey []byte
	// Usage is the Certificate Usage (/0/x/15). The zero value means UsageCAConstraint, the
	// strictest usage.
	Usage CertificateUsage
	// Matching is the Matching Type (/0/x/13). The zero value means MatchExact.
	Matching MatchingType
	// TrustStore holds the CAs that usages 0 and 1 start from; x509.SystemCertPool returns the CAs
	// of the system. The zero value means no CAs: then only usages 2 and 3 are possible.
	TrustStore *x509.CertPool
	// CRLs are revocation lists; a certificate on the list of its issuer is refused, even after the
	// next update of the list was due. The zero value means that revocation is not checked.
	CRLs []*x509.RevocationList
	// RequireCRLs refuses a certificate, other than a root, whose issuer has no list in CRLs or
	// only one whose next update was due. Such a device cannot connect before it has a new list
	// from elsewhere. The zero value means that only a revocation is a reason to refuse.
	RequireCRLs bool
	// ServerName is the Server Name Indication (/0/x/14) and the name that the server's certificate
	// must carry. A numeric address is compared with the certificate, but never sent. The zero
	// value means the host of the server's URI.
	ServerName string

	// CipherSuites (/0/x/16) are the ciphersuites allowed, the preferred first. The zero value
	// means all that the implementation has for the Mode.
	CipherSuites []CipherSuite
	// MinVersion and MaxVersion bound the protocol version of a TLS connection, in the numbers of
	// crypto/tls. The zero value means 1.2 for MinVersion, and the newest version of the
	// implementation for MaxVersion. DTLS is always 1.2.
	MinVersion, MaxVersion uint16

	// NoConnectionID turns off the Connection ID (RFC 9146). The zero value means that one is
	// offered, and used if the server agrees.
	NoConnectionID bool
	// Sessions stores sessions, so that reconnects and, if the store is durable, restarts can
	// resume them. The zero value means resumption within one socket only.
	Sessions SessionStore
	// HandshakeMin and HandshakeMax are the first and the longest wait of a DTLS handshake before
	// it repeats a flight; the waits double in between. The zero value means 1 s and 60 s (RFC 6347
	// §4.2.4.1).
	HandshakeMin, HandshakeMax time.Duration
	// KeyLog receives the session keys in the NSS format, for debugging with Wireshark only:
	// everybody who has the keys can read all traffic. The zero value means no log.
	KeyLog io.Writer
}

// Mode is the kind of credentials. Its numbers differ from those of Security Mode (/0/x/2), so that
// the zero value is ModeNoSec.
type Mode uint8

// The modes, with their number in /0/x/2.
const (
	ModeNoSec       Mode = iota // 3: no security
	ModePSK                     // 0: pre-shared key
	ModeRPK                     // 1: raw public key (RFC 7250)
	ModeCertificate             // 2: X.509 certificates; also 4, with certificates from EST
)

// String returns the mode's usual name.
func (m Mode) String() string {
	switch m {
	case ModeNoSec:
		return "NoSec"
	case ModePSK:
		return "PSK"
	case ModeRPK:
		return "RPK"
	case ModeCertificate:
		return "X.509"
	}
	return "unknown"
}

// CertificateUsage says how ServerPublicKey is used (/0/x/15, RFC 6698 §2.1.1).
type CertificateUsage uint8

// The usages, by their numbers.
const (
	// PKIX-TA: valid from the trust store, and this CA is in the chain.
	UsageCAConstraint CertificateUsage = 0
	// PKIX-EE: valid from the trust store, and this is the server's certificate.
	UsageServiceConstraint CertificateUsage = 1
	UsageTrustAnchor       CertificateUsage = 2 // DANE-TA: this CA is the only trust anchor
	// DANE-EE: this is the server's certificate; nothing else is checked.
	UsageDomainIssued CertificateUsage = 3
)

// String returns the usage's name in LwM2M's words.
func (u CertificateUsage) String() string {
	switch u {
	case UsageCAConstraint:
		return "CA constraint"
	case UsageServiceConstraint:
		return "service certificate constraint"
	case UsageTrustAnchor:
		return "trust anchor assertion"
	case UsageDomainIssued:
		return "domain-issued certificate"
	}
	return "unknown"
}

// MatchingType says what ServerPublicKey holds (/0/x/13, RFC 6698 §2.1.3).
type MatchingType uint8

// The matching types, by their numbers.
const (
	MatchExact  MatchingType = 0 // the certificate itself
	MatchSHA256 MatchingType = 1 // its SHA-256 hash, 32 bytes
	MatchSHA384 MatchingType = 2 // its SHA-384 hash, 48 bytes
	MatchSHA512 MatchingType = 3 // its SHA-512 hash, 64 bytes
)

// CipherSuite is a ciphersuite by its number in IANA's TLS Cipher Suites registry, which is also
// its value in /0/x/16.
type CipherSuite uint16

// String returns the number as IANA writes it, such as "0xC0,0xA8".
func (c CipherSuite) String() string { return fmt.Sprintf("0x%02X,0x%02X", uint8(c>>8), uint8(c)) }

// Validate checks everything that does not depend on the implementation of the protocol. It reports
// all faults at once.
func (s *Security) Validate() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf("security: "+format, args...)) }
	switch s.Mode {
	case ModeNoSec:
		s.validateNoSec(fault)
	case ModePSK:
		if len(s.Identity) == 0 {
			fault("mode PSK needs an Identity")
		}
		if s.Key.Len() == 0 {
			fault("mode PSK needs a Key")
		}
		if len(s.Identity) > 1<<16-1 || s.Key.Len() > 1<<16-1 {
			fault("an Identity or Key of more than 65535 bytes cannot be used (RFC 4279 §2)")
		}
	case ModeRPK:
		if s.PrivateKey == nil {
			fault("mode RPK needs a PrivateKey")
		}
		if len(s.ServerPublicKey) == 0 {
			fault("mode RPK needs the ServerPublicKey")
		}
		s.validateMatching(fault)
	case ModeCertificate:
		s.validateCertificate(fault)
	default:
		fault("mode %d does not exist", s.Mode)
	}
	if s.HandshakeMin < 0 || s.HandshakeMax < 0 || (s.HandshakeMax != 0 && s.HandshakeMin > s.HandshakeMax) {
		fault("HandshakeMin %v and HandshakeMax %v must be positive or zero, and in this order", s.HandshakeMin,
			s.HandshakeMax)
	}
	if s.MaxVersion != 0 && s.MinVersion > s.MaxVersion {
		fault("MinVersion 0x%04x is above MaxVersion 0x%04x", s.MinVersion, s.MaxVersion)
	}
	return errors.Join(faults...)
}

func (s *Security) validateNoSec(fault func(string, ...any)) {
	if s.Key.Len() != 0 || s.PrivateKey != nil || len(s.Certificates) != 0 {
		fault("credentials are set, but the mode is NoSec: set Mode, or remove the credentials")
	}
}

func (s *Security) validateCertificate(fault func(string, ...any)) {
	if len(s.Certificates) == 0 {
		fault("mode X.509 needs at least one of Certificates (/0/x/3)")
	}
	if s.PrivateKey == nil {
		fault("mode X.509 needs a PrivateKey (/0/x/5, or a key that the program supplies)")
	}
	for i, der := range s.Certificates {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			fault("Certificates[%d]: %w", i, err)
			continue
		}
		if i == 0 && s.PrivateKey != nil && !samePublicKey(c.PublicKey, s.PrivateKey.Public()) {
			fault("PrivateKey does not belong to Certificates[0], whose subject is %q: replace "+
				"both together", c.Subject)
		}
	}
	switch s.Usage {
	case UsageCAConstraint, UsageServiceConstraint:
		if s.TrustStore == nil {
			fault("certificate usage %d (%s) needs a TrustStore to start from; set it, or use usage 2 or 3 "+
				"with the ServerPublicKey", s.Usage, s.Usage)
		} else if s.TrustStore.Equal(x509.NewCertPool()) {
			fault("certificate usage %d (%s) needs a TrustStore to start from, and TrustStore is empty", s.Usage,
				s.Usage)
		}
	case UsageTrustAnchor, UsageDomainIssued:
		if len(s.ServerPublicKey) == 0 {
			fault("certificate usage %d (%s) needs the ServerPublicKey (/0/x/4): without it there is nothing to trust",
				s.Usage, s.Usage)
		}
	default:
		fault("certificate usage %d does not exist: it must be from 0 to 3", s.Usage)
	}
	s.validateMatching(fault)
	if len(s.ServerPublicKey) != 0 && s.Matching == MatchExact {
		if _, err := x509.ParseCertificate(s.ServerPublicKey); err != nil {
			fault("ServerPublicKey must be a certificate with matching type 0: %w", err)
		}
	}
	if s.RequireCRLs && len(s.CRLs) == 0 {
		fault("RequireCRLs is set, and CRLs is empty: no certificate can be accepted")
	}
	for i, l := range s.CRLs {
		if l == nil {
			fault("CRLs[%d] is nil", i)
		}
	}
}

func (s *Security) validateMatching(fault func(string, ...any)) {
	var size int
	switch s.Matching {
	case MatchExact:
		return
	case MatchSHA256:
		size = 32
	case MatchSHA384:
		size = 48
	case MatchSHA512:
		size = 64
	default:
		fault("matching type %d does not exist: it must be from 0 to 3", s.Matching)
		return
	}
	if n := len(s.ServerPublicKey); n != 0 && n != size {
		fault("ServerPublicKey has %d bytes; the hash of matching type %d has %d", n, s.Matching, size)
	}
}

func samePublicKey(a, b crypto.PublicKey) bool {
	e, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && e.Equal(b)
}

// summary describes a Security without its secrets.
func (s Security) summary() string {
	switch s.Mode {
	case ModePSK:
		return fmt.Sprintf("PSK, identity %q, key %s", s.Identity, s.Key)
	case ModeRPK, ModeCertificate:
		return fmt.Sprintf("%s, certificate usage %s, server name %q, private key %s", s.Mode, s.Usage,
			s.ServerName, redacted)
	}
	return s.Mode.String()
}

// String describes the security without any key.
func (s Security) String() string { return s.summary() }

// GoString returns String.
func (s Security) GoString() string { return s.summary() }

// Format writes String for every verb.
func (s Security) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.summary()) }

// LogValue returns String for slog.
func (s Security) LogValue() slog.Value { return slog.StringValue(s.summary()) }

// MarshalJSON returns String as JSON. It cannot be unmarshalled.
func (s Security) MarshalJSON() ([]byte, error) { return json.Marshal(s.summary()) }
