package dtls

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	pion "github.com/pion/dtls/v3"

	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
)

var (
	testIdentity = []byte("device-1")
	testKey      = []byte("0123456789abcdef")
)

func pskSecurity() socket.Security {
	return socket.Security{Mode: socket.ModePSK, Identity: testIdentity, Key: socket.NewSecret(testKey)}
}

// oneConn is a net.PacketConn for one connection of a pion server after another: it stays open, and
// starts with a datagram that was read before. Once it has ended, it no longer reads from the
// socket of the next one.
type oneConn struct {
	net.PacketConn
	reads sync.WaitGroup
	mu    sync.Mutex
	first []byte
	from  net.Addr
	ended bool
}

func (c *oneConn) ReadFrom(p []byte) (int, net.Addr, error) {
	c.mu.Lock()
	if c.ended {
		c.mu.Unlock()
		return 0, nil, net.ErrClosed
	}
	if c.first != nil {
		n := copy(p, c.first)
		c.first = nil
		c.mu.Unlock()
		return n, c.from, nil
	}
	c.reads.Add(1)
	c.mu.Unlock()
	defer c.reads.Done()
	return c.PacketConn.ReadFrom(p)
}

func (c *oneConn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return nil
	}
	return c.PacketConn.SetReadDeadline(t)
}

func (c *oneConn) Close() error { return c.SetReadDeadline(time.Unix(1, 0)) }

// end returns when no goroutine reads for this connection, which pion's Close does not wait for if
// it is called twice.
func (c *oneConn) end() {
	c.mu.Lock()
	c.ended = true
	_ = c.PacketConn.SetReadDeadline(time.Unix(1, 0))
	c.mu.Unlock()
	c.reads.Wait()
}

// pionPeer is an independent DTLS server, which echoes.
type pionPeer struct {
	packets net.PacketConn
	done    sync.WaitGroup
	mu      sync.Mutex
	errs    []error // of handshakes
	served  int     // connections
	conn    *pion.Conn
}

// startPion runs pion's server at a port, for one connection after the other.
func startPion(tb testing.TB, packets net.PacketConn, opts ...pion.ServerOption) *pionPeer {
	tb.Helper()
	p := &pionPeer{packets: packets}
	p.done.Add(1)
	go func() {
		defer p.done.Done()
		for p.serveOne(opts) {
		}
	}()
	tb.Cleanup(p.stop)
	return p
}

func (p *pionPeer) stop() {
	_ = p.packets.Close()
	p.mu.Lock()
	c := p.conn
	p.mu.Unlock()
	if c != nil {
		_ = c.Close()
	}
	p.done.Wait()
}

func (p *pionPeer) serveOne(opts []pion.ServerOption) bool {
	buf := make([]byte, 8192)
	_ = p.packets.SetReadDeadline(time.Time{})
	n, from, err := p.packets.ReadFrom(buf)
	if err != nil {
		return !errors.Is(err, net.ErrClosed)
	}
	if n == 0 || buf[0] != typeHandshake {
		return true // of a connection that is over
	}
	one := &oneConn{PacketConn: p.packets, first: buf[:n:n], from: from}
	defer one.end()
	c, err := pion.ServerWithOptions(one, from, opts...)
	if err != nil {
		p.note(err)
		return true
	}
	p.mu.Lock()
	p.conn = c
	p.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := c.HandshakeContext(ctx); err != nil {
		p.note(err)
		_ = c.Close()
		return true
	}
	p.mu.Lock()
	p.served++
	p.mu.Unlock()
	msg := make([]byte, 32<<10)
	for {
		n, err := c.Read(msg)
		if err != nil {
			if !errors.Is(err, io.EOF) {
				p.note(err)
			}
			_ = c.Close()
			return true
		}
		if _, err := c.Write(msg[:n]); err != nil {
			p.note(err)
			_ = c.Close()
			return true
		}
	}
}

func (p *pionPeer) note(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.errs = append(p.errs, err)
}

func (p *pionPeer) connections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.served
}

func pskServer(suites ...pion.CipherSuiteID) []pion.ServerOption {
	if len(suites) == 0 {
		suites = []pion.CipherSuiteID{pion.TLS_PSK_WITH_AES_128_CCM_8}
	}
	return []pion.ServerOption{
		pion.WithPSK(func(id []byte) ([]byte, error) {
			if string(id) != string(testIdentity) {
				return nil, errors.New("unknown identity")
			}
			return testKey, nil
		}),
		pion.WithCipherSuites(suites...),
	}
}

// world is a simulated network with a device and a server.
type world struct {
	net            *simnet.Network
	device, server *simnet.Host
	packets        net.PacketConn
}

var serverEnd = socket.Endpoint{Host: "server.example", Port: 5684}

func newWorld(tb testing.TB, seed uint64) *world {
	tb.Helper()
	n := simnet.New(seed)
	w := &world{net: n, device: n.NewHost("device.example"), server: n.NewHost("server.example")}
	var err error
	if w.packets, err = w.server.ListenPacket(5684); err != nil {
		tb.Fatal(err)
	}
	return w
}

func (w *world) socket(tb testing.TB, sec socket.Security) *conn {
	tb.Helper()
	return w.socketAt(tb, w.device, sec)
}

func (w *world) socketAt(tb testing.TB, h *simnet.Host, sec socket.Security) *conn {
	tb.Helper()
	s, err := Dialer{}.NewSocket(socket.Config{Security: sec, Below: h.Dialer()})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.Close() })
	return s.(*conn)
}

func mustConnect(tb testing.TB, s socket.Socket, to socket.Endpoint) {
	tb.Helper()
	if err := s.Connect(context.Background(), to); err != nil {
		tb.Fatal(err)
	}
}

// mustEcho sends text until it is echoed, because datagrams may be lost.
func mustEcho(tb testing.TB, s socket.Socket, text string) {
	tb.Helper()
	buf := make([]byte, len(text)+100)
	for range 20 {
		if err := s.Send([]byte(text)); err != nil {
			tb.Fatalf("send: %v", err)
		}
		s.SetRecvDeadline(time.Now().Add(time.Second))
		n, err := s.Recv(buf)
		if errors.Is(err, socket.ErrTimeout) {
			continue
		}
		if err != nil {
			tb.Fatalf("receive: %v", err)
		}
		if got := string(buf[:n]); got != text {
			continue // the echo of an earlier one
		}
		return
	}
	tb.Fatalf("no echo of %q", text)
}

func mustDefault(tb testing.TB, w *world, l simnet.Link) {
	tb.Helper()
	if err := w.net.SetDefaultLink(l); err != nil {
		tb.Fatal(err)
	}
}

// listenSim listens at serverEnd until the end of the test.
func listenSim(t *testing.T, n *simnet.Network, cfg ServerConfig) *listener {
	t.Helper()
	below, err := n.NewHost(serverEnd.Host).Listen(serverEnd.Port)
	if err != nil {
		t.Fatal(err)
	}
	l, err := Listen(below, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l.(*listener)
}
