package tls

import (
	stdtls "crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/lwm2mgen/toolkit/net/internal/pki"
	"github.com/lwm2mgen/toolkit/net/internal/proof"
	"github.com/lwm2mgen/toolkit/net/socket"
)

// profile is a Security prepared for handshakes. It does not change.
type profile struct {
	sec      socket.Security
	own      stdtls.Certificate
	suites   []uint16 // of TLS 1.2; nil: crypto/tls's choice
	min, max uint16
	prover   proof.Prover
	sessions socket.SessionStore
}

// newProfile refuses settings for which every handshake would fail.
func newProfile(sec socket.Security) (*profile, error) {
	switch sec.Mode {
	case socket.ModeNoSec:
		return nil, errors.New("security: TLS needs credentials: set Mode to X.509, or use the scheme coap+tcp")
	case socket.ModePSK:
		return nil, fmt.Errorf("security: %w: mode PSK over TLS, as crypto/tls has no external pre-shared keys "+
			"(golang.org/issue/6379); "+
			"use PSK with DTLS (scheme coaps), or X.509", socket.ErrNotSupported)
	case socket.ModeRPK:
		return nil, fmt.Errorf("security: %w: mode RPK, as crypto/tls has no certificate types other than X.509 "+
			"(RFC 7250); "+
			"use X.509 with certificate usage 3, which trusts one certificate just as a raw public key",
			socket.ErrNotSupported)
	}
	p := &profile{sec: sec, sessions: sec.Sessions, min: sec.MinVersion, max: sec.MaxVersion}
	if p.min == 0 {
		p.min = stdtls.VersionTLS12
	}
	if p.max == 0 {
		p.max = max(p.min, stdtls.VersionTLS13)
	}
	if p.min < stdtls.VersionTLS12 || p.max > stdtls.VersionTLS13 || p.min > p.max {
		return nil, fmt.Errorf("security: %w: TLS versions 0x%04x to 0x%04x; there are 0x%04x (1.2) and 0x%04x (1.3)",
			socket.ErrNotSupported, p.min, p.max, stdtls.VersionTLS12, stdtls.VersionTLS13)
	}
	if err := p.chooseSuites(); err != nil {
		return nil, err
	}
	var err error
	if p.own, err = pki.Credential(&sec); err != nil {
		return nil, err
	}
	p.prover.Signer = sec.PrivateKey
	if p.sessions == nil {
		p.sessions = &socket.MemorySessions{}
	}
	return p, nil
}

// chooseSuites narrows the suites and versions to those allowed. crypto/tls always offers all
// suites of TLS 1.3, so a version of which none is allowed is not offered, and the suite that the
// server chose is checked.
func (p *profile) chooseSuites() error {
	if len(p.sec.CipherSuites) == 0 {
		return nil
	}
	var newest bool
	for _, id := range p.sec.CipherSuites {
		i := slices.IndexFunc(stdtls.CipherSuites(), func(s *stdtls.CipherSuite) bool { return s.ID == uint16(id) })
		if i < 0 {
			continue
		}
		if slices.Contains(stdtls.CipherSuites()[i].SupportedVersions, stdtls.VersionTLS12) {
			p.suites = append(p.suites, uint16(id))
		} else {
			newest = true
		}
	}
	if !newest {
		p.max = min(p.max, stdtls.VersionTLS12)
	}
	if len(p.suites) == 0 {
		p.min = max(p.min, stdtls.VersionTLS13)
	}
	if p.min > p.max {
		return fmt.Errorf("security: %w: none of the CipherSuites %v can be used with the versions allowed; "+
			"crypto/tls has ECDHE with GCM, ChaCha20 and CBC-SHA, but no CCM; allow one of these, or use CCM over "+
			"DTLS (scheme coaps)",
			socket.ErrNotSupported, p.sec.CipherSuites)
	}
	return nil
}

// config returns the configuration for a handshake with remote. It records in seen how far the
// handshake comes.
func (p *profile) config(remote socket.Endpoint, cache *sessionCache, seen *progress) (*stdtls.Config, error) {
	v, err := pki.NewVerifier(&p.sec, remote.Host)
	if err != nil {
		return nil, err
	}
	return &stdtls.Config{
		GetClientCertificate: func(asked *stdtls.CertificateRequestInfo) (*stdtls.Certificate, error) {
			seen.chosen = true
			if seen.unsuited = asked.SupportsCertificate(&p.own) != nil; seen.unsuited {
				return new(stdtls.Certificate), nil
			}
			return &p.own, nil
		},
		ServerName: pki.ServerName(&p.sec, remote.Host), // crypto/tls does not send a numeric one
		MinVersion: p.min, MaxVersion: p.max,
		CipherSuites:       p.suites,
		KeyLogWriter:       p.sec.KeyLog,
		ClientSessionCache: cache,
		InsecureSkipVerify: true, // VerifyConnection does it, for resumed sessions too
		VerifyConnection: func(cs stdtls.ConnectionState) error {
			seen.chosen = true
			if len(p.sec.CipherSuites) > 0 && !slices.Contains(p.sec.CipherSuites, socket.CipherSuite(cs.CipherSuite)) {
				return &pki.Error{
					Alert: socket.AlertIllegalParameter,
					Reason: fmt.Sprintf("the server chose the ciphersuite %s, which is not among the "+
						"CipherSuites allowed; crypto/tls always offers all of TLS 1.3: allow it, or set "+
						"MaxVersion to TLS 1.2, of which it offers only what is allowed",
						stdtls.CipherSuiteName(cs.CipherSuite)),
				}
			}
			raw := make([][]byte, len(cs.PeerCertificates))
			for i, c := range cs.PeerCertificates {
				raw[i] = c.Raw
			}
			return v.Verify(raw, time.Now())
		},
	}, nil
}

// storeKey returns the key of a server and a certificate in the store.
func (p *profile) storeKey(remote socket.Endpoint) string {
	b := p.binding(remote)
	return "tls " + remote.String() + " " + hex.EncodeToString(b[:8])
}

// binding returns a hash of the server and the credentials.
func (p *profile) binding(remote socket.Endpoint) [32]byte {
	d := proof.NewDigest()
	d.Add([]byte(remote.String()))
	d.Add([]byte(p.sec.ServerName))
	d.Add([]byte{byte(p.sec.Usage), byte(p.sec.Matching)})
	d.Add(p.sec.ServerPublicKey)
	for _, c := range p.sec.Certificates {
		d.Add(c)
	}
	return d.Sum()
}
