package socket_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/net/internal/loopbacktest"
	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/net/sockettest"
	"github.com/lwm2mgen/toolkit/net/tcp"
	"github.com/lwm2mgen/toolkit/net/udp"
)

// TestConnDialer: connections of package net are sockets without further code.
func TestConnDialer(t *testing.T) {
	var system net.Dialer
	for scheme, listen := range map[string]func(netip.AddrPort) (socket.Listener, error){
		"coap": udp.Listen, "coap+tcp": tcp.Listen,
	} {
		for family, at := range map[string]string{"IPv4": "127.0.0.1:0", "IPv6": "[::1]:0"} {
			t.Run(scheme+" "+family, func(t *testing.T) {
				sockettest.Run(t, func(t testing.TB) sockettest.Rig {
					open := func() (socket.Listener, socket.Endpoint) {
						l, err := listen(netip.MustParseAddrPort(at))
						if err != nil {
							t.Skipf("no such loopback here: %v", err)
						}
						t.Cleanup(func() { _ = l.Close() })
						return l, socket.Endpoint{Host: l.Addr().Addr().String(), Port: l.Addr().Port()}
					}
					l, remote := open()
					gone, unused := open()
					_ = gone.Close()
					return sockettest.Rig{
						Dialer: socket.NewConnDialer(system.DialContext), Config: socket.Config{Scheme: scheme},
						Remote: remote, Peer: l, Unused: unused, Unknown: "nobody..invalid", Stranger: loopbacktest.Stranger,
					}
				})
			})
		}
	}
}

// TestConnDialerSimulated runs the kit in virtual time, with silent and unknown hosts.
func TestConnDialerSimulated(t *testing.T) {
	for _, scheme := range []string{"coap", "coap+tcp"} {
		t.Run(scheme, func(t *testing.T) {
			sockettest.RunInBubbles(t, synctest.Test, func(t testing.TB) sockettest.Rig {
				n := simnet.New(1)
				dev, srv, dead := n.NewHost("device"), n.NewHost("server"), n.NewHost("dead")
				dead.SetDown(true)
				below, listen := socket.Dialer(dev.Dialer()), srv.Listen
				if scheme == "coap+tcp" {
					below, listen = dev.StreamDialer(), srv.ListenStream
				}
				l, err := listen(5683)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = l.Close() })
				return sockettest.Rig{
					Dialer: socket.NewConnDialer(dialSimulated(below), scheme),
					Remote: socket.Endpoint{Host: "server", Port: 5683}, Peer: l,
					Unused: socket.Endpoint{Host: "server", Port: 9}, Silent: socket.Endpoint{Host: "dead", Port: 9},
					Unknown: "nobody",
				}
			})
		})
	}
}

// dialSimulated is the dial function of a simulated network.
func dialSimulated(d socket.Dialer) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		_, remote, err := socket.ParseURI(network + "://" + address)
		if err != nil {
			return nil, err
		}
		s, err := d.NewSocket(socket.Config{})
		if err == nil {
			err = s.Connect(ctx, remote)
		}
		if err != nil {
			return nil, err
		}
		return socket.NetConn(s), nil
	}
}

// rwc is a connection that is made of functions.
type rwc struct {
	read  func(p []byte) (int, error)
	write func(p []byte) (int, error)
	close func() error
}

func (c *rwc) Read(p []byte) (int, error)  { return c.read(p) }
func (c *rwc) Write(p []byte) (int, error) { return c.write(p) }
func (c *rwc) Close() error                { return c.close() }

// newRWC returns a connection that takes everything and never delivers anything.
func newRWC() *rwc {
	closed := make(chan struct{})
	return &rwc{
		read:  func([]byte) (int, error) { <-closed; return 0, io.ErrClosedPipe },
		write: func(p []byte) (int, error) { return len(p), nil },
		close: func() error { close(closed); return nil },
	}
}

