package dm

import (
	"context"
	"strconv"
)

// Origin says who performs an operation. The zero value is the application itself.
type Origin struct {
	kind originKind
	ssid uint16
}

type originKind uint8

const (
	byApplication originKind = iota
	byServer
	byBootstrap
)

// Application is the device's own program: it reads and writes everything.
var Application = Origin{}

// Bootstrap is the bootstrap server: it writes everything (Core 1.2.2 §6.1.7).
var Bootstrap = Origin{kind: byBootstrap}

// Server returns the LwM2M server with the given Short Server ID, 1..65534.
func Server(shortID uint16) Origin { return Origin{byServer, shortID} }

// IsApplication reports whether the device's own program acts.
func (o Origin) IsApplication() bool { return o.kind == byApplication }

// IsBootstrap reports whether the bootstrap server acts.
func (o Origin) IsBootstrap() bool { return o.kind == byBootstrap }

// ShortServerID returns the Short Server ID of the LwM2M server that acts; false where it is none.
func (o Origin) ShortServerID() (uint16, bool) { return o.ssid, o.kind == byServer }

// String returns "application", "bootstrap server" or "server 101".
func (o Origin) String() string {
	switch o.kind {
	case byServer:
		return "server " + strconv.Itoa(int(o.ssid))
	case byBootstrap:
		return "bootstrap server"
	}
	return "application"
}

type originKey struct{}

// WithOrigin returns a context that tells functions and executables who asks.
func WithOrigin(ctx context.Context, o Origin) context.Context {
	return context.WithValue(ctx, originKey{}, o)
}

// OriginFrom returns who asks; it is for functions, executables and hooks, with the context that
// they receive. A context that does not say is the application's.
func OriginFrom(ctx context.Context) Origin {
	o, _ := ctx.Value(originKey{}).(Origin)
	return o
}
