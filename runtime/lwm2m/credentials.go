package lwm2m

import (
	"bytes"
	"crypto"
	"fmt"

	gensecurity "github.com/lwm2mgen/toolkit/generated/security"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// credentials translates a Security instance into the configuration of a socket (Core 1.2.2
// Appendix E.1).
func (c *Client) credentials(s dm.Snapshot, id dm.InstanceID) (socket.Security, ownKeys, error) {
	v := c.valuesOf(s, securityID, id)
	var sec socket.Security
	err := translate(v, &sec)
	keys := ownKeys{sec.Key, sec.PrivateKey}
	if usesEST(v) && len(c.enrolledFor(s, id).key) == 0 {
		keys.private = nil // Config.EST.Key
	}
	if err != nil {
		return sec, keys, err
	}
	if c.cfg.Secure != nil {
		if err := c.cfg.Secure(v.account(id), &sec); err != nil {
			return sec, keys, fmt.Errorf("lwm2m: Config.Secure: %w", err)
		}
	}
	if sec.Mode != socket.ModeNoSec && sec.Sessions == nil && c.sessions != nil {
		sec.Sessions = c.sessions
	}
	if sec.Mode == socket.ModeCertificate {
		if sec.TrustStore == nil {
			sec.TrustStore = c.cfg.TrustStore
		}
		if sec.CRLs == nil {
			sec.CRLs = c.cfg.CRLs
		}
	}
	return sec, keys, nil
}

// ownKeys are the copies of keys that the client has made for a socket. Those that Config.Secure
// has set belong to the program.
type ownKeys struct {
	key     socket.Secret
	private crypto.Signer
}

// wipe overwrites the keys. Nothing may use the socket any more.
func (k ownKeys) wipe() {
	k.key.Wipe()
	socket.WipePrivateKey(k.private)
}

// account describes the Security instance id, from which v reads.
func (v values) account(id dm.InstanceID) Account {
	a := Account{
		Instance: id, Bootstrap: v.bool(gensecurity.BootstrapServerID, false),
		URI: v.text(gensecurity.ServerURIID),
	}
	if n := v.number(gensecurity.ShortServerIDID, 0); !a.Bootstrap && n <= maxShortID {
		a.ShortID = ShortServerID(n)
	}
	return a
}

// RenewCredentials reconnects to every secured server with the credentials that the accounts,
// [Config.TrustStore], [Config.CRLs] and [Config.Secure] have now. Call it when what Secure sets
// has changed: a key in a secure element, a revocation list. A change of the Security object needs
// no call. The sessions of the old credentials are removed, and the device registers again. It may
// be called from any goroutine, and does not wait.
func (c *Client) RenewCredentials() {
	s := c.model.Snapshot()
	c.mu.Lock()
	for id := range s.Instances(securityID) {
		if isSecured(c.uriOf(s, id)) {
			c.touched[id] = true
		}
	}
	first := !c.dirty
	c.dirty = true
	c.mu.Unlock()
	if first {
		c.loop.sched.Post(c.handleChanges)
	}
}

// translate sets the fields of sec that a Security instance decides. A resource without a value may
// be set by Config.Secure later, so only what cannot be read is an error.
func translate(v values, sec *socket.Security) error {
	mode, ok := v.get(gensecurity.SecurityModeID)
	if !ok {
		return fmt.Errorf("%s: Security Mode has no value", v.p)
	}
	if err := refuseObjectSecurity(v); err != nil {
		return err
	}
	switch mode.Integer() {
	case gensecurity.SecurityModeNoSec:
		return nil
	case gensecurity.SecurityModePSK:
		sec.Mode = socket.ModePSK
		sec.Identity = bytes.Clone(v.opaque(gensecurity.PublicKeyOrIdentityID))
		sec.Key = socket.NewSecret(v.opaque(gensecurity.SecretKeyID))
	case gensecurity.SecurityModeRPK:
		sec.Mode = socket.ModeRPK
		sec.ServerPublicKey = bytes.Clone(v.opaque(gensecurity.ServerPublicKeyID))
		sec.Matching = matchingType(v)
		if err := privateKey(v, sec); err != nil {
			return err
		}
	case gensecurity.SecurityModeCertificate:
		if err := certificates(v, sec); err != nil {
			return err
		}
	case gensecurity.SecurityModeCertificateEST:
		if err := enrolledCertificates(v, sec); err != nil {
			return err
		}
	default:
		return fmt.Errorf("%s: Security Mode is %d, it must be from 0 to 4", v.p, mode.Integer())
	}
	sec.ServerName = v.text(gensecurity.SNIID)
	v.each(gensecurity.CiphersuiteID, func(val dm.Value) {
		if n := val.Unsigned(); n <= 0xffff {
			sec.CipherSuites = append(sec.CipherSuites, socket.CipherSuite(n))
		}
	})
	return nil
}

// refuseObjectSecurity refuses an account whose messages are to be protected by OSCORE or COSE.
// Without this check they would be sent unprotected.
func refuseObjectSecurity(v values) error {
	unsupported := func(r dm.ResourceID, protocol string, object dm.ObjectID) error {
		return fmt.Errorf("%s/%d: %w: %s, which protects the messages themselves; "+
			"use coaps or coaps+tcp with mode PSK or X.509, and leave resource %d and object %d out",
			v.p, r, socket.ErrNotSupported, protocol, r, object)
	}
	var err error
	if val, ok := v.get(gensecurity.OSCORESecurityModeID); ok && !val.Link().IsNull() {
		err = unsupported(gensecurity.OSCORESecurityModeID, "OSCORE (RFC 8613)", oscoreID)
	}
	v.each(gensecurity.COSESecurityID, func(val dm.Value) {
		if err == nil && !val.Link().IsNull() {
			err = unsupported(gensecurity.COSESecurityID, "COSE (RFC 9052)", coseID)
		}
	})
	return err
}

// certificates sets the certificates of the device and of the server, and the private key.
func certificates(v values, sec *socket.Security) error {
	sec.Mode = socket.ModeCertificate
	if own := v.opaque(gensecurity.PublicKeyOrIdentityID); len(own) > 0 {
		chain, err := socket.ParseCertificates(own)
		if err != nil {
			return fmt.Errorf("%s: Public Key or Identity: %w", v.p, err)
		}
		sec.Certificates = chain
	}
	serverCertificate(v, sec)
	return privateKey(v, sec)
}

// serverCertificate sets what the server's certificate is compared with.
func serverCertificate(v values, sec *socket.Security) {
	if server := v.opaque(gensecurity.ServerPublicKeyID); len(server) > 0 {
		sec.ServerPublicKey = bytes.Clone(server)
	}
	// The object's definition bounds both.
	usage := v.number(gensecurity.CertificateUsageID, uint64(socket.UsageDomainIssued))
	sec.Usage, sec.Matching = socket.CertificateUsage(usage), matchingType(v)
}

// matchingType returns what /0/x/4 holds.
func matchingType(v values) socket.MatchingType {
	return socket.MatchingType(v.number(gensecurity.MatchingTypeID, uint64(socket.MatchExact)))
}

// privateKey sets the private key. If the account has none, Config.Secure may set it.
func privateKey(v values, sec *socket.Security) error {
	key := v.opaque(gensecurity.SecretKeyID)
	if len(key) == 0 {
		return nil
	}
	signer, err := socket.ParsePrivateKey(key)
	if err != nil {
		return fmt.Errorf("%s: Secret Key: %w", v.p, err)
	}
	sec.PrivateKey = signer
	return nil
}
