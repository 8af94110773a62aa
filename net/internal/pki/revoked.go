package pki

import (
	"bytes"
	"crypto/x509"
	"fmt"

	"github.com/lwm2mgen/toolkit/net/socket"
)

// notRevoked returns the chains in which no certificate is revoked, or an error that says why there
// is none.
func notRevoked(chains [][]*x509.Certificate, crls []*x509.RevocationList) ([][]*x509.Certificate, error) {
	var good [][]*x509.Certificate
	var first error
	for _, chain := range chains {
		err := checkRevoked(chain, crls)
		if err == nil {
			good = append(good, chain)
		} else if first == nil {
			first = err
		}
	}
	if len(good) == 0 {
		return nil, first
	}
	return good, nil
}

// checkRevoked looks up each certificate but the root in the lists of its issuer. A list counts
// after its NextUpdate, too: a revocation does not expire. A list that names an issuer but is not
// signed by it is an error, because it might hide another list.
func checkRevoked(chain []*x509.Certificate, crls []*x509.RevocationList) error {
	for i, c := range chain[:max(0, len(chain)-1)] {
		issuer := chain[i+1]
		for _, crl := range crls {
			if !bytes.Equal(crl.RawIssuer, issuer.RawSubject) {
				continue
			}
			if err := crl.CheckSignatureFrom(issuer); err != nil {
				if len(crl.AuthorityKeyId) != 0 && !bytes.Equal(crl.AuthorityKeyId, issuer.SubjectKeyId) {
					continue // of an issuer with the same name and another key
				}
				return &Error{
					Alert: socket.AlertCertificateUnknown,
					Reason: fmt.Sprintf("the revocation list of %q is not signed by it",
						shorten(issuer.Subject.String())),
					Err: err,
				}
			}
			for _, r := range crl.RevokedCertificateEntries {
				if r.SerialNumber.Cmp(c.SerialNumber) == 0 {
					return &Error{
						Alert: socket.AlertCertificateRevoked,
						Reason: fmt.Sprintf("the certificate of %q with the serial number %s was revoked by its "+
							"issuer on %s",
							shorten(c.Subject.String()), c.SerialNumber, stamp(r.RevocationTime)),
					}
				}
			}
		}
	}
	return nil
}
