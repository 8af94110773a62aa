// Package server is the LwM2M Server object (1) with its behaviour: the executables Disable,
// Registration Update Trigger and Bootstrap-Request Trigger, and checks of what servers write. Its
// instances are those of generated/server.
//
// Most programs do not need it: lwm2m.Config.Servers creates the object. Use it if you need hooks
// of your own, or if you store and restore the object. Then create the object here and put it into
// lwm2m.Config.Objects, together with the object of package security:
//
//	srv, err := server.New(server.Config{})
//	if err != nil {
//		return err
//	}
//	account := server.Template()
//	account.ShortServerID = dm.Int(1)
//	account.Lifetime = dm.Int(86400)
//	account.NotificationStoringWhenDisabledOrOffline = dm.Bool(true)
//	account.Binding = dm.Str("U")
//	err = srv.Add(0, account)
//
// The main names are [New], [Config], [Template], [Instance] and [Object]. The executables act on
// the client that serves the request. The client puts itself into the context with [WithClient];
// this package knows it only by the interface [Client], because the client itself imports this
// package.
package server
