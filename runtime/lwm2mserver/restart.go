package lwm2mserver

import (
	"errors"

	"github.com/lwm2mgen/toolkit/net/socket"
)

// Loss says what a server loses in a restart, see [Server.Restart]. Combine constants with |.
type Loss uint8

const (
	// LoseSessions loses everything that a process keeps about connections. DTLS and TLS: the
	// connections and what is kept for their resumption, without notice to the devices. Records of
	// a lost DTLS connection are not answered, and a ClientHello begins a full handshake (RFC 6347
	// §4.2.8). TCP: the connections. UDP without security: requests that wait for their response,
	// and the message IDs that have arrived. Observations end with the connections.
	LoseSessions Loss = 1 << iota
	// LoseRegistrations loses the registrations and their observations. An Update gets 4.04. The
	// scripts of bootstraps stay, and so do events and requests.
	LoseRegistrations
)

// errRestarted is why a call or a connection has ended.
var errRestarted = errors.New("lwm2mserver: the server has restarted")

// forgetter is a listener that forgets its sessions on request, as those of packages dtls and tls.
type forgetter interface{ ForgetSessions() }

// Restart does to devices what a restart of the server's process does. It takes no time; the
// addresses, the listeners and the configuration stay. What is not lost is kept as if the server
// had stored it:
//
//	// Sessions were in memory, registrations on disk:
//	srv.Restart(lwm2mserver.LoseSessions)
//	// Both were in memory:
//	srv.Restart(lwm2mserver.LoseSessions | lwm2mserver.LoseRegistrations)
//	// The registrations were deleted; a proxy has kept the sessions:
//	srv.Restart(lwm2mserver.LoseRegistrations)
//
// A Client of a lost registration is usable again when its device has registered again. A listener
// of your own takes part in LoseSessions if it has a method ForgetSessions().
func (s *Server) Restart(lost Loss) {
	done := make(chan struct{})
	s.sched.Post(func() {
		defer close(done)
		if lost&LoseRegistrations != 0 {
			s.loseRegistrations()
		}
		if lost&LoseSessions != 0 {
			s.loseSessions()
		}
	})
	select {
	case <-done:
	case <-s.done:
	}
}

// loseRegistrations ends all registrations and their observations. It runs on the loop.
func (s *Server) loseRegistrations() {
	s.change(func() {
		for _, cl := range s.clients {
			if cl.reg.Location != "" {
				s.endRegistration(cl, Forgotten, Request{})
			}
		}
	})
	for _, cl := range s.clients { // the loop alone changes the map
		for o := range cl.observations {
			o.forget()
		}
	}
}

// loseSessions ends all connections without notice to the devices. It runs on the loop.
func (s *Server) loseSessions() {
	for _, l := range s.listeners {
		if f, ok := l.(forgetter); ok {
			f.ForgetSessions()
		}
	}
	for c := range s.conns {
		c.restart()
	}
}

// restart ends a connection, or begins one with the same peer if the peer does not notice that:
// over datagrams without security.
func (c *conn) restart() {
	if !c.secured && c.sock.Kind() == socket.Datagram {
		c.coap.Close(errRestarted)
		if c.start() == nil {
			for _, cl := range c.clients {
				cl.sendHeld()
			}
			return
		}
	}
	if s := socket.Detect(c.sock).Shutdowner; s != nil {
		_ = s.Shutdown() // sends no close_notify, as Close would
	}
	c.close(errRestarted)
}
