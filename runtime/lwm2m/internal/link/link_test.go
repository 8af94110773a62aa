package link

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
)

var errReason = errors.New("the test wants it")

func TestSocketIsKeptOverReconnects(t *testing.T) {
	onRig(t, func(r *rig) {
		l := r.newLink(linkConfig{})
		for range 3 {
			l.connect()
			l.want("connected, registration survives: false", "dial ended")
			l.Close(errReason)
			l.want("closing")
		}
		if len(l.sockets) != 1 {
			t.Errorf("%d sockets were made", len(l.sockets))
		}
	})
}

func TestRenew(t *testing.T) {
	for name, c := range map[string]struct {
		before func(l *testLink)
		closed bool // by Renew
	}{
		"before the first Connect": {func(*testLink) {}, false},
		"while connected":          {func(l *testLink) { l.connect() }, false},
		"while suspended":          {func(l *testLink) { l.connect(); l.Suspend(errReason) }, true},
		"while closed":             {func(l *testLink) { l.connect(); l.Close(errReason) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			onRig(t, func(r *rig) {
				l := r.newLink(linkConfig{})
				c.before(l)
				connected, made := l.Socket(), len(l.sockets)
				if made > 0 {
					l.sockets[0].calls = nil
				}
				l.events = nil
				l.Renew()
				if l.Socket() != connected {
					t.Error("Renew ended the connection")
				}
				if c.closed {
					l.sockets[0].want(t, "close", "forget")
				}
				l.Close(errReason)
				l.connect()
				if made > 0 && !c.closed && !slices.Contains(l.sockets[0].calls, "forget") {
					t.Error("the session of the old socket stays in its store")
				}
				if made++; len(l.sockets) != made {
					t.Errorf("%d sockets were made, want %d", len(l.sockets), made)
				}
				l.Close(errReason)
				l.connect()
				if len(l.sockets) != made {
					t.Errorf("%d sockets were made, want Renew to count once", len(l.sockets))
				}
			})
		})
	}
	t.Run("while connecting", func(t *testing.T) {
		onRig(t, func(r *rig) {
			l := r.newLink(linkConfig{})
			l.begin()
			l.Renew()
			r.pass(time.Second)
			l.want("connected, registration survives: false", "dial ended")
			l.Close(errReason)
			l.connect()
			if len(l.sockets) != 2 {
				t.Errorf("%d sockets were made", len(l.sockets))
			}
		})
	})
}

func TestRegistrationSurvives(t *testing.T) {
	session := func(r socket.Resumption, stream bool) linkConfig {
		return linkConfig{
			stream: stream, secured: true,
			change: func(f *fakeSocket) { f.able.Session, f.resumption = f, r },
		}
	}
	keeps := func(c linkConfig) linkConfig { c.keepsOnResumption = true; return c }
	noAddresses := linkConfig{change: func(f *fakeSocket) { f.able.Addresses = nil }}
	const full, resumed, byID = socket.NewSession, socket.SessionResumed, socket.ConnectionIDResumed
	move := func(r *rig, _ *testLink) { r.device.Move() }
	otherPort := func(r *rig, l *testLink) {
		a := socket.Detect(l.sockets[0].Socket)
		to := netip.AddrPortFrom(netip.Addr{}, a.Addresses.LocalAddr().Port()+1)
		if err := a.Binder.Bind(to); err != nil {
			r.t.Error(err)
		}
	}
	stay := func(*rig, *testLink) {}
	for name, c := range map[string]struct {
		link    linkConfig
		between func(*rig, *testLink) // the two connections
		want    bool
		session string
	}{
		"datagram":                                   {linkConfig{}, stay, true, ""},
		"datagram, another port":                     {linkConfig{}, otherPort, true, ""},
		"datagram, another address":                  {linkConfig{}, move, false, ""},
		"datagram, a network without address":        {noAddresses, stay, false, ""},
		"datagram, security that tells no session":   {linkConfig{secured: true}, stay, false, ""},
		"datagram, new session":                      {session(full, false), stay, false, full.String()},
		"datagram, session resumed":                  {session(resumed, false), stay, false, resumed.String()},
		"datagram, session resumed, kept by Config":  {keeps(session(resumed, false)), stay, true, resumed.String()},
		"datagram, resumed at another address, kept": {keeps(session(resumed, false)), move, true, resumed.String()},
		"datagram, new session, kept on resumption":  {keeps(session(full, false)), stay, false, full.String()},
		"datagram, Connection ID":                    {session(byID, false), stay, true, byID.String()},
		"datagram, Connection ID at another address": {session(byID, false), move, true, byID.String()},
		"stream":                  {linkConfig{stream: true}, stay, false, ""},
		"stream, session resumed": {session(resumed, true), stay, false, resumed.String()},
		"stream, session resumed, kept on resumption": {keeps(session(resumed, true)), stay, false, resumed.String()},
	} {
		t.Run(name, func(t *testing.T) {
			onRig(t, func(r *rig) {
				if c.link.stream {
					r.listen()
				}
				l := r.newLink(c.link)
				l.connect()
				l.SetRegisteredFrom(l.LocalIP())
				l.Close(errReason)
				c.between(r, l)
				l.events = nil
				l.connect()
				if c.want {
					l.want("connected, registration survives: true", "dial ended")
				} else {
					l.want("connected, registration survives: false", "dial ended")
				}
				if why := l.RegistrationLoss(); (why == "") != c.want {
					t.Errorf("the registration is lost because of %q", why)
				}
				if s := l.Session(); s != c.session {
					t.Errorf("the session is %q, want %q", s, c.session)
				}
				l.Close(errReason)
				if s := l.Session(); s != "" {
					t.Errorf("the session is %q without a connection", s)
				}
			})
		})
	}
}

