package server

import (
	"context"

	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// Client is what the executables need of the client that serves the request; package lwm2m
// implements it. The methods may be called from any goroutine and do not wait: what they request
// starts after the request has been answered.
type Client interface {
	// DisableAccount de-registers from the server of instance id of the Server object, for as long
	// as its Disable Timeout says.
	DisableAccount(id dm.InstanceID) error
	// UpdateAccount sends a registration update to the server of instance id.
	UpdateAccount(id dm.InstanceID) error
	// RequestBootstrap starts a bootstrap that a server has requested. The error is 4.05 if the
	// client has no bootstrap server.
	RequestBootstrap() error
}

type clientKey struct{}

// WithClient returns a context that carries the client that serves the request, for the
// executables. It is for runtimes.
func WithClient(ctx context.Context, c Client) context.Context {
	return context.WithValue(ctx, clientKey{}, c)
}

func clientFrom(ctx context.Context) (Client, error) {
	c, ok := ctx.Value(clientKey{}).(Client)
	if !ok {
		return nil, dm.Errorf(dm.InternalServerError, "the executable was called without a client in its context")
	}
	return c, nil
}

// disable is the executable Disable (/1/x/4): the client answers, de-registers and does not
// register again for the Disable Timeout (/1/x/5), or for a day if there is none.
func disable(ctx context.Context, args dm.Args) error {
	c, err := clientFrom(ctx)
	if err != nil {
		return err
	}
	return c.DisableAccount(args.Instance)
}

// triggerUpdate is the executable Registration Update Trigger (/1/x/8). It accepts and ignores its
// argument, which names a transport: the client uses the transport that the account names.
func triggerUpdate(ctx context.Context, args dm.Args) error {
	c, err := clientFrom(ctx)
	if err != nil {
		return err
	}
	return c.UpdateAccount(args.Instance)
}

// requestBootstrap is the executable Bootstrap-Request Trigger (/1/x/9).
func requestBootstrap(ctx context.Context, _ dm.Args) error {
	c, err := clientFrom(ctx)
	if err != nil {
		return err
	}
	return c.RequestBootstrap()
}
