// Package server is the LwM2M Server object (1) with its behaviour: the executables Disable, Registration Update Trigger and
// Bootstrap-Request Trigger, and the checks of what servers write. Instances are those of generated/server.
//
// Most programs do not need it: lwm2m.Config.Servers makes the object. Who wants hooks of their own, or stores and restores
// the object, makes it here and puts it into lwm2m.Config.Objects, together with that of package security.
//
// The executables act on the client that serves the request, which puts itself into the context ([WithClient]). This package
// knows the client by the interface [Client] only, since the client itself builds on it.
package server
