package lwm2m_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mserver"
)

// suspended suspends the client for an hour, in which the temperature changes and a Send is asked
// for.
func suspended(schemes ...string) func(m *moving) time.Time {
	return func(m *moving) time.Time {
		m.client.Suspend(schemes...)
		synctest.Wait()
		m.measures(meantime)
		m.sends()
		<-time.After(time.Hour)
		m.client.Resume(schemes...)
		return time.Now()
	}
}

// notifies lets something happen and then the temperature change.
func notifies(happen func(m *moving)) func(m *moving) time.Time {
	return func(m *moving) time.Time {
		happen(m)
		m.measures(meantime)
		return time.Now()
	}
}

// waits lets something happen and does nothing more.
func waits(happen func(m *moving)) func(m *moving) time.Time {
	return func(m *moving) time.Time {
		at := time.Now()
		happen(m)
		return at
	}
}

func moves(m *moving) { m.device.Move() }

func serverMoves(m *moving) {
	m.host.Move()
	m.net.SetName("server", m.host.Addrs()...)
}

func rebinds(m *moving) { m.nat.Rebind() }

func restarts(lost lwm2mserver.Loss) func(m *moving) {
	return func(m *moving) { m.server.Restart(lost) }
}

// reconnects lets something happen of which the program learns.
func reconnects(happen func(m *moving)) func(m *moving) time.Time {
	return func(m *moving) time.Time {
		happen(m)
		must(m.t, m.client.Reconnect(1))
		return time.Now()
	}
}

// brokenSend is a dialer whose sockets can send nothing more when broken is set, until they connect
// again.
type brokenSend struct {
	socket.Dialer
	broken *atomic.Bool
}

type brokenSocket struct {
	socket.Socket
	broken *atomic.Bool
}

func (d brokenSend) NewSocket(c socket.Config) (socket.Socket, error) {
	s, err := d.Dialer.NewSocket(c)
	return brokenSocket{s, d.broken}, err
}

func (s brokenSocket) Abilities() socket.Abilities { return socket.Detect(s.Socket) }

func (s brokenSocket) Connect(ctx context.Context, to socket.Endpoint) error {
	s.broken.Store(false)
	return s.Socket.Connect(ctx, to)
}

func (s brokenSocket) Send(p []byte) error {
	if s.broken.Load() {
		// EINVAL, as Linux has it for a local address that is gone.
		return errors.New("invalid argument")
	}
	return s.Socket.Send(p)
}

// withBrokenSend adds a brokenSend to a setting.
func withBrokenSend(s moveSetting) moveSetting {
	s.broken = new(atomic.Bool)
	s.change = func(c *lwm2m.Config) { c.Dialers[0] = brokenSend{c.Dialers[0], s.broken} }
	return s
}

func breaksSend(m *moving) {
	m.device.Move()
	m.setting.broken.Store(true)
}

// firstAddressDies gives the server a second address and lets the first one die.
func firstAddressDies(m *moving) {
	old := m.host.Addrs()[0]
	m.host.Move()
	m.net.SetName("server", old, m.host.Addrs()[0])
}

func sleeps(m *moving) { m.sleeps(12 * time.Hour) }

// serverCloses has the server end the DTLS connection with a close_notify.
func serverCloses(m *moving) {
	must(m.t, m.last.Load().Close())
}

// alerts restarts the server without its sessions, and answers every record of the device with a
// fatal alert that nothing authenticates, until the device does a handshake.
func alerts(m *moving) time.Time {
	m.server.Restart(lwm2mserver.LoseSessions)
	m.net.SetFilter(func(p simnet.Packet) bool {
		const handshake, epoch = 22, 4
		if slices.Contains(m.device.Addrs(), p.From.Addr()) && p.Data[0] != handshake && p.Data[epoch] == 1 {
			time.AfterFunc(0, func() {
				m.net.Inject(p.To, p.From, []byte{21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 2, 10})
			})
		}
		return true
	})
	m.measures(meantime)
	return time.Now()
}

// refuses stops the server, which has the network refuse a notification, and starts it after d.
func refuses(d time.Duration) func(m *moving) time.Time {
	return func(m *moving) time.Time {
		m.net.SetFilter(func(p simnet.Packet) bool { return !slices.Contains(m.host.Addrs(), p.From.Addr()) })
		m.server.Close() // the filter keeps its last messages from the device, as a crash does
		m.net.SetFilter(nil)
		m.measures(meantime)
		at := time.Now()
		<-time.After(d)
		m.serve()
		return at
	}
}

// withBootstrap adds a bootstrap server that cannot be reached, which the device asks after a
// growing pause with a random part.
func withBootstrap(s moveSetting) moveSetting {
	s.random = true
	s.change = func(c *lwm2m.Config) {
		c.Servers = append(c.Servers, lwm2m.Server{URI: "coap://bootstrap", Bootstrap: true})
	}
	return s
}

// nameIsLost suspends the client, removes the name of the server for a day, and adds it again.
func nameIsLost(m *moving) time.Time {
	m.client.Suspend()
	m.net.SetName("server")
	m.client.Resume()
	synctest.Wait()
	m.measures(meantime)
	m.sends()
	<-time.After(24*time.Hour + 16*time.Minute)
	m.net.SetName("server", m.host.Addrs()...)
	return time.Now()
}

// serverFreezes has the server not answer the next request of the device.
func serverFreezes(m *moving) {
	m.server.Disturb(1, lwm2mserver.Fault{Drop: true}, nil)
}
