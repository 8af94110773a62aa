package est

import (
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	tag "golang.org/x/crypto/cryptobyte/asn1"
)

// oidSignedData is the content type of a container.
var oidSignedData = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}

// maxCertificates is how many certificates a container may hold.
const maxCertificates = 32

var (
	// Of certificates, and of the content.
	certificatesTag = tag.Tag(0).ContextSpecific().Constructed()
	revocationTag   = tag.Tag(1).ContextSpecific().Constructed()
)

// errNotDER refuses a container that is no DER. BER with indefinite lengths is not accepted: RFC
// 9148 §4.3 transports DER.
var errNotDER = errors.New("est: PKCS #7: the payload is not a certs-only container in DER")

// ParseCertificates returns the certificates of a certs-only container: a SignedData of PKCS #7
// (RFC 2315) without content and without signatures (RFC 5272 §4.1, RFC 7030 §4.1.3). Revocation
// lists in it are ignored. It is an error if there is no certificate, more than 32, or a
// certificate of another format than X.509.
func ParseCertificates(der []byte) ([]*x509.Certificate, error) {
	set, err := certificateSet(der)
	if err != nil {
		return nil, err
	}
	var certs []*x509.Certificate
	for !set.Empty() {
		var one cryptobyte.String
		if !set.ReadASN1Element(&one, tag.SEQUENCE) {
			return nil, errors.New("est: PKCS #7: a certificate is not an X.509 certificate")
		}
		if len(certs) == maxCertificates {
			return nil, fmt.Errorf("est: PKCS #7: there are more than %d certificates", maxCertificates)
		}
		c, err := x509.ParseCertificate(one)
		if err != nil {
			return nil, fmt.Errorf("est: PKCS #7: certificate %d: %w", len(certs)+1, err)
		}
		certs = append(certs, c)
	}
	if len(certs) == 0 {
		return nil, errors.New("est: PKCS #7: the container has no certificate")
	}
	return certs, nil
}

// certificateSet returns what is within the certificates of a container.
func certificateSet(der []byte) (cryptobyte.String, error) {
	in := cryptobyte.String(der)
	var info, content, signed, ignored, set cryptobyte.String
	var id asn1.ObjectIdentifier
	if !in.ReadASN1(&info, tag.SEQUENCE) || !in.Empty() || !info.ReadASN1ObjectIdentifier(&id) {
		return nil, errNotDER
	}
	if !id.Equal(oidSignedData) {
		return nil, fmt.Errorf("est: PKCS #7: the content is %v, it must be signedData", id)
	}
	var version int64
	var present bool
	ok := info.ReadASN1(&content, certificatesTag) && info.Empty() &&
		content.ReadASN1(&signed, tag.SEQUENCE) && content.Empty() &&
		signed.ReadASN1Integer(&version) &&
		signed.ReadASN1(&ignored, tag.SET) && // digestAlgorithms
		signed.ReadASN1(&ignored, tag.SEQUENCE) && // contentInfo
		signed.ReadOptionalASN1(&set, &present, certificatesTag) &&
		signed.SkipOptionalASN1(revocationTag) &&
		signed.ReadASN1(&ignored, tag.SET) && signed.Empty() // signerInfos
	if !ok {
		return nil, errNotDER
	}
	return set, nil
}
