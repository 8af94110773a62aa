// WARNING: pion/dtls v2 must not be used in products. It draws the explicit nonces of AES-GCM and
// AES-CCM at random (CVE-2026-26014), so nonces repeat sooner or later, which reveals plaintexts
// and the authentication key. No release of v2 fixes that. Use net/dtls, which uses v3.
//
// Command dtls-v2 shows how to use another DTLS engine with the toolkit: one file implements the
// interfaces of package socket. It is a separate module, so that v2 never gets into the build list
// of the toolkit. Its test runs the conformance kit.
//
// A read of pion blocks and cannot return only data that has arrived, so each connection has a
// goroutine that reads ahead into a socket.Inbox, which implements deadlines, waking and
// notification. This is the pattern for every driver that delivers data by itself.
//
//	dtls-v2 -host coap.example -identity device-1 -key-file psk
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	piondtls "github.com/pion/dtls/v2"

	"github.com/lwm2mgen/toolkit/net/socket"
)

func main() {
	if err := run(context.Background(), os.Stdout, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "dtls-v2:", err)
		os.Exit(1)
	}
}

// run pings a CoAP server: an empty confirmable message is answered with a reset (RFC 7252 §4.3).
func run(ctx context.Context, out io.Writer, args []string) error {
	flags := flag.NewFlagSet("dtls-v2", flag.ContinueOnError)
	host := flags.String("host", "", "server")
	port := flags.Uint("port", 5684, "its port")
	identity := flags.String("identity", "", "PSK identity")
	keyFile := flags.String("key-file", "", "file with the pre-shared key")
	if err := flags.Parse(args); err != nil {
		return err
	}
	key, err := os.ReadFile(*keyFile)
	if err != nil {
		return err
	}
	s, err := Dialer{}.NewSocket(socket.Config{Security: socket.Security{
		Mode: socket.ModePSK, Identity: []byte(*identity), Key: socket.NewSecret(key),
	}})
	if err != nil {
		return err
	}
	defer s.Close()
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if err := s.Connect(ctx, socket.Endpoint{Host: *host, Port: uint16(*port)}); err != nil {
		return err
	}
	if err := s.Send([]byte{0x40, 0, 0x12, 0x34}); err != nil {
		return err
	}
	s.SetRecvDeadline(time.Now().Add(5 * time.Second))
	buf := make([]byte, 1500)
	n, err := s.Recv(buf)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "answer: % x\n", buf[:n])
	return err
}

// Dialer makes sockets for the scheme coaps with pre-shared keys.
type Dialer struct{}

// Schemes returns "coaps".
func (Dialer) Schemes() []string { return []string{"coaps"} }

// NewSocket makes a closed socket. It refuses what this example does not support.
func (Dialer) NewSocket(c socket.Config) (socket.Socket, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if c.Security.Mode != socket.ModePSK {
		return nil, fmt.Errorf("dtls-v2: %w: security mode %s", socket.ErrNotSupported, c.Security.Mode)
	}
	if c.Local != (netip.AddrPort{}) {
		return nil, fmt.Errorf("dtls-v2: %w: a local address", socket.ErrNotSupported)
	}
	return &conn{security: &c.Security, family: c.Family, inbox: socket.NewInbox(socket.Datagram, 0)}, nil
}

const (
	maxRecord = 1 << 14
	innerMTU  = 1280 - 48 - 29 // IPv6's least MTU, without the bytes of IP, UDP and a CCM_8 record
)

// conn is a socket with the abilities Addresses and Notifier.
type conn struct {
	security *socket.Security // a pointer, so that printing a conn shows no key
	family   socket.Family
	inbox    *socket.Inbox

	mu     sync.Mutex
	pion   *piondtls.Conn // nil when closed
	pump   sync.WaitGroup // the goroutine that reads
	cancel context.CancelCauseFunc
	ended  chan struct{} // of the Connect in progress
	local  netip.AddrPort
	remote netip.AddrPort
}

