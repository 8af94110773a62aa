package dtls

import (
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/lwm2mgen/toolkit/net/internal/pki"
	"github.com/lwm2mgen/toolkit/net/internal/proof"
	"github.com/lwm2mgen/toolkit/net/internal/secured"
	"github.com/lwm2mgen/toolkit/net/socket"
)

// profile is a Security prepared for handshakes. It does not change.
type profile struct {
	sec        socket.Security
	suites     []suite
	credential *tls.Certificate
	prover     proof.Prover
	sessions   socket.SessionStore
}

// longestWait bounds the handshake timers.
const longestWait = time.Hour

// newProfile refuses settings for which every handshake would fail.
func newProfile(sec socket.Security) (*profile, error) {
	p := &profile{sec: sec, sessions: sec.Sessions}
	switch sec.Mode {
	case socket.ModeNoSec:
		return nil, errors.New("security: DTLS needs credentials: set Mode to PSK or X.509, or use the scheme coap")
	case socket.ModeRPK:
		return nil, fmt.Errorf("security: %w: mode RPK, as pion/dtls has no certificate types other than X.509 "+
			"(RFC 7250); use PSK, or X.509 with certificate usage 3, which trusts one certificate just as "+
			"a raw public key", socket.ErrNotSupported)
	}
	if sec.HandshakeMin > longestWait || sec.HandshakeMax > longestWait {
		return nil, fmt.Errorf("security: HandshakeMin %v and HandshakeMax %v must be at most %v",
			sec.HandshakeMin, sec.HandshakeMax, longestWait)
	}
	psk := sec.Mode == socket.ModePSK
	var err error
	if p.suites, err = chooseSuites(sec.CipherSuites, psk); err != nil {
		return nil, err
	}
	if psk {
		p.prover.PSK = sec.Key
	} else {
		c, err := pki.Credential(&sec)
		if err != nil {
			return nil, err
		}
		p.credential, p.prover.Signer = &c, sec.PrivateKey
	}
	if p.sessions == nil {
		p.sessions = &socket.MemorySessions{}
	}
	return p, nil
}

// parameters returns the parameters for a handshake with t.
func (p *profile) parameters(t secured.Target) (*parameters, error) {
	out := &parameters{client: true, suites: p.suites, interval: p.sec.HandshakeMin, keyLog: p.sec.KeyLog}
	if p.credential == nil {
		out.identity, out.key = p.sec.Identity, p.sec.Key
		out.serverName = sni(p.sec.ServerName) // with PSK the name is not compared
		return out, nil
	}
	v, err := pki.NewVerifier(&p.sec, t.Remote.Host)
	if err != nil {
		return nil, err
	}
	out.credential = p.credential
	out.serverName = sni(pki.ServerName(&p.sec, t.Remote.Host))
	out.verify = func(certs [][]byte) error { return v.Verify(certs, time.Now()) }
	return out, nil
}

// sni returns name for Server Name Indication, empty if it is an address, which is not allowed
// there (RFC 6066 §3).
func sni(name string) string {
	if _, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil {
		return ""
	}
	return name
}

// timers returns the first wait of a handshake and the sum of all (RFC 6347 §4.2.4.1). A flight is
// repeated after the first wait, then after twice that, and so on; the last wait is the longest
// one.
func (p *profile) timers() (first, total time.Duration) {
	first, longest := p.sec.HandshakeMin, p.sec.HandshakeMax
	if longest == 0 {
		longest = max(first, time.Minute)
	}
	if first == 0 {
		first = min(time.Second, longest)
	}
	for w := first; w < longest; w *= 2 {
		total += w
	}
	return first, total + longest
}

// binding returns a hash of the peer and the credentials for a blob. Live state is also bound to
// the address.
func (p *profile) binding(t secured.Target, live bool) [32]byte {
	d := proof.NewDigest()
	d.Add([]byte(t.Remote.String()))
	if live {
		d.Add([]byte(t.Addr.String()))
	}
	p.addCredentials(d)
	d.Add([]byte(p.sec.ServerName))
	d.Add([]byte{byte(p.sec.Usage), byte(p.sec.Matching)})
	d.Add(p.sec.ServerPublicKey)
	return d.Sum()
}

func (p *profile) addCredentials(d *proof.Digest) {
	d.Add([]byte{byte(p.sec.Mode)})
	d.Add(p.sec.Identity)
	for _, c := range p.sec.Certificates {
		d.Add(c)
	}
}

// storeKey returns the key of a peer and an identity in the store. It reveals nothing of the
// credentials but that they differ.
func (p *profile) storeKey(t secured.Target) string {
	d := proof.NewDigest()
	p.addCredentials(d)
	sum := d.Sum()
	return "dtls " + t.Remote.String() + " " + hex.EncodeToString(sum[:8])
}

// take removes the stored session for t from the store and returns it. An error says why it cannot
// be used; it is removed in any case.
func (p *profile) take(t secured.Target) (*stored, error) {
	blob, err := p.sessions.Take(p.storeKey(t))
	if err != nil || len(blob) == 0 {
		return nil, err
	}
	return p.open(blob, t, time.Now())
}

// open checks a blob: its proof, its binding, its age, and with certificates whether the server's
// is still valid.
func (p *profile) open(blob []byte, t secured.Target, now time.Time) (*stored, error) {
	body, err := checkBlob(&p.prover, blob)
	if err != nil {
		return nil, err
	}
	live := body[len(blobMagic)+1] == kindLive
	st, err := parseBlob(body, now, p.binding(t, live))
	if err != nil {
		return nil, err
	}
	used, peer := socket.CipherSuite(0), [][]byte(nil)
	if st.live != nil {
		used, peer = st.live.secrets.suite.id, st.live.peer
	} else {
		used, peer = st.session.suite, st.session.peer
	}
	if !contains(p.suites, used) {
		return nil, blobFault("its ciphersuite %s is no longer allowed", used)
	}
	switch {
	case st.live != nil && len(st.live.sendCID) == 0:
		return nil, blobFault("it has no Connection ID")
	case st.live != nil && p.sec.NoConnectionID:
		return nil, blobFault("it has a Connection ID, which is no longer allowed")
	}
	if p.credential != nil {
		params, err := p.parameters(t)
		if err == nil {
			err = params.verify(peer)
		}
		if err != nil {
			return nil, blobFault("%w", err)
		}
	}
	return st, nil
}

// put stores s for t.
func (p *profile) put(t secured.Target, s *stored) error {
	b := s.appendBlob(nil, time.Now(), p.binding(t, s.live != nil))
	b, err := p.prover.Append(b)
	if err != nil {
		return err
	}
	if len(b) > maxBlob {
		return blobFault("it would have %d bytes, at most %d are allowed", len(b), maxBlob)
	}
	return p.sessions.Put(p.storeKey(t), b)
}

func contains(all []suite, id socket.CipherSuite) bool {
	for _, s := range all {
		if s.id == id {
			return true
		}
	}
	return false
}
