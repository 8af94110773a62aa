package lwm2m

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	gensecurity "github.com/lwm2mgen/toolkit/generated/security"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// tooSoon is how long a connection must have lasted to be made again at once when it ends.
const tooSoon = 10 * time.Second

// dial is one connection being made, by a goroutine of its own.
type dial struct{ cancel context.CancelFunc }

func uriOf(snap dm.Snapshot, id dm.InstanceID) string {
	return valuesOf(snap, securityID, id).text(gensecurity.ServerURIID)
}

// connect makes the connection. A socket is made once for an account: it keeps its port, its session and what it knows of the
// server's addresses over reconnects.
func (s *server) connect() {
	c := s.c
	if s.sock == nil {
		sock, remote, err := c.newSocket(c.model.Snapshot(), s.acct.security)
		if err == nil && c.loop.watching.Load() {
			sock, err = c.loop.poller.Wrap(sock)
		}
		if err != nil {
			s.outcome = outcomeFailed
			s.enter(StateInvalid, err, "")
			c.advance()
			return
		}
		s.sock, s.remote = sock, remote
		s.logLacks()
	}
	ctx, cancel := context.WithTimeout(c.ctx, c.cfg.ConnectTimeout)
	d := &dial{cancel}
	s.dial = d
	c.jobs++
	sock, remote, other := s.sock, s.remote, errors.Is(s.err, coap.ErrTimeout)
	go func() {
		defer cancel()
		err := connectTo(ctx, sock, remote, other)
		if err == nil && ctx.Err() != nil {
			_ = sock.Close() // it was given up, but has been made all the same
			err = ctx.Err()
		}
		c.loop.sched.Post(func() {
			if c.finished {
				return
			}
			c.jobs--
			s.dialled(d, err)
			c.finish()
		})
	}()
	s.enter(StateConnecting, s.err, "")
}

// logLacks says, once for each socket, what is lost because the network has not every ability.
func (s *server) logLacks() {
	var lost []string
	for _, lack := range socket.Detect(s.sock).Lacks(s.sock.Kind(), s.secured()) {
		lost = append(lost, lack.Ability+" ("+lack.Lost+")")
	}
	if lost != nil {
		s.log.Debug("the network lacks abilities", "uri", s.acct.uri, "lost", strings.Join(lost, "; "))
	}
}

// secured reports whether connections to the server have a security session.
func (s *server) secured() bool { return strings.HasPrefix(schemeOf(s.acct.uri), "coaps") }

// connectTo connects, to another address of the host where the last one was silent.
func connectTo(ctx context.Context, sock socket.Socket, remote socket.Endpoint, other bool) error {
	if alternates := socket.Detect(sock).Alternates; other && alternates != nil {
		err := alternates.ConnectNext(ctx)
		if err == nil || !errors.Is(err, socket.ErrAddressNotFound) {
			return err
		}
		// Every address has had its turn: Connect asks the name service anew.
	}
	return sock.Connect(ctx, remote)
}

// dropDial gives up the connection being made, and its socket with it: Connect may take a moment to return.
func (s *server) dropDial() {
	if s.dial != nil {
		s.dial.cancel()
		s.dial = nil
		s.closeSocket()
	}
}

func (s *server) closeSocket() {
	if s.sock != nil {
		_ = s.sock.Close() // closed is what it is, whatever the error
		s.sock = nil
	}
}

// dialled is the end of a dial.
func (s *server) dialled(d *dial, err error) {
	if s.dial != d {
		return // it was given up
	}
	s.dial = nil
	if err == nil {
		if err = s.attach(); err != nil {
			_ = s.sock.Close() // the next attempt connects it anew
		}
	}
	if err != nil {
		s.noteAlert(err)
		s.failed(err, true)
		return
	}
	s.greet()
}

// keeps reports whether the server still knows the device over a new connection: by its address where there is no security, by
// the session where there is; a network that cannot tell may have begun a new one. Over a stream the connection itself is the session.
func (s *server) keeps() bool {
	session := s.link.able.Session
	switch {
	case s.sock.Kind() == socket.Stream:
		return false
	case session == nil:
		return !s.secured()
	}
	return session.Resumption() != socket.NewSession
}

// attach puts a new connection to use.
func (s *server) attach() error {
	cfg := &s.c.cfg
	link := &Socket{server: s, since: time.Now(), armed: unarmed, loop: s.c.loop, net: s.sock, able: socket.Detect(s.sock)}
	err := s.c.loop.open(link, coap.ConnConfig{
		Handler: s.peer, Params: cfg.Transmission, BlockSize: cfg.BlockSize, MaxBody: cfg.MaxPayload,
		KeepOnTimeout: true,
	})
	if err != nil {
		return err
	}
	s.link = link
	if !s.keeps() {
		s.reg.active = false
	}
	s.peer.Attach(link.conn)
	return nil
}

// disconnect ends the connection, if there is one; with keep so that the session can go on later.
func (s *server) disconnect(reason error, keep bool) {
	s.call = nil // its outcome is of no interest any more
	link := s.link
	if link == nil {
		return
	}
	s.link = nil
	s.peer.Detach()
	_ = link.conn.Release() // what is still there of a stream ends in order (RFC 8323 §5.5); nothing waits for it
	link.conn.Close(reason)
	s.c.loop.drop(link)
	if keep && link.able.Shutdowner != nil {
		if link.able.Shutdowner.Shutdown() == nil {
			return
		}
	}
	_ = s.sock.Close() // closed is what it is, whatever the error
}

// broken is called by a connection that the network or the server has ended.
func (s *server) broken(link *Socket, err error) {
	if s.link != link {
		return
	}
	was := s.state
	s.noteAlert(err)
	switch was {
	case StateRegistered, StateUpdating:
		// A connection that worked may just have got old: the next is made at once.
		s.cancelTimer()
		if time.Since(link.since) < tooSoon {
			s.failed(fmt.Errorf("the connection ended at once: %w", err), true)
			return
		}
		s.disconnect(err, false)
		s.err = fmt.Errorf("the connection ended: %w", err)
		s.connect()
	case StateDeregistering:
		s.forsake()
	case StateRegistering, StateReregistering:
		s.failed(fmt.Errorf("the connection ended: %w", err), true)
	default:
		s.disconnect(err, false)
	}
}

// forgetSocket has the next connection made with a socket of its own, for an account that has changed.
func (s *server) forgetSocket(reason error) {
	s.dropDial()
	s.cancelTimer()
	s.reg.active, s.leaving = false, false
	s.disconnect(reason, false)
	s.closeSocket()
	s.peer.Reset()
}
