// Package security is the LwM2M Security object (0) with its checks. It says where each server is
// and how the connection to it is secured. Its instances are those of generated/security.
//
// Most programs do not need it: lwm2m.Config.Servers creates the object. Use it if you need hooks
// of your own, or if you store and restore the object. Then create the object here and put it into
// lwm2m.Config.Objects, together with the object of package server:
//
//	sec, err := security.New(security.Config{})
//	if err != nil {
//		return err
//	}
//	account := security.Template()
//	account.ServerURI = dm.Str("coap://lwm2m.example.com")
//	account.BootstrapServer = dm.Bool(false)
//	account.SecurityMode = dm.Int(3) // NoSec
//	account.ShortServerID = dm.Int(1)
//	err = sec.Add(0, account)
//
// The main names are [New], [Config], [Template], [Instance] and [Object].
package security

import (
	"context"
	"fmt"
	"net/url"

	"github.com/lwm2mgen/toolkit/generated/security"
	"github.com/lwm2mgen/toolkit/internal/transport"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

type (
	// Object is the Security object with its instances.
	Object = security.Object
	// Instance is one instance of it.
	Instance = security.Instance
	// Hooks run around transactions that touch the object.
	Hooks = security.Hooks
)

// Config is the configuration of New. The zero value means the object with the behaviour of this
// package only.
type Config struct {
	// Hooks run in addition to the hooks of this package: Validate after this package's Validate.
	// The zero value means none.
	Hooks Hooks
	// MaxInstances is how many instances the object may have when a bootstrap server creates one.
	// The zero value means as many as there are IDs.
	MaxInstances int
	// ExternalKeys accepts instances without Public Key or Identity (/0/x/3), Server Public Key
	// (/0/x/4) and Secret Key (/0/x/5), because lwm2m.Config.Secure supplies them. The zero value
	// means that an instance holds what its security mode needs.
	ExternalKeys bool
}

// New returns the object without instances. Its Validate hook refuses with 4.00 what cannot lead to
// a connection: a URI without scheme or host, a management server without Short Server ID, two
// instances with the same Short Server ID and the same transport, and, unless Config.ExternalKeys
// is set, a pre-shared key without identity or key, and certificates of which nothing says which
// server to trust.
func New(c Config) (*Object, error) {
	hooks := c.Hooks
	hooks.Validate = func(ctx context.Context, tx *security.Tx) error {
		if err := validate(tx, c.ExternalKeys); err != nil || c.Hooks.Validate == nil {
			return err
		}
		return c.Hooks.Validate(ctx, tx)
	}
	return security.New(security.Config{Hooks: hooks, Template: Template(), MaxInstances: c.MaxInstances})
}

// Template returns what an instance that a bootstrap server creates starts with. It supports every
// resource that a client of this toolkit uses. All are without a value except the three
// credentials, which have an empty one: they are mandatory, but need not be written if the security
// mode does not use them.
func Template() Instance {
	return Instance{
		ServerURI:                     dm.Empty[string](),
		BootstrapServer:               dm.Empty[bool](),
		SecurityMode:                  dm.Empty[int64](),
		PublicKeyOrIdentity:           dm.Key(nil),
		ServerPublicKey:               dm.Key(nil),
		SecretKey:                     dm.Key(nil),
		ShortServerID:                 dm.Empty[int64](),
		ClientHoldOffTime:             dm.Empty[int64](),
		BootstrapServerAccountTimeout: dm.Empty[int64](),
		MatchingType:                  dm.Empty[uint64](),
		SNI:                           dm.Empty[string](),
		CertificateUsage:              dm.Empty[uint64](),
		Ciphersuite:                   dm.Uints(),
	}
}

// validate checks every instance that the transaction changes.
func validate(tx *security.Tx, externalKeys bool) error {
	changed := false
	for c := range tx.Changes() {
		changed = true
		err := check(c.ID, c.New)
		if err == nil && !externalKeys {
			err = checkKeys(c.ID, c.New)
		}
		if err != nil {
			return err
		}
	}
	if !changed {
		return nil
	}
	type way struct {
		short     int64
		transport string
	}
	seen := map[way]dm.InstanceID{}
	for id, inst := range tx.All() {
		short, ok := inst.ShortServerID.Get()
		if !ok || inst.BootstrapServer.Or(false) {
			continue
		}
		w := way{short, transport.Of(inst.ServerURI.Or(""))}
		if other, taken := seen[w]; taken {
			return refuse(id, security.ShortServerIDID, "instance %d has the Short Server ID %d already, with the same transport", other, short)
		}
		seen[w] = id
	}
	return nil
}

func refuse(id dm.InstanceID, r dm.ResourceID, format string, args ...any) error {
	return &dm.Error{Code: dm.BadRequest, Path: dm.ResourcePath(security.ObjectID, id, r),
		Err: fmt.Errorf(format, args...)}
}

// check checks one instance. Its errors contain no credential.
func check(id dm.InstanceID, i *Instance) error {
	if uri, ok := i.ServerURI.Get(); ok && uri != "" {
		u, err := url.Parse(uri)
		if err != nil || u.Scheme == "" || u.Host == "" && u.Opaque == "" || u.User != nil {
			return refuse(id, security.ServerURIID,
				"a server URI needs a scheme and a host, and no user part, as in coaps://lwm2m.example.com")
		}
	}
	if _, ok := i.ShortServerID.Get(); !ok && !i.BootstrapServer.Or(true) {
		return refuse(id, security.ShortServerIDID, "a management server needs a Short Server ID")
	}
	return nil
}

// checkKeys checks that one instance holds the keys that its security mode needs.
func checkKeys(id dm.InstanceID, i *Instance) error {
	identity, _ := i.PublicKeyOrIdentity.Get()
	key, _ := i.SecretKey.Get()
	server, _ := i.ServerPublicKey.Get()
	switch i.SecurityMode.Or(security.SecurityModeNoSec) {
	case security.SecurityModePSK:
		if identity.Len() == 0 || key.Len() == 0 {
			return refuse(id, security.SecurityModeID,
				"a pre-shared key needs Public Key or Identity (3) and Secret Key (5)")
		}
	case security.SecurityModeCertificate, security.SecurityModeCertificateEST:
		usage := i.CertificateUsage.Or(security.CertificateUsageDomainIssuedCertificate)
		if usage >= security.CertificateUsageTrustAnchorAssertion && server.Len() == 0 {
			return refuse(id, security.ServerPublicKeyID,
				"certificate usage %d needs Server Public Key (4): without it there is nothing to trust", usage)
		}
	}
	return nil
}
