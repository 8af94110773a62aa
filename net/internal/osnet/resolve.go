package osnet

import (
	"context"
	"net"
	"net/netip"

	"github.com/lwm2mgen/toolkit/net/socket"
)

// Resolver looks up host names; *net.Resolver is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// lookup resolves host with r, or with the system's resolver if r is nil.
func lookup(ctx context.Context, r Resolver, host string) ([]netip.Addr, error) {
	if r == nil {
		r = net.DefaultResolver
	}
	addrs, err := r.LookupNetIP(ctx, "ip", host)
	return addrs, socket.WrapError(err)
}