func (c *conn) Connect(ctx context.Context, remote socket.Endpoint) error {
	c.mu.Lock()
	if c.cancel != nil || c.pion != nil {
		c.mu.Unlock()
		return socket.ErrConnected
	}
	ctx, c.cancel = context.WithCancelCause(ctx)
	c.ended = make(chan struct{})
	c.mu.Unlock()

	p, u, err := c.handshake(ctx, remote)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil && ctx.Err() != nil {
		_ = p.Close()
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	c.cancel(nil)
	c.cancel = nil
	close(c.ended)
	if err != nil {
		return fmt.Errorf("connect %s: %w", remote, err)
	}
	c.pion = p
	c.local, c.remote = u.LocalAddr().(*net.UDPAddr).AddrPort(), u.RemoteAddr().(*net.UDPAddr).AddrPort()
	c.inbox.Open()
	c.pump.Add(1)
	go c.read(p)
	return nil
}

func (c *conn) handshake(ctx context.Context, remote socket.Endpoint) (*piondtls.Conn, *net.UDPConn, error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", remote.Host)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", socket.ErrAddressNotFound, err)
	}
	ordered := c.family.Order(addrs, netip.Addr{})
	if len(ordered) == 0 {
		return nil, nil, socket.ErrAddressNotFound
	}
	u, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(ordered[0], remote.Port)))
	if err != nil {
		return nil, nil, err
	}
	p, err := piondtls.ClientWithContext(ctx, u, &piondtls.Config{
		PSK:             func([]byte) ([]byte, error) { return c.security.Key.Bytes(), nil },
		PSKIdentityHint: c.security.Identity,
		CipherSuites:    []piondtls.CipherSuiteID{piondtls.TLS_PSK_WITH_AES_128_CCM_8, piondtls.TLS_PSK_WITH_AES_128_GCM_SHA256},
	})
	if err != nil {
		_ = u.Close()
		return nil, nil, err
	}
	return p, u, nil
}

// read fills the inbox until the connection ends.
func (c *conn) read(p *piondtls.Conn) {
	defer c.pump.Done()
	buf := make([]byte, maxRecord)
	for {
		n, err := p.Read(buf)
		var temporary interface{ Temporary() bool }
		switch {
		case err == nil:
			c.inbox.Put(buf[:n])
		case errors.As(err, &temporary) && temporary.Temporary():
			c.inbox.PutError(fmt.Errorf("%w: %w", socket.ErrRefused, err))
		default:
			c.inbox.PutError(fmt.Errorf("%w: %w", socket.ErrReset, err))
			return
		}
	}
}

func (c *conn) Send(b []byte) error {
	c.mu.Lock()
	p := c.pion
	c.mu.Unlock()
	switch {
	case p == nil:
		return socket.ErrClosed
	case len(b) > maxRecord:
		return &socket.SizeError{Size: len(b), Limit: maxRecord}
	}
	if _, err := p.Write(b); err != nil {
		if errors.Is(err, piondtls.ErrConnClosed) {
			return socket.ErrClosed
		}
		return fmt.Errorf("%w: %w", socket.ErrReset, err)
	}
	return nil
}

// Close cancels a Connect in progress, and waits for it and for the goroutine that reads.
func (c *conn) Close() error {
	c.mu.Lock()
	for c.cancel != nil {
		c.cancel(socket.ErrClosed)
		ended := c.ended
		c.mu.Unlock()
		<-ended
		c.mu.Lock()
	}
	p := c.pion
	c.pion = nil
	c.mu.Unlock()
	c.inbox.Close()
	if p == nil {
		return nil
	}
	err := p.Close()
	c.pump.Wait()
	return err
}

func (c *conn) State() socket.State {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pion == nil {
		return socket.StateClosed
	}
	return socket.StateConnected
}

func (c *conn) LocalAddr() netip.AddrPort {
	c.mu.Lock()
	defer c.mu.Unlock()
	return netip.AddrPortFrom(c.local.Addr().Unmap(), c.local.Port())
}

func (c *conn) RemoteAddr() netip.AddrPort {
	c.mu.Lock()
	defer c.mu.Unlock()
	return netip.AddrPortFrom(c.remote.Addr().Unmap(), c.remote.Port())
}

// Format prints a conn without the data of pion, which contains the key.
func (c *conn) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "DTLS v2 socket") }

func (c *conn) Recv(p []byte) (int, error)  { return c.inbox.Recv(p) }
func (c *conn) SetRecvDeadline(t time.Time) { c.inbox.SetRecvDeadline(t) }
func (c *conn) NotifyReadable(ready func()) { c.inbox.NotifyReadable(ready) }
func (c *conn) Kind() socket.Kind           { return socket.Datagram }
func (c *conn) InnerMTU() int               { return innerMTU }
