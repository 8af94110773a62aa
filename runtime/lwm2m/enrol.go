package lwm2m

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	gensecurity "github.com/lwm2mgen/toolkit/generated/security"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/est"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/provision"
	"github.com/lwm2mgen/toolkit/runtime/objects/enrolment"
)

// EST says how the device enrols for the certificates of accounts with Security Mode 4. Printing it
// shows no key.
type EST struct {
	// Key is the private key, for example of a secure element. The zero value means that the client
	// makes a key pair on the curve P-256 for each enrolment, and keeps it in the object of
	// runtime/objects/enrolment.
	Key crypto.Signer
	// Patience is how long one enrolment may take, with the pauses that the EST server asks for and
	// with a renewal that fails before it. At most three minutes: a bootstrap ends 247 s after the
	// last request of the server. The zero value means two minutes.
	Patience time.Duration
	// RenewBefore is how long before the end of a certificate the client renews it. The zero value
	// means a fifth of its validity, and at most 30 days.
	RenewBefore time.Duration
}

const (
	defaultESTPatience = 2 * time.Minute
	maxESTPatience     = 3 * time.Minute
)

// errNotEnrolled says that an account has no certificate yet.
var errNotEnrolled = errors.New("the device has no certificate for this account: Security Mode 4 (EST) needs a bootstrap, at the end of which the device enrols")

// addEnrolment adds the object for certificates where they can be needed.
func (c *Client) addEnrolment() error {
	snap := c.model.Snapshot()
	if snap.Definition(enrolment.ObjectID) != nil || !c.bootstrapAccountIn(snap).present && len(c.enrolling(snap)) == 0 {
		return nil
	}
	o, err := enrolment.New()
	if err != nil {
		return err
	}
	return c.model.Register(context.Background(), o)
}

// enrolling returns the Security instances with Security Mode 4.
func (c *Client) enrolling(s dm.Snapshot) []dm.InstanceID {
	var ids []dm.InstanceID
	for id := range s.Instances(securityID) {
		if usesEST(c.valuesOf(s, securityID, id)) {
			ids = append(ids, id)
		}
	}
	return ids
}

func usesEST(v values) bool {
	mode, ok := v.get(gensecurity.SecurityModeID)
	return ok && mode.Integer() == gensecurity.SecurityModeCertificateEST
}

// enrolledCertificates is certificates for Security Mode 4: /0/x/3 and /0/x/5 are not used, and
// /0/x/4 is required (Transport 1.2.2 §5.2.4).
func enrolledCertificates(v values, sec *socket.Security) error {
	sec.Mode = socket.ModeCertificate
	if serverCertificate(v, sec); len(sec.ServerPublicKey) == 0 {
		return fmt.Errorf("%s: Server Public Key has no value: Security Mode 4 (EST) needs the certificate of the server, or of its authority", v.p)
	}
	e := v.c.enrolledFor(v.s, v.p.Instance())
	if len(e.chain) == 0 {
		return fmt.Errorf("%s: %w", v.p, errNotEnrolled)
	}
	chain, err := socket.ParseCertificates(e.chain)
	if err != nil {
		return fmt.Errorf("%s: the enrolled certificate: %w", v.p, err)
	}
	sec.Certificates = chain
	if len(e.key) == 0 {
		sec.PrivateKey = v.c.cfg.EST.Key // nil: Config.Secure may set it
		return nil
	}
	if sec.PrivateKey, err = socket.ParsePrivateKey(e.key); err != nil {
		return fmt.Errorf("%s: the enrolled private key: %w", v.p, err)
	}
	return nil
}

// enrolled is an instance of the enrolment object. It prints without the key.
type enrolled struct {
	chain       []byte
	key         redactedKey
	authorities []byte
}

// redactedKey is a private key in PKCS #8.
type redactedKey []byte

// Format prints nothing of the key.
func (redactedKey) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("[redacted]")) }

// enrolledFor returns the certificate for a Security instance: the one that the bootstrap in
// progress has brought, or the one of the data model.
func (c *Client) enrolledFor(s dm.Snapshot, id dm.InstanceID) enrolled {
	if c.boot != nil {
		if f := c.boot.fresh.Load(); f != nil && slices.Contains(f.accounts, id) {
			return f.enrolled
		}
	}
	v := c.valuesOf(s, enrolment.ObjectID, id)
	return enrolled{
		chain: v.opaque(enrolment.CertificatesID), key: v.opaque(enrolment.PrivateKeyID),
		authorities: v.opaque(enrolment.AuthoritiesID),
	}
}

// freshCertificate is what a bootstrap in progress has enrolled for.
type freshCertificate struct {
	enrolled
	accounts []dm.InstanceID // of the Security object
}

func (a bootstrapAccount) isInstance(id dm.InstanceID) bool { return a.present && a.instance == id }

