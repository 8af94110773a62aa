package dtls

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/lwm2mgen/toolkit/net/internal/pki"
	"github.com/lwm2mgen/toolkit/net/socket"
)

// ServerConfig configures Listen. It needs a Key, a Certificate, or both.
type ServerConfig struct {
	// Key returns the pre-shared key of an identity. An error, or an empty key, refuses the client.
	// It may be called from several goroutines. The zero value means no pre-shared keys.
	Key func(identity []byte) (socket.Secret, error)
	// Certificate is the server's chain and private key. The zero value means no certificates.
	Certificate tls.Certificate
	// ClientCAs are the CAs of which one must have issued the client's certificate. The zero value
	// means that, if CheckClient is nil too, clients are not asked for a certificate.
	ClientCAs *x509.CertPool
	// CheckClient also checks the client's certificates, in DER, its own first. The zero value
	// means that ClientCAs decide alone.
	CheckClient func(certs [][]byte) error
	// CipherSuites are the ciphersuites allowed, the preferred first. The zero value means all that
	// Key and Certificate can use.
	CipherSuites []socket.CipherSuite
	// ConnectionIDLength is the length in bytes of the Connection IDs that clients get (RFC 9146),
	// from 0 to 20. The zero value means no Connection IDs.
	ConnectionIDLength int
	// NoResumption turns abbreviated handshakes off. The zero value means that 1024 sessions are
	// kept for resumption.
	NoResumption bool
	// HandshakeMin is the first wait before a flight is repeated, and HandshakeTimeout how long a
	// handshake may take. The zero value means 1 s and 60 s.
	HandshakeMin, HandshakeTimeout time.Duration
	// KeyLog receives the session keys in the NSS format, for debugging only. The zero value means
	// no log.
	KeyLog io.Writer
	// Logger receives messages that help to find faults, at debug level. The zero value means no
	// log.
	Logger *slog.Logger
}

// A Peer describes a client to its server.
type Peer struct {
	Identity     []byte   // PSK identity; empty with certificates
	Certificates [][]byte // in DER, the client's own first; none with PSK
	// Messages is the number of unencrypted handshake messages of both sides, repetitions included:
	// an abbreviated handshake has fewer.
	Messages int
}

// PeerOf returns the client at the other end of a socket that a Listener of this package accepted.
// For other sockets ok is false.
func PeerOf(s socket.Socket) (p Peer, ok bool) {
	c, isConn := s.(*conn)
	if !isConn || c.server == nil {
		return Peer{}, false
	}
	return c.server.peer, true
}

const maxServerCID = 20

// parameters returns the common parameters of all handshakes of the listener.
func (c *ServerConfig) parameters() (*parameters, error) {
	psk, cert := c.Key != nil, len(c.Certificate.Certificate) > 0
	switch {
	case !psk && !cert:
		return nil, errors.New("dtls listener: neither Key nor Certificate is set: a server needs one of them")
	case cert && c.Certificate.PrivateKey == nil:
		return nil, errors.New("dtls listener: the Certificate has no PrivateKey")
	case c.ConnectionIDLength < 0 || c.ConnectionIDLength > maxServerCID:
		return nil, fmt.Errorf("dtls listener: ConnectionIDLength is %d, it must be from 0 to %d",
			c.ConnectionIDLength, maxServerCID)
	case c.HandshakeMin < 0 || c.HandshakeTimeout < 0:
		return nil, errors.New("dtls listener: HandshakeMin and HandshakeTimeout must not be negative")
	}
	p := &parameters{interval: c.HandshakeMin, keyLog: c.KeyLog, log: c.Logger, lookup: c.Key}
	for _, u := range suites() {
		if !(u.psk && psk || !u.psk && cert) {
			continue
		}
		if len(c.CipherSuites) == 0 || slices.Contains(c.CipherSuites, u.id) {
			p.suites = append(p.suites, u)
		}
	}
	if c.ConnectionIDLength > 0 {
		p.offerCID, p.suites = true, withoutCBC(p.suites)
	}
	if len(p.suites) == 0 {
		return nil, fmt.Errorf("dtls listener: %w: none of the CipherSuites %v can be used with what is "+
			"configured", socket.ErrNotSupported, c.CipherSuites)
	}
	slices.SortStableFunc(p.suites, func(a, b suite) int {
		return slices.Index(c.CipherSuites, a.id) - slices.Index(c.CipherSuites, b.id)
	})
	if cert {
		own := c.Certificate
		p.credential = &own
	}
	if cert && (c.ClientCAs != nil || c.CheckClient != nil) {
		p.verify = c.verify
	}
	if !c.NoResumption {
		p.sessions = &sessionMemory{m: make(map[string]*session)}
	}
	return p, nil
}

// verify checks a client's certificates.
func (c *ServerConfig) verify(certs [][]byte) error {
	if c.ClientCAs != nil {
		if err := pki.VerifyClient(certs, c.ClientCAs, time.Now()); err != nil {
			return err
		}
	}
	if c.CheckClient != nil {
		return c.CheckClient(certs)
	}
	return nil
}

// newCID returns a random Connection ID that is not in use.
func newCID(length int, used func(string) bool) ([]byte, error) {
	cid := make([]byte, length)
	for range 100 {
		_, _ = rand.Read(cid) // never fails
		if !used(string(cid)) {
			return cid, nil
		}
	}
	return nil, errors.New("no Connection ID is free: ConnectionIDLength is too small")
}

// sessionMemory is a sessionCache of bounded size.
type sessionMemory struct {
	mu sync.Mutex
	m  map[string]*session
}

const maxServerSessions = 1024

func (s *sessionMemory) get(id []byte) *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.m[string(id)]
}

func (s *sessionMemory) put(one *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.m) >= maxServerSessions {
		for id := range s.m {
			delete(s.m, id)
			break
		}
	}
	s.m[string(one.id)] = one
}

func (s *sessionMemory) drop(id []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.m, string(id))
}

func (s *sessionMemory) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.m)
}
