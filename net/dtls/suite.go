package dtls

import (
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"hash"
	"slices"
	"strings"

	"github.com/lwm2mgen/toolkit/net/socket"
)

// cipherKind is the way in which a suite protects records.
type cipherKind uint8

const (
	kindCCM cipherKind = iota
	kindGCM
	kindChaCha
	kindCBC
)

// suite is a ciphersuite that both the handshake and the record layer have.
type suite struct {
	id     socket.CipherSuite
	name   string
	psk    bool
	kind   cipherKind
	keyLen int
	tagLen int              // of an AEAD cipher
	prf    func() hash.Hash // of the key derivation
	mac    func() hash.Hash // of a CBC cipher
}

// suites returns all ciphersuites, the preferred first: the mandatory ones of LwM2M, then by
// strength, those with CBC last (RFC 7525 §4.2.1).
func suites() []suite {
	const ccm, gcm, chacha, cbc = kindCCM, kindGCM, kindChaCha, kindCBC
	s256, s384, s1 := sha256.New, sha512.New384, sha1.New
	return []suite{
		{0xc0a8, "TLS_PSK_WITH_AES_128_CCM_8", true, ccm, 16, 8, s256, nil},
		{0xc0a4, "TLS_PSK_WITH_AES_128_CCM", true, ccm, 16, 16, s256, nil},
		{0x00a8, "TLS_PSK_WITH_AES_128_GCM_SHA256", true, gcm, 16, 16, s256, nil},
		{0xc0a9, "TLS_PSK_WITH_AES_256_CCM_8", true, ccm, 32, 8, s256, nil},
		{0xccac, "TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256", true, chacha, 32, 16, s256, nil},
		{0xccab, "TLS_PSK_WITH_CHACHA20_POLY1305_SHA256", true, chacha, 32, 16, s256, nil},
		{0xc037, "TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA256", true, cbc, 16, 0, s256, s256},
		{0x00ae, "TLS_PSK_WITH_AES_128_CBC_SHA256", true, cbc, 16, 0, s256, s256},

		{0xc0ae, "TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8", false, ccm, 16, 8, s256, nil},
		{0xc0ac, "TLS_ECDHE_ECDSA_WITH_AES_128_CCM", false, ccm, 16, 16, s256, nil},
		{0xc02b, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", false, gcm, 16, 16, s256, nil},
		{0xc02c, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", false, gcm, 32, 16, s384, nil},
		{0xcca9, "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", false, chacha, 32, 16, s256, nil},
		{0xc02f, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", false, gcm, 16, 16, s256, nil},
		{0xc030, "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", false, gcm, 32, 16, s384, nil},
		{0xcca8, "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", false, chacha, 32, 16, s256, nil},
		{0xc00a, "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", false, cbc, 32, 0, s256, s1},
		{0xc014, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", false, cbc, 32, 0, s256, s1},
	}
}

// suiteByID finds a suite by its number.
func suiteByID(id socket.CipherSuite) (suite, bool) {
	all := suites()
	i := slices.IndexFunc(all, func(s suite) bool { return s.id == id })
	if i < 0 {
		return suite{}, false
	}
	return all[i], true
}

// chooseSuites returns the suites of allowed, or of all if allowed is empty, that a mode can use.
// It ignores unknown suites and those of another mode, because a server has one list for all kinds
// of credentials. It is an error if no suite remains.
func chooseSuites(allowed []socket.CipherSuite, psk bool) ([]suite, error) {
	var out []suite
	if len(allowed) == 0 {
		for _, s := range suites() {
			if s.psk == psk {
				out = append(out, s)
			}
		}
		return out, nil
	}
	for _, id := range allowed {
		s, ok := suiteByID(id)
		if ok && s.psk == psk && !slices.ContainsFunc(out, func(o suite) bool { return o.id == id }) {
			out = append(out, s)
		}
	}
	if len(out) == 0 {
		mode := socket.ModeCertificate
		if psk {
			mode = socket.ModePSK
		}
		return nil, fmt.Errorf("security: %w: none of the CipherSuites %v can be used with mode %s; there are: %s",
			socket.ErrNotSupported, allowed, mode, namesOf(usable(psk)))
	}
	return out, nil
}

func usable(psk bool) []suite {
	return slices.DeleteFunc(suites(), func(s suite) bool { return s.psk != psk })
}

func withoutCBC(all []suite) []suite {
	return slices.DeleteFunc(slices.Clone(all), func(s suite) bool { return s.kind == kindCBC })
}

// namesOf lists suites for an error text.
func namesOf(all []suite) string {
	names := make([]string, len(all))
	for i, s := range all {
		names[i] = s.name + " (" + s.id.String() + ")"
	}
	return strings.Join(names, ", ")
}

// overhead returns the most bytes that a record of this suite adds to its content, with a
// Connection ID of cid bytes if that is not zero.
func (s *suite) overhead(cid int) int {
	n := headerLen
	if cid > 0 {
		n += cid + 1 // and the real content type
	}
	switch s.kind {
	case kindChaCha:
		return n + s.tagLen
	case kindCBC:
		return n + 16 + s.mac().Size() + 16 // IV, MAC and the longest padding
	}
	return n + explicitNonce + s.tagLen
}
