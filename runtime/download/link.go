package download

import (
	"context"
	"errors"
	"net/url"
	"sync/atomic"

	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/coap"
)

// link is the connection of a download over CoAP. Its socket is kept over reconnects, with port,
// session and addresses.
type link struct {
	sock   socket.Socket // nil until the first connection, and after one that could not be made
	remote socket.Endpoint
	conn   *coap.Conn
	// nextAddress is true if the last address has not answered.
	nextAddress bool
}

// open makes the socket, unless there is one, and connects it. It runs on a goroutine of its own.
func (l *link) open(ctx context.Context, c *Client, scheme, host string) error {
	if l.sock == nil {
		sec, err := c.credentials(scheme, host)
		if err != nil {
			return err
		}
		sock, remote, err := c.newSocket(scheme, host, sec)
		if err != nil {
			return err
		}
		watched, err := c.poller.Wrap(sock)
		if err != nil {
			_ = sock.Close() // it was never connected
			return err
		}
		watched.SetRecvDeadline(socket.NoWait())
		l.sock, l.remote = watched, remote
	}
	if alternates := socket.Detect(l.sock).Alternates; l.nextAddress && alternates != nil {
		err := alternates.ConnectNext(ctx)
		if err == nil || !errors.Is(err, socket.ErrAddressNotFound) {
			return err
		}
		// Every address has been tried: Connect asks the name service again.
	}
	return l.sock.Connect(ctx, l.remote)
}

// attach puts a connected socket to use. receive is called on the loop when there may be something
// to receive.
func (l *link) attach(c *Client, receive func()) error {
	var err error
	l.conn, err = c.endpoint.NewConn(coap.ConnConfig{
		Socket: l.sock, Params: c.cfg.Params, BlockSize: c.cfg.BlockSize,
		MaxBody: 2048, MaxHistory: 4096, MaxQueue: 4, MaxTransfers: 1, MaxMessage: maxMessage,
	})
	if err != nil {
		return err
	}
	var queued atomic.Bool
	run := func() {
		queued.Store(false)
		receive()
	}
	socket.Detect(l.sock).Notifier.NotifyReadable(func() {
		if !queued.Swap(true) {
			c.sched.Post(run)
		}
	})
	return nil
}

// maxMessage is the largest message to accept from a stream: what the blocks of one message need.
const maxMessage = 16<<10 + 256

// suspend ends the connection and keeps its security session where the network can.
func (l *link) suspend() {
	if l.conn != nil {
		socket.Detect(l.sock).Notifier.NotifyReadable(nil)
		_ = l.conn.Release() // of a stream (RFC 8323 §5.5); nothing waits for it
		l.conn.Close(nil)
		l.conn = nil
	}
	if l.sock == nil {
		return
	}
	if s := socket.Detect(l.sock).Shutdowner; s != nil && s.Shutdown() == nil {
		return
	}
	_ = l.sock.Close() // it is closed whatever the error
}

// discard ends the connection for good.
func (l *link) discard() {
	l.suspend()
	if l.sock != nil {
		_ = l.sock.Close() // it is closed whatever the error
		l.sock = nil
	}
}

// credentials returns those for a host.
func (c *Client) credentials(scheme, host string) (socket.Security, error) {
	if c.cfg.Security == nil || !isSecured(scheme) {
		return socket.Security{}, nil
	}
	uri := &url.URL{Scheme: scheme, Host: host}
	sec, err := c.cfg.Security(uri)
	if err != nil {
		return sec, fault(Failed, "credentials for %s: %w", uri, err)
	}
	return sec, nil
}

// newSocket makes the socket for a scheme of CoAP and a host with its port.
func (c *Client) newSocket(scheme, host string, sec socket.Security) (socket.Socket, socket.Endpoint, error) {
	uri := url.URL{Scheme: scheme, Host: host}
	sock, remote, err := socket.Open(c.cfg.Dialers, uri.String(), socket.Config{Security: sec, Logger: c.cfg.Logger})
	if err != nil {
		return nil, remote, fault(Failed, "%w", err)
	}
	return sock, remote, nil
}

// isSecured reports whether connections of a scheme need credentials.
func isSecured(scheme string) bool {
	return scheme == "https" || scheme == "coaps" || scheme == "coaps+tcp"
}