// Suspend keeps the security session where the socket can, and Close never does.
func TestSuspendAndClose(t *testing.T) {
	cannotSuspend := func(f *fakeSocket) { f.able.Shutdowner = nil }
	for name, c := range map[string]struct {
		change func(*fakeSocket)
		end    func(*testLink)
		call   string
	}{
		"Suspend":                      {nil, func(l *testLink) { l.Suspend(errReason) }, "shutdown"},
		"Suspend without a Shutdowner": {cannotSuspend, func(l *testLink) { l.Suspend(errReason) }, "close"},
		"Close":                        {nil, func(l *testLink) { l.Close(errReason) }, "close"},
	} {
		t.Run(name, func(t *testing.T) {
			onRig(t, func(r *rig) {
				l := r.newLink(linkConfig{change: c.change})
				l.connect()
				l.events = nil
				conn := l.Conn()
				c.end(l)
				l.want("closing")
				l.sockets[0].want(t, "connect", c.call)
				if err := conn.Closed(); !errors.Is(err, errReason) {
					t.Errorf("the exchange layer was closed because of %v", err)
				}
				if n := len(r.group.sockets); n != 0 {
					t.Errorf("the group has %d sockets", n)
				}
				c.end(l) // nothing is left to end
				l.want()
				l.sockets[0].want(t)
				l.connect()
				l.want("connected, registration survives: false", "dial ended")
				l.sockets[0].want(t, "connect")
			})
		})
	}
}

// The last message on a stream is Release (RFC 8323 §5.5).
func TestStreamIsReleased(t *testing.T) {
	for name, end := range map[string]func(*testLink){
		"by Suspend": func(l *testLink) { l.Suspend(errReason) },
		"by Close":   func(l *testLink) { l.Close(errReason) },
	} {
		t.Run(name, func(t *testing.T) {
			onRig(t, func(r *rig) {
				accepted := r.listen()
				l := r.newLink(linkConfig{stream: true})
				l.connect()
				server := <-accepted
				end(l)
				received, buf := []byte{}, make([]byte, 100)
				for {
					n, err := server.Recv(buf)
					received = append(received, buf[:n]...)
					if err != nil {
						break
					}
				}
				if !bytes.HasSuffix(received, []byte{0x00, 0xe4}) {
					t.Errorf("the stream ended with % x, want an empty 7.04", received)
				}
			})
		})
	}
}

// A socket whose Shutdown fails is closed.
func TestFailedSuspend(t *testing.T) {
	onRig(t, func(r *rig) {
		l := r.newLink(linkConfig{})
		l.connect()
		_ = l.sockets[0].Socket.Close() // Shutdown of a closed socket is an error
		l.Suspend(errReason)
		l.sockets[0].want(t, "connect", "shutdown", "close")
	})
}

func TestDiscard(t *testing.T) {
	onRig(t, func(r *rig) {
		l := r.newLink(linkConfig{})
		l.connect()
		l.Suspend(errReason)
		l.events = nil
		l.Discard(errReason, false)
		l.want()
		l.sockets[0].want(t, "connect", "shutdown", "close")
	})
}

// Discard removes the session of an account that is gone, and keeps that of a client that stops.
func TestDiscardForgets(t *testing.T) {
	for _, forget := range []bool{false, true} {
		onRig(t, func(r *rig) {
			l := r.newLink(linkConfig{})
			l.connect()
			l.Discard(errReason, forget)
			if got := slices.Contains(l.sockets[0].calls, "forget"); got != forget {
				t.Errorf("forget %v: the session is removed: %v", forget, got)
			}
		})
	}
}

