package socket

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
)

// A Dialer makes the sockets for one or more schemes of server URIs. A client is given the Dialers
// of the networks that it may use. The methods may be called from any goroutine.
type Dialer interface {
	// Schemes returns the URI schemes that the dialer serves, in lower case: "coap", "coaps",
	// "coap+tcp", "coaps+tcp" or others.
	Schemes() []string
	// NewSocket makes a closed socket. It performs no input or output and starts no goroutine. It
	// refuses everything in c that the socket could never honour, such as a key or a ciphersuite
	// that it cannot use.
	NewSocket(c Config) (Socket, error)
}

// A Decorator is a Dialer whose sockets run over the sockets of another one, such as DTLS over UDP
// or over the datagrams of a modem.
type Decorator interface {
	Dialer
	// Over returns the scheme whose dialer makes the sockets below: "coap" for datagrams,
	// "coap+tcp" for streams.
	Over() string
}

// A Listener accepts connections from peers. Devices do not need one; tests and tools do.
//
// Over datagrams it tells peers apart by their address, and a new address makes a new connection.
// Whether accepted sockets stay usable after the listener is closed depends on the implementation:
// sockets that share its descriptor end with it.
type Listener interface {
	// Accept waits for the next connection until ctx or the listener ends (ErrClosed). It may be
	// called from any goroutine.
	Accept(ctx context.Context) (Socket, error)
	// Addr returns the local address, with the port that the system chose.
	Addr() netip.AddrPort
	// Close ends pending calls of Accept and refuses connections that are not accepted yet. No
	// goroutine of the listener is left when Close returns. Closing twice does nothing and returns
	// nil.
	Close() error
}

// Config configures a new socket. The socket keeps a copy; the values that it points to must not
// change while the socket is used. A client overwrites the keys that it has made for a socket
// (those of its Security object) after it has closed the socket for good.
type Config struct {
	// Scheme is the scheme of the server URI, in lower case, for a dialer that serves several. Open
	// sets it, and a Decorator sets that of the dialer below. The zero value means the first of
	// Dialer.Schemes.
	Scheme string
	// Security says how the connection is secured. The zero value means no security, which a dialer
	// for secured schemes refuses.
	Security Security
	// Family restricts or orders the addresses of a host name; a numeric address that it does not
	// allow is ErrAddressNotFound. The zero value means the order of the name service.
	Family Family
	// Local is the address and port to bind, as by Binder.Bind. The zero value means that the
	// system chooses. A socket that is no Binder refuses any other value.
	Local netip.AddrPort
	// Sticky is an address that was used before: it is tried first if the host name still resolves
	// to it. A socket remembers its own last address; Sticky is for the first Connect after a
	// restart. The zero value means none.
	Sticky netip.Addr
	// LinkMTU is the size of the largest packet of the link in bytes, IP header included, from 576
	// to 65535. The zero value means the size that the system knows, or else 1280.
	LinkMTU int
	// SendBuffer bounds the bytes that a stream socket holds back for a slow peer before Send
	// returns ErrBusy. The zero value means 64 KiB.
	SendBuffer int
	// Below makes the socket that a Decorator runs over. The zero value means the decorator's own
	// choice, or an error if it has none. Open sets it; other dialers ignore it.
	Below Dialer
	// Logger receives messages that help to find faults, at debug level and without secrets. The
	// zero value means no log.
	Logger *slog.Logger
}

// Family is the policy for the address family of the remote end.
type Family uint8

// The family policies.
const (
	AnyFamily  Family = iota // as the name service orders them
	PreferIPv4               // IPv4 addresses first
	PreferIPv6               // IPv6 addresses first
	ForceIPv4                // IPv4 only
	ForceIPv6                // IPv6 only
)

// String returns the policy in words.
func (f Family) String() string {
	switch f {
	case AnyFamily:
		return "any family"
	case PreferIPv4:
		return "prefer IPv4"
	case PreferIPv6:
		return "prefer IPv6"
	case ForceIPv4:
		return "IPv4 only"
	case ForceIPv6:
		return "IPv6 only"
	}
	return "unknown"
}

