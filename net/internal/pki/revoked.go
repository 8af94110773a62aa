package pki

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
)

// revocations is what is known about revoked certificates.
type revocations struct {
	lists    []*x509.RevocationList
	required bool // a certificate without a current list of its issuer is refused
}

// notRevoked returns the chains in which no certificate is revoked, or an error that says why there
// is none.
func (r revocations) notRevoked(chains [][]*x509.Certificate, now time.Time) ([][]*x509.Certificate, error) {
	var good [][]*x509.Certificate
	var first error
	for _, chain := range chains {
		err := r.check(chain, now)
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

// check looks up each certificate but the root in the lists of its issuer. A list counts after its
// NextUpdate, too: a revocation does not expire.
func (r revocations) check(chain []*x509.Certificate, now time.Time) error {
	for i, c := range chain[:max(0, len(chain)-1)] {
		if err := r.checkOne(c, chain[i+1], now); err != nil {
			return err
		}
	}
	return nil
}

// checkOne looks up a certificate in the lists of its issuer. A list that names the issuer but is
// not signed by it is an error, because it might hide another list.
func (r revocations) checkOne(c, issuer *x509.Certificate, now time.Time) error {
	var newest *x509.RevocationList
	for _, crl := range r.lists {
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
		for _, e := range crl.RevokedCertificateEntries {
			if e.SerialNumber.Cmp(c.SerialNumber) == 0 {
				return &Error{
					Alert: socket.AlertCertificateRevoked,
					Reason: fmt.Sprintf("the certificate of %q with the serial number %s was revoked by its issuer "+
						"on %s: the server needs another one", shorten(c.Subject.String()), c.SerialNumber,
						stamp(e.RevocationTime)),
				}
			}
		}
		if newest == nil || crl.NextUpdate.After(newest.NextUpdate) {
			newest = crl
		}
	}
	if r.required {
		return refuseUnlisted(c, issuer, newest, now)
	}
	return nil
}

// refuseUnlisted refuses a certificate of which newest, the newest list of its issuer, does not say
// that it is not revoked.
func refuseUnlisted(c, issuer *x509.Certificate, newest *x509.RevocationList, now time.Time) error {
	refuse := func(format string, args ...any) error {
		return &Error{Alert: socket.AlertCertificateUnknown, Reason: fmt.Sprintf("RequireCRLs is set, and "+format, args...)}
	}
	name := shorten(issuer.Subject.String())
	switch {
	case newest == nil:
		return refuse("CRLs has no list of %q, the issuer of the certificate of %q: add its list", name,
			shorten(c.Subject.String()))
	case !newest.NextUpdate.IsZero() && now.After(newest.NextUpdate):
		return refuse("the revocation list of %q was due for an update on %s, and by this device's clock it is %s: "+
			"give the device a newer list", name, stamp(newest.NextUpdate), stamp(now))
	}
	return nil
}