func TestLost(t *testing.T) {
	for name, c := range map[string]struct {
		after time.Duration
		want  string
	}{
		"at once":          {0, "lost, short: true"},
		"just before 10 s": {9800 * time.Millisecond, "lost, short: true"},
		"after 10 s":       {10 * time.Second, "lost, short: false"},
		"after an hour":    {time.Hour, "lost, short: false"},
	} {
		t.Run(name, func(t *testing.T) {
			onRig(t, func(r *rig) {
				accepted := r.listen()
				l := r.newLink(linkConfig{stream: true})
				l.begin()
				r.pass(time.Second)
				l.want("connected, registration survives: false", "dial ended")
				s := l.Socket()
				<-time.After(c.after)
				_ = (<-accepted).Close()
				<-time.After(100 * time.Millisecond)
				if err := r.group.Serve(context.Background(), s); err == nil {
					t.Error("Serve of a lost connection returned no error")
				}
				l.want("closing", c.want)
				if l.Socket() != nil || l.sockets[0].State().Open() || l.err == nil {
					t.Errorf("the connection is %v, the socket %v, the error %v", l.Socket(),
						l.sockets[0].State(), l.err)
				}
				if err := r.group.Serve(context.Background(), s); err != nil {
					t.Errorf("Serve of a connection that has ended: %v", err)
				}
				l.want()
			})
		})
	}
}

// A server that refuses a datagram may be restarting: the connection stays.
func TestRefusedDatagram(t *testing.T) {
	onRig(t, func(r *rig) {
		l := r.newLink(linkConfig{})
		l.connect()
		l.events = nil
		if err := l.Conn().Ping(func(error) {}); err != nil {
			t.Fatal(err)
		}
		r.turn()
		if err := r.group.Serve(context.Background(), l.Socket()); err != nil {
			t.Errorf("Serve: %v", err)
		}
		l.want("refused")
		if l.Socket() == nil {
			t.Error("the connection has ended")
		}
	})
}

func TestReceiverOff(t *testing.T) {
	onRig(t, func(r *rig) {
		l := r.newLink(linkConfig{})
		l.ReceiverOff() // without a connection nothing is called
		l.connect()
		l.ReceiverOff()
		l.sockets[0].want(t, "connect", "receiver off")
	})
}

// A datagram that could not be sent is reported, unless the reason is harmless.
func TestSendFailed(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		want []string
	}{
		"no route":             {socket.ErrUnreachable, []string{"send failed"}},
		"local address gone":   {errors.New("invalid argument"), []string{"send failed"}},
		"refused":              {socket.ErrRefused, []string{"refused"}},
		"send buffer full":     {socket.ErrBusy, nil},
		"datagram is too long": {&socket.SizeError{Size: 2000}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			onRig(t, func(r *rig) {
				l := r.newLink(linkConfig{})
				l.connect()
				l.events = nil
				l.sockets[0].sendErr = c.err
				l.ping() // which is answered
				r.turn()
				r.group.ServeReady(10)
				r.turn()
				l.want(c.want...)
				l.sockets[0].sendErr = nil
			})
		})
	}
}

// The first message in either direction after ReceiverOff is reported, once.
func TestReceiverOn(t *testing.T) {
	onRig(t, func(r *rig) {
		l := r.newLink(linkConfig{})
		l.connect()
		l.WatchMessages()
		want := func(events ...string) {
			t.Helper()
			// Nobody listens.
			l.events = slices.DeleteFunc(l.events, func(e string) bool { return e == "refused" })
			l.want(events...)
		}
		l.events = []string{}
		l.ReceiverOff()
		begin := r.group.sched.Now()
		r.pass(time.Hour)
		if len(l.events) > 0 {
			t.Errorf("callbacks %q", l.events)
		}
		for range 2 { // the ping and its answer
			l.deliver(1)
			if err := r.group.Serve(context.Background(), l.Socket()); err != nil {
				t.Fatal(err)
			}
			r.turn()
		}
		want("receiver on")
		if d := l.LastMessage().Sub(begin); d != time.Hour {
			t.Errorf("the last message was seen after %v, want 1h", d)
		}
		l.ReceiverOff()
		if err := l.Conn().Ping(func(error) {}); err != nil {
			t.Fatal(err)
		}
		r.turn()
		want("receiver on")
		l.ReceiverOff()
		l.deliver(1)
		if err := r.group.Serve(context.Background(), l.Socket()); err != nil {
			t.Fatal(err)
		}
		l.Close(errReason) // before the loop learns of the message
		r.turn()
		want("closing")
	})
}
