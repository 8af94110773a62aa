// Package enrolment is the object in which a device keeps the certificates that it has enrolled for
// through EST, with their private keys (Security Mode 4). It is an object of the toolkit, not of
// OMA: it is part of the device's data model so that a certificate is stored in one record with the
// account that it belongs to, and no server can reach it.
//
// Most programs do not need it: the client makes the object itself. Use it if you store and restore
// the objects of the device, or if the factory installs a certificate. Then create the object here
// and put it into lwm2m.Config.Objects:
//
//	certs, err := enrolment.New()
//	if err != nil {
//		return err
//	}
//	err = certs.Add(0, enrolment.Instance{ // for Security instance 0
//		Certificates: dm.Key(chain),
//		PrivateKey:   dm.Key(key),
//		Authorities:  dm.Key(authorities),
//	})
//
// The main names are [New], [Instance], [Object] and [ObjectID].
package enrolment

import (
	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// ObjectID is the ID of the object. OMA registers no object behind 42768, so no server takes it for
// another.
const ObjectID dm.ObjectID = 65500

// The IDs of the resources.
const (
	CertificatesID dm.ResourceID = 0
	PrivateKeyID   dm.ResourceID = 1
	AuthoritiesID  dm.ResourceID = 2
)

// Instance is what the device has enrolled for one account. Its instance ID is that of the Security
// instance.
type Instance struct {
	// Certificates is the certificate of the device, followed by those between it and its
	// authority, in DER.
	Certificates dm.Res[dm.Secret]
	// PrivateKey is the private key in PKCS #8. It is empty if lwm2m.EST.Key holds the key.
	PrivateKey dm.Res[dm.Secret]
	// Authorities are the certificates of the authority, in DER.
	Authorities dm.Res[dm.Secret]
}

// Object is the object with its instances.
type Object = dm.TypedObject[Instance]

// New returns the object without instances.
func New() (*Object, error) {
	return dm.NewObject(&definition, (*Instance).cell, dm.ObjectConfig[Instance]{Template: Instance{
		Certificates: dm.Key(nil), PrivateKey: dm.Key(nil), Authorities: dm.Key(nil),
	}})
}

func (i *Instance) cell(id dm.ResourceID) dm.Cell {
	switch id {
	case CertificatesID:
		return &i.Certificates
	case PrivateKeyID:
		return &i.PrivateKey
	case AuthoritiesID:
		return &i.Authorities
	}
	return nil
}

var definition = registry.Object{
	ID: uint16(ObjectID), Version: registry.V(1, 0), Name: "Enrolled Certificates", Multiple: true,
	Resources: []registry.Resource{
		{ID: uint16(CertificatesID), Name: "Certificates", Type: registry.Opaque, Mandatory: true, Secret: true},
		{ID: uint16(PrivateKeyID), Name: "Private Key", Type: registry.Opaque, Secret: true},
		{ID: uint16(AuthoritiesID), Name: "Authorities", Type: registry.Opaque, Secret: true},
	},
}
