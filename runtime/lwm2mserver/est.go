package lwm2mserver

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
)

// The Content-Formats of EST-coaps (RFC 9148 §8.1).
const (
	formatPKCS7  content.Format = 281
	formatPKCS10 content.Format = 286
)

// EST configures a server of EST-coaps (RFC 9148), see [Server.ServeEST].
type EST struct {
	// Authority signs the certificates. Required.
	Authority *Authority
	// Validity is how long a certificate is valid. The zero value means a year.
	Validity time.Duration
	// Allow decides who may enrol: identity is the name that the device proved in its handshake,
	// its PSK identity or the common name of its certificate, and "" without one; request is the
	// request. It runs on the server's goroutine and must not call the server. The zero value
	// allows a device to enrol for the name that it proved.
	Allow func(identity string, request *x509.CertificateRequest) bool
}

// ESTFault is what an EST server does wrong with a request for a certificate. Set one field. Faults
// of any request, such as silence, are those of [Server.Disturb].
type ESTFault struct {
	// Wait answers 5.03 with this Max-Age, in seconds (RFC 9148 §4.7).
	Wait uint32
	// WrongKey issues a certificate for another public key.
	WrongKey bool
	// WrongIssuer has another authority issue the certificate.
	WrongIssuer bool
	// Expired issues a certificate that is not valid any more.
	Expired bool
	// Payload is sent instead of a certificate.
	Payload []byte
}

// estServer is what ServeEST sets up. The loop owns issued.
type estServer struct {
	cfg    EST
	faults []ESTFault
	issued map[string][]*x509.Certificate // by identity
}

// ServeEST serves EST-coaps at /.well-known/est: crts, sen and sren. A bootstrap server is the EST
// server of its devices (Transport 1.2.2 §5.2.4).
func (s *Server) ServeEST(cfg EST) error {
	if cfg.Authority == nil || cfg.Validity < 0 {
		return fmt.Errorf("lwm2mserver: EST.Authority is missing, or EST.Validity is negative")
	}
	if cfg.Validity == 0 {
		cfg.Validity = 365 * 24 * time.Hour
	}
	if cfg.Allow == nil {
		cfg.Allow = func(identity string, r *x509.CertificateRequest) bool {
			return identity != "" && identity == r.Subject.CommonName
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.est = &estServer{cfg: cfg, issued: map[string][]*x509.Certificate{}}
	return nil
}

// DisturbEST applies a fault to the next n requests for a certificate. Faults are applied in the
// order of the calls. It does nothing before ServeEST.
func (s *Server) DisturbEST(n int, f ESTFault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.est != nil {
		s.est.faults = append(s.est.faults, slices.Repeat([]ESTFault{f}, n)...)
	}
}

// Enrolled returns the certificates that a device has enrolled for, by the name that it proved in
// its handshake, the newest last.
func (s *Server) Enrolled(identity string) []*x509.Certificate {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.est == nil {
		return nil
	}
	return slices.Clone(s.est.issued[identity])
}

const estPath = "/.well-known/est/"

// handleEST answers a request below /.well-known/est.
func (s *Server) handleEST(c *conn, r Request) Reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, name := s.est, strings.TrimPrefix(r.Path, estPath)
	switch {
	case e == nil:
		return Reply{Code: coap.NotFound}
	case name == "crts" && r.Method == coap.GET:
		return certificatesReply(coap.Content, e.cfg.Authority.cert.Raw)
	case (name == "sen" || name == "sren") && r.Method == coap.POST:
		return e.enrol(c.identity, r, name == "sren")
	}
	return Reply{Code: coap.NotFound}
}

// enrol answers /sen and /sren.
func (e *estServer) enrol(identity string, r Request, again bool) Reply {
	if r.Format != formatPKCS10 {
		return Reply{Code: coap.UnsupportedContentFormat}
	}
	request, err := x509.ParseCertificateRequest(r.Payload)
	if err != nil || request.CheckSignature() != nil {
		return Reply{Code: coap.BadRequest}
	}
	if !e.cfg.Allow(identity, request) || again && !e.hasIssued(identity, request) {
		return Reply{Code: coap.Forbidden}
	}
	var f ESTFault
	if len(e.faults) > 0 {
		f, e.faults = e.faults[0], e.faults[1:]
	}
	key, by, end := request.PublicKey, e.cfg.Authority, time.Now().Add(e.cfg.Validity)
	switch {
	case f.Wait > 0:
		return Reply{Code: coap.ServiceUnavailable, MaxAge: f.Wait}
	case f.Payload != nil:
		return Reply{Code: coap.Changed, Format: formatPKCS7, Payload: f.Payload}
	case f.WrongKey:
		key = by.cert.PublicKey
	case f.WrongIssuer:
		if by, err = NewAuthority(by.cert.Subject.CommonName); err != nil {
			return Reply{Code: coap.InternalServerError}
		}
	case f.Expired:
		end = time.Now().Add(-time.Second)
	}
	cert, err := by.sign(request, key, end)
	if err != nil {
		return Reply{Code: coap.InternalServerError}
	}
	if !f.WrongKey && !f.WrongIssuer && !f.Expired {
		e.issued[identity] = append(e.issued[identity], cert)
	}
	return certificatesReply(coap.Changed, cert.Raw)
}

// hasIssued reports whether a device has a certificate with the subject of a request (RFC 7030
// §4.2.2).
func (e *estServer) hasIssued(identity string, r *x509.CertificateRequest) bool {
	return slices.ContainsFunc(e.issued[identity], func(c *x509.Certificate) bool { return bytes.Equal(c.RawSubject, r.RawSubject) })
}

// Authority is a certificate authority for tests, with a key on the curve P-256.
type Authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// NewAuthority makes an authority whose certificate is valid for ten years.
func NewAuthority(name string) (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	c := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(10, 0, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	if c, err = x509.ParseCertificate(der); err != nil {
		return nil, err
	}
	return &Authority{c, key}, nil
}

// Certificate returns the authority's own certificate.
func (a *Authority) Certificate() *x509.Certificate { return a.cert }

// Pool returns a pool with the authority's certificate, such as for dtls.ServerConfig.ClientCAs.
func (a *Authority) Pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.cert)
	return p
}

// sign issues the certificate of a client.
func (a *Authority) sign(r *x509.CertificateRequest, key any, end time.Time) (*x509.Certificate, error) {
	c := &x509.Certificate{
		SerialNumber: serial(), RawSubject: r.RawSubject, NotBefore: time.Now().Add(-time.Hour), NotAfter: end,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		DNSNames: r.DNSNames, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, a.cert, key, a.key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

func serial() *big.Int {
	n, _ := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	return n
}

// certificatesReply returns a reply with a certs-only container of PKCS #7 (RFC 5272 §4.1).
func certificatesReply(code coap.Code, certs ...[]byte) Reply {
	type signedData struct {
		Version      int
		Digests      []asn1.RawValue `asn1:"set"`
		Content      struct{ Type asn1.ObjectIdentifier }
		Certificates asn1.RawValue
		Signers      []asn1.RawValue `asn1:"set"`
	}
	d := signedData{Version: 1, Certificates: asn1.RawValue{Class: asn1.ClassContextSpecific, IsCompound: true, Bytes: bytes.Join(certs, nil)}}
	d.Content.Type = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	der, err := asn1.Marshal(struct {
		Type    asn1.ObjectIdentifier
		Content signedData `asn1:"explicit,tag:0"`
	}{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}, d})
	if err != nil {
		return Reply{Code: coap.InternalServerError}
	}
	return Reply{Code: code, Format: formatPKCS7, Payload: der}
}