// Order returns the addresses of a resolved host name in the order in which to try them: filtered
// and ordered by the policy, sticky moved to the front if it is among them. IPv4-mapped addresses
// come out as IPv4. The result shares no memory with addrs.
func (f Family) Order(addrs []netip.Addr, sticky netip.Addr) []netip.Addr {
	out := make([]netip.Addr, 0, len(addrs))
	take := func(want func(netip.Addr) bool) {
		for _, a := range addrs {
			if a = a.Unmap(); want(a) {
				out = append(out, a)
			}
		}
	}
	is4, is6 := netip.Addr.Is4, netip.Addr.Is6
	switch f {
	case PreferIPv4:
		take(is4)
		take(is6)
	case PreferIPv6:
		take(is6)
		take(is4)
	case ForceIPv4:
		take(is4)
	case ForceIPv6:
		take(is6)
	default:
		take(netip.Addr.IsValid)
	}
	sticky = sticky.Unmap()
	for i, a := range out {
		if a == sticky {
			copy(out[1:], out[:i])
			out[0] = sticky
			break
		}
	}
	return out
}

// Validate checks for values that every socket refuses. Dialers call it first; they may refuse
// more.
func (c *Config) Validate() error {
	if c.Family > ForceIPv6 {
		return fmt.Errorf("socket configuration: address family policy %d does not exist", c.Family)
	}
	if c.LinkMTU != 0 && (c.LinkMTU < 576 || c.LinkMTU > 65535) {
		return fmt.Errorf("socket configuration: LinkMTU is %d, it must be from 576 to 65535, or 0", c.LinkMTU)
	}
	if c.SendBuffer < 0 {
		return fmt.Errorf("socket configuration: SendBuffer is %d, it must not be negative", c.SendBuffer)
	}
	return c.Security.Validate()
}

// Open makes the socket for a server URI with the first dialer that serves its scheme, and returns
// it with the endpoint to connect to. The dialer finds the scheme in Config.Scheme. If the dialer
// is a [Decorator] and c.Below is nil, Open sets c.Below to the dialer of the scheme below. Nothing
// is sent until Connect is called. If no dialer serves the scheme, the error names the package to
// import.
func Open(dialers []Dialer, uri string, c Config) (Socket, Endpoint, error) {
	scheme, remote, err := ParseURI(uri)
	if err != nil {
		return nil, Endpoint{}, err
	}
	d := dialerFor(dialers, scheme)
	if d == nil {
		return nil, Endpoint{}, fmt.Errorf("server URI %s: %w: no dialer for the scheme %s among the %d configured; %s",
			quote(uri), ErrNotSupported, quote(scheme), len(dialers), remedy(scheme))
	}
	c.Scheme = scheme
	if deco, ok := d.(Decorator); ok && c.Below == nil {
		c.Below = dialerFor(dialers, deco.Over())
	}
	s, err := d.NewSocket(c)
	if err != nil {
		return nil, Endpoint{}, fmt.Errorf("server URI %s: %w", quote(uri), err)
	}
	if s == nil {
		return nil, Endpoint{}, fmt.Errorf("server URI %s: NewSocket of %T returned neither a socket nor an "+
			"error", quote(uri), d)
	}
	return s, remote, nil
}

func dialerFor(dialers []Dialer, scheme string) Dialer {
	for _, d := range dialers {
		for _, s := range d.Schemes() {
			if s == scheme {
				return d
			}
		}
	}
	return nil
}

// remedy says what to do about a scheme without a dialer.
func remedy(scheme string) string {
	pkg := map[string]string{"coap": "udp", "coaps": "dtls", "coap+tcp": "tcp", "coaps+tcp": "tls"}[scheme]
	below := map[string]string{"dtls": "udp", "tls": "tcp"}[pkg]
	if pkg == "" {
		return "LwM2M servers have coap, coaps, coap+tcp or coaps+tcp; if this is a network of your own, write a " +
			"dialer for it (docs/porting.md) and add it"
	}
	advice := strings.ReplaceAll("import github.com/lwm2mgen/toolkit/net/PKG and add PKG.Dialer{}", "PKG", pkg)
	if below != "" {
		advice += " beside " + below + ".Dialer{}, or the dialer that you use instead"
	}
	return advice
}
