// Package security is the LwM2M Security object (0) with its checks: where each server is and how the connection to it is
// secured. Instances are those of generated/security.
//
// Most programs do not need it: lwm2m.Config.Servers makes the object. Who wants hooks of their own, or stores and restores
// the object, makes it here and puts it into lwm2m.Config.Objects, together with that of package server.
package security

import (
	"context"
	"fmt"
	"net/url"

	"github.com/lwm2mgen/toolkit/generated/security"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

type (
	// Object is the Security object with its instances.
	Object = security.Object
	// Instance is one instance of it.
	Instance = security.Instance
	// Hooks are called around transactions that touch it.
	Hooks = security.Hooks
)

// Config is what New needs. The zero value is the plain object.
type Config struct {
	// Hooks are called besides this package's own; Validate after it. Zero: none.
	Hooks Hooks
	// MaxInstances bounds how many instances the object may have through a bootstrap server. Zero: as many as there are IDs.
	MaxInstances int
}

// New returns the object without instances. Its Validate hook refuses with 4.00 what cannot lead to a connection: a URI without
// scheme or host, a pre-shared key without identity or key, a management server without Short Server ID, and two management
// servers with the same one.
func New(c Config) (*Object, error) {
	hooks := c.Hooks
	hooks.Validate = func(ctx context.Context, tx *security.Tx) error {
		if err := validate(tx); err != nil || c.Hooks.Validate == nil {
			return err
		}
		return c.Hooks.Validate(ctx, tx)
	}
	return security.New(security.Config{Hooks: hooks, Template: Template(), MaxInstances: c.MaxInstances})
}

// Template returns what an instance made by a bootstrap server starts with: it supports every resource that a client of
// this toolkit makes use of, all without a value but for the three credentials: they are mandatory, and need not be written
// where the mode has no use for them.
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
		Ciphersuite:                   dm.EmptyMulti[uint64](),
	}
}

// validate judges every instance that the transaction changes.
func validate(tx *security.Tx) error {
	changed := false
	for c := range tx.Changes() {
		changed = true
		if err := check(c.ID, c.New); err != nil {
			return err
		}
	}
	if !changed {
		return nil
	}
	seen := map[int64]dm.InstanceID{}
	for id, inst := range tx.All() {
		short, ok := inst.ShortServerID.Get()
		if !ok || inst.BootstrapServer.Or(false) {
			continue
		}
		if other, taken := seen[short]; taken {
			return refuse(id, security.ShortServerIDID, "instance %d has the Short Server ID %d already", other, short)
		}
		seen[short] = id
	}
	return nil
}

func refuse(id dm.InstanceID, r dm.ResourceID, format string, args ...any) error {
	return &dm.Error{Code: dm.BadRequest, Path: dm.ResourcePath(security.ObjectID, id, r), Err: fmt.Errorf(format, args...)}
}

// check names no credential in its errors.
func check(id dm.InstanceID, i *Instance) error {
	if uri, ok := i.ServerURI.Get(); ok && uri != "" {
		u, err := url.Parse(uri)
		if err != nil || u.Scheme == "" || u.Host == "" && u.Opaque == "" || u.User != nil {
			return refuse(id, security.ServerURIID, "a server URI needs a scheme and a host, and no user part, as in coaps://lwm2m.example.com")
		}
	}
	if _, ok := i.ShortServerID.Get(); !ok && !i.BootstrapServer.Or(true) {
		return refuse(id, security.ShortServerIDID, "a management server needs a Short Server ID")
	}
	identity, _ := i.PublicKeyOrIdentity.Get()
	key, _ := i.SecretKey.Get()
	if i.SecurityMode.Or(security.SecurityModeNoSec) == security.SecurityModePSK && (identity.Len() == 0 || key.Len() == 0) {
		return refuse(id, security.SecurityModeID, "a pre-shared key needs Public Key or Identity (3) and Secret Key (5)")
	}
	return nil
}