// over returns a socket that is connected over c.
func over(t *testing.T, c *rwc, scheme string) socket.Socket {
	t.Helper()
	d := socket.NewConnDialer(func(context.Context, string, string) (*rwc, error) { return c, nil }, scheme)
	s, err := d.NewSocket(socket.Config{})
	if err == nil {
		err = s.Connect(t.Context(), socket.Endpoint{Host: "server", Port: 1})
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// TestConnDialerAbilities: a connection without addresses makes a socket without Addresses.
func TestConnDialerAbilities(t *testing.T) {
	names := func(a socket.Abilities, k socket.Kind) (lacks []string) {
		for _, l := range a.Lacks(k, false) {
			lacks = append(lacks, l.Ability)
		}
		return lacks
	}
	make := func(d *socket.ConnDialer, scheme string) string {
		s, err := d.NewSocket(socket.Config{Scheme: scheme})
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(s.Kind(), names(socket.Detect(s), s.Kind()))
	}
	plain := func(context.Context, string, string) (*rwc, error) { return nil, nil }
	for want, got := range map[string]string{
		"datagram [Addresses Binder Alternates Handle ReceiverOff Shutdowner]": make(socket.NewConnDialer(plain), "coap"),
		"stream [Addresses Binder Alternates Handle ReceiverOff Shutdowner]":   make(socket.NewConnDialer(plain), "coap+tcp"),
		"datagram [Binder Alternates Handle ReceiverOff Shutdowner]": make(socket.NewConnDialer(new(net.Dialer).DialContext),
			"coap"),
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestConnDialerRefusals(t *testing.T) {
	d := socket.NewConnDialer(new(net.Dialer).DialContext)
	for want, c := range map[string]socket.Config{
		"use net/dtls": {Security: socket.Security{Mode: socket.ModePSK, Identity: []byte("id"),
			Key: socket.NewSecret([]byte("0123456789abcdef"))}},
		"choose it in the dial function":         {Local: netip.AddrPortFrom(netip.Addr{}, 5683)},
		"select the family in the dial function": {Family: socket.ForceIPv6},
	} {
		if _, err := d.NewSocket(c); !errors.Is(err, socket.ErrNotSupported) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	for want, d := range map[string]*socket.ConnDialer{
		"make a ConnDialer with socket.NewConnDialer": {},
		"must not be negative":                        {MTU: -1},
	} {
		if want == "must not be negative" {
			*d = *socket.NewConnDialer(new(net.Dialer).DialContext)
			d.MTU = -1
		}
		if _, err := d.NewSocket(socket.Config{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// TestConnDialerOutlivesDial: Connect ends with its context although the dial function does not,
// and the connection that comes too late is closed.
func TestConnDialerOutlivesDial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn := newRWC()
		closed := make(chan time.Duration, 1)
		start := time.Now()
		conn.close = func() error { closed <- time.Since(start); return nil }
		s, err := socket.NewConnDialer(func(context.Context, string, string) (*rwc, error) {
			<-time.After(time.Hour)
			return conn, nil
		}).NewSocket(socket.Config{})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err = s.Connect(ctx, socket.Endpoint{Host: "server", Port: 1})
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("Connect: %v after %v", err, time.Since(start))
		}
		if at := <-closed; at != time.Hour {
			t.Errorf("the late connection was closed after %v", at)
		}
	})
}

// TestConnDialerSendDoesNotWait: a connection that takes nothing makes Send fail with ErrBusy, and
// delays Close by a moment only.
func TestConnDialerSendDoesNotWait(t *testing.T) {
	for _, scheme := range []string{"coap", "coap+tcp"} {
		synctest.Test(t, func(t *testing.T) {
			conn := newRWC()
			blocked := make(chan struct{})
			conn.write = func([]byte) (int, error) { <-blocked; return 0, io.ErrClosedPipe }
			end := conn.close
			conn.close = func() error { close(blocked); return end() }
			s := over(t, conn, scheme)
			start := time.Now()
			var err error
			n := 0
			for ; err == nil && n < 1000; n++ {
				err = s.Send(make([]byte, 1000))
			}
			if !errors.Is(err, socket.ErrBusy) || time.Since(start) != 0 {
				t.Errorf("%s: Send: %v after %d messages and %v", scheme, err, n, time.Since(start))
			}
			if err := s.Close(); err != nil || time.Since(start) > 100*time.Millisecond {
				t.Errorf("%s: Close: %v after %v", scheme, err, time.Since(start))
			}
		})
	}
}

// TestConnDialerCloseSendsFirst: what was sent just before Close leaves.
func TestConnDialerCloseSendsFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn := newRWC()
		var written []string
		conn.write = func(p []byte) (int, error) { written = append(written, string(p)); return len(p), nil }
		s := over(t, conn, "coap")
		for _, text := range []string{"one", "two", "three"} {
			if err := s.Send([]byte(text)); err != nil {
				t.Fatal(err)
			}
		}
		start := time.Now()
		if err := s.Close(); err != nil || time.Since(start) != 0 {
			t.Errorf("Close: %v after %v", err, time.Since(start))
		}
		if fmt.Sprint(written) != "[one two three]" {
			t.Errorf("%q left", written)
		}
	})
}

// TestConnDialerBrokenConnection: an end of the connection is ErrReset, or io.EOF on a stream, and
// a refusal leaves datagrams usable.
func TestConnDialerBrokenConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bad := errors.New("the modem was pulled out")
		for name, c := range map[string]struct {
			scheme string
			fail   func(*rwc)
			want   error
		}{
			"end of datagrams":   {"coap", func(c *rwc) { c.read = func([]byte) (int, error) { return 0, io.EOF } }, socket.ErrReset},
			"end of a stream":    {"coap+tcp", func(c *rwc) { c.read = func([]byte) (int, error) { return 0, io.EOF } }, io.EOF},
			"failing read":       {"coap+tcp", func(c *rwc) { c.read = func([]byte) (int, error) { return 0, bad } }, bad},
			"failing write":      {"coap", func(c *rwc) { c.write = func([]byte) (int, error) { return 0, bad } }, bad},
			"somebody closed it": {"coap", func(c *rwc) { c.read = func([]byte) (int, error) { return 0, net.ErrClosed } }, socket.ErrReset},
		} {
			conn := newRWC()
			c.fail(conn)
			s := over(t, conn, c.scheme)
			if err := s.Send([]byte("x")); err != nil {
				t.Errorf("%s: Send: %v", name, err)
			}
			_, err := s.Recv(make([]byte, 10))
			if !errors.Is(err, c.want) || c.want != io.EOF && !errors.Is(err, socket.ErrReset) {
				t.Errorf("%s: Recv: %v, want %v", name, err, c.want)
			}
			if err := s.Close(); err != nil {
				t.Errorf("%s: Close: %v", name, err)
			}
		}
		conn := newRWC()
		refusals := 0
		conn.write = func(p []byte) (int, error) {
			if refusals++; refusals == 1 {
				return 0, socket.ErrRefused
			}
			return len(p), nil
		}
		s := over(t, conn, "coap")
		for range 2 {
			if err := s.Send([]byte("x")); err != nil {
				t.Errorf("Send: %v", err)
			}
			synctest.Wait()
		}
		if _, err := s.Recv(make([]byte, 10)); !errors.Is(err, socket.ErrRefused) || refusals != 3 {
			t.Errorf("Recv: %v after %d writes, want ErrRefused and the datagram repeated", err, refusals)
		}
	})
}

// TestConnDialerReadThatStays: Close returns although the Read of the connection does not, and says
// so.
func TestConnDialerReadThatStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn := newRWC()
		release := make(chan struct{})
		conn.read = func([]byte) (int, error) { <-release; return 0, io.EOF }
		s := over(t, conn, "coap")
		if err := s.Close(); err == nil || !strings.Contains(err.Error(), "has not returned 1s after Close") {
			t.Errorf("Close: %v", err)
		}
		close(release)
	})
}
