package server

import (
	"context"

	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// Client is what the executables need of the client that serves the request. Its methods may be called from any goroutine and do
// not wait: what they ask for is begun after the request was answered.
type Client interface {
	// DisableAccount de-registers from the server that instance id of the Server object is about, for as long as its Disable
	// Timeout says.
	DisableAccount(id dm.InstanceID) error
	// UpdateAccount sends a registration update to that server.
	UpdateAccount(id dm.InstanceID) error
	// RequestBootstrap begins a bootstrap on a server's wish; the error is 4.05 if the client has no bootstrap server.
	RequestBootstrap() error
}

type clientKey struct{}

// WithClient returns a context that tells executables which client serves the request.
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

// disable is the executable Disable (/1/x/4): the client answers, de-registers and stays away from the server for the Disable
// Timeout (/1/x/5), a day if there is none.
func disable(ctx context.Context, args dm.Args) error {
	c, err := clientFrom(ctx)
	if err != nil {
		return err
	}
	return c.DisableAccount(args.Instance)
}

// triggerUpdate is the executable Registration Update Trigger (/1/x/8). Its argument, which names a transport, is accepted and
// without effect: the server is reached by the one its account names.
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