// enrol is provision.Config.BeforeFinish: it gets a certificate for the accounts with Security Mode
// 4 from the bootstrap server, which is the EST server (Transport 1.2.2 §5.2.4), over the
// connection of the bootstrap. All accounts share it. A Finish that is repeated after a correction
// enrols no second time.
func (b *bootstrapper) enrol(ctx context.Context, s dm.Snapshot, done func(error)) {
	ids := b.client.enrolling(s)
	if f := b.fresh.Load(); len(ids) == 0 || f != nil {
		if f != nil {
			b.fresh.Store(&freshCertificate{f.enrolled, ids})
		}
		done(nil)
		return
	}
	p := dm.ResourcePath(securityID, ids[0], gensecurity.SecurityModeID)
	conn := b.link.Conn()
	if conn == nil || !isSecured(b.account.uri) {
		done(provision.Faultf(p, "EST needs a bootstrap server with coaps or coaps+tcp"))
		return
	}
	b.log.Info("enrolling for a certificate")
	old := b.client.renewable(ids[0])
	now := b.client.loop.sched.Now
	ends := now().Add(b.client.cfg.EST.Patience)
	var e *est.Enrolment
	var ended func(enrolled, error)
	ended = func(got enrolled, err error) {
		left := ends.Sub(now())
		switch {
		case err == nil:
			b.fresh.Store(&freshCertificate{got, ids})
			done(nil)
		case old != nil && left > 0: // a server may know no renewal, or this certificate not
			b.log.Info("the certificate was not renewed; enrolling for a new one", "reason", err.Error())
			old = nil
			e = b.client.startEnrolment(conn.Do, nil, left, ended)
		default:
			b.log.Warn("no certificate was enrolled", "reason", err.Error())
			done(provision.Faultf(p, "%s", enrolmentFault(err)))
		}
	}
	e = b.client.startEnrolment(conn.Do, old, b.client.cfg.EST.Patience, ended)
	context.AfterFunc(ctx, func() { b.client.loop.sched.Post(func() { e.Cancel() }) })
}

// enrolmentFault returns what the bootstrap server is told about an enrolment that has failed,
// without the words of EST.Key.
func enrolmentFault(err error) string {
	if errors.Is(err, est.ErrKey) {
		err = est.ErrKey
	}
	return err.Error()
}

// startEnrolment starts an enrolment, or a renewal of a certificate unless old is nil.
func (c *Client) startEnrolment(do func(*coap.Call) error, old *x509.Certificate, patience time.Duration, done func(enrolled, error)) *est.Enrolment {
	return est.Start(est.Config{
		Sched: c.loop.sched, Do: do,
		Worker: func(fn func()) { c.pool.runFor(0, func() { c.guard("EST.Key", fn) }) },
		Name:   c.cfg.Endpoint, Key: c.cfg.EST.Key, Renew: old, Patience: patience,
		MaxBody: min(c.cfg.MaxPayload, 32<<10),
		Done: func(got est.Certificates, err error) {
			if err != nil {
				done(enrolled{}, err)
				return
			}
			e := enrolled{chain: concatenate(got.Chain), authorities: concatenate(got.Authorities)}
			if c.cfg.EST.Key == nil {
				if e.key, err = x509.MarshalPKCS8PrivateKey(got.Key); err != nil {
					done(enrolled{}, err)
					return
				}
			}
			done(e, nil)
		},
	})
}

func concatenate(certs []*x509.Certificate) []byte {
	var all [][]byte
	for _, c := range certs {
		all = append(all, c.Raw)
	}
	return bytes.Join(all, nil)
}

// follow makes the changes that follow from those of a transaction; see
// dm.ModelConfig.Consequences.
func (c *Client) follow(t *dm.Transaction) error {
	if c.restoring.Load() == t {
		return nil // what followed is stored, too
	}
	if err := c.access.rules.Follow(t); err != nil {
		return err
	}
	if !t.Touches(securityID) || t.Snapshot().Definition(enrolment.ObjectID) == nil {
		return nil
	}
	if err := c.forgetCertificates(t); err != nil || t.Origin() != dm.Bootstrap || c.boot == nil {
		return err
	}
	if f := c.boot.fresh.Load(); f != nil {
		return storeCertificate(t, f.accounts, f.enrolled)
	}
	return nil
}

// forgetCertificates deletes the certificates of accounts that the transaction deletes or gives
// another Security Mode.
func (c *Client) forgetCertificates(t *dm.Transaction) error {
	left := c.enrolling(t.Snapshot())
	for _, id := range c.enrolling(t.Published()) {
		p := dm.InstancePath(enrolment.ObjectID, id)
		if slices.Contains(left, id) || !t.Snapshot().Has(p) {
			continue
		}
		if err := t.Delete(p); err != nil {
			return err
		}
	}
	return nil
}

// storeCertificate writes a certificate for the accounts of ids that the transaction leaves.
func storeCertificate(t *dm.Transaction, ids []dm.InstanceID, e enrolled) error {
	for _, id := range ids {
		if !t.Snapshot().Has(dm.InstancePath(securityID, id)) {
			continue
		}
		p := dm.InstancePath(enrolment.ObjectID, id)
		if t.Snapshot().Has(p) {
			if err := t.Delete(p); err != nil {
				return err
			}
		}
		entry := func(r dm.ResourceID, b []byte) dm.Entry {
			return dm.Entry{Path: dm.ResourcePath(enrolment.ObjectID, id, r), Value: dm.OpaqueValue(b)}
		}
		err := t.Create(enrolment.ObjectID, []dm.InstanceID{id}, []dm.Entry{
			entry(enrolment.CertificatesID, e.chain), entry(enrolment.PrivateKeyID, e.key),
			entry(enrolment.AuthoritiesID, e.authorities),
		})
		if err != nil {
			return err
		}
	}
	return nil
}
