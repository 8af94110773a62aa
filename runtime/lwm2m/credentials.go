package lwm2m

import (
	"fmt"

	gensecurity "github.com/lwm2mgen/toolkit/generated/security"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// credentials translates a Security instance into the configuration of a socket (Core 1.2.2
// Appendix E.1).
func (c *Client) credentials(s dm.Snapshot, id dm.InstanceID) (socket.Security, error) {
	v := c.valuesOf(s, securityID, id)
	var sec socket.Security
	if err := translate(v, &sec); err != nil {
		return sec, err
	}
	if c.cfg.Secure != nil {
		if err := c.cfg.Secure(v.text(gensecurity.ServerURIID), &sec); err != nil {
			return sec, fmt.Errorf("lwm2m: Config.Secure: %w", err)
		}
	}
	if sec.Mode == socket.ModeCertificate && sec.TrustStore == nil {
		sec.TrustStore = c.cfg.TrustStore
	}
	return sec, nil
}

// translate sets the fields of sec that a Security instance decides.
func translate(v values, sec *socket.Security) error {
	mode, ok := v.get(gensecurity.SecurityModeID)
	if !ok {
		return fmt.Errorf("%s: Security Mode has no value", v.p)
	}
	switch mode.Integer() {
	case gensecurity.SecurityModeNoSec:
		return nil
	case gensecurity.SecurityModePSK:
		sec.Mode = socket.ModePSK
		sec.Identity = v.opaque(gensecurity.PublicKeyOrIdentityID)
		sec.Key = socket.NewSecret(v.opaque(gensecurity.SecretKeyID))
	case gensecurity.SecurityModeRPK:
		sec.Mode = socket.ModeRPK
		sec.ServerPublicKey = v.opaque(gensecurity.ServerPublicKeyID)
		if err := privateKey(v, sec); err != nil {
			return err
		}
	case gensecurity.SecurityModeCertificate, gensecurity.SecurityModeCertificateEST:
		if err := certificates(v, sec); err != nil {
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

// certificates sets the certificates of the device and of the server, and the private key.
func certificates(v values, sec *socket.Security) error {
	sec.Mode = socket.ModeCertificate
	chain, err := socket.ParseCertificates(v.opaque(gensecurity.PublicKeyOrIdentityID))
	if err != nil {
		return fmt.Errorf("%s: Public Key or Identity: %w", v.p, err)
	}
	sec.Certificates = chain
	if server := v.opaque(gensecurity.ServerPublicKeyID); len(server) > 0 {
		sec.ServerPublicKey = server
	}
	// The object's definition bounds both.
	usage := v.number(gensecurity.CertificateUsageID, uint64(socket.UsageDomainIssued))
	matching := v.number(gensecurity.MatchingTypeID, uint64(socket.MatchExact))
	sec.Usage, sec.Matching = socket.CertificateUsage(usage), socket.MatchingType(matching)
	return privateKey(v, sec)
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
