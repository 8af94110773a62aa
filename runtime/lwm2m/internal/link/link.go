package link

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/coap"
)

// shortLived is how long a connection must last to count as one that works.
const shortLived = 10 * time.Second

// Config is what the links of one client share. All fields but Traffic are required.
type Config struct {
	// Group serves the connections.
	Group *Group
	// Context ends a Connect that is under way, and Timeout bounds it.
	Context context.Context
	Timeout time.Duration
	// Guard calls fn, which calls user code, on the goroutine of a Connect, and recovers from a
	// panic of fn.
	Guard func(fn func())
	// Traffic counts the bytes of all sockets.
	Traffic Traffic
	// ResumptionKeepsRegistration says that a registration survives an abbreviated handshake.
	ResumptionKeepsRegistration bool
}

// errPanic is the outcome of a Connect that has panicked, or has ended its goroutine.
var errPanic = errors.New("connecting has panicked, or has called runtime.Goexit")

// Owner is what a [Link] belongs to. The link calls it on the goroutine of the loop.
type Owner interface {
	// Open makes the socket. It is called for the first Connect, and again after Renew. sticky is
	// that of socket.Config: the address of the server in an earlier process, or zero.
	Open(sticky netip.Addr) (Opened, error)
	// ConnConfig configures the exchange layer of a connection. The link sets its Socket.
	ConnConfig() coap.ConnConfig

	// OnConnected is called when a connection is made. survives tells whether the server still
	// knows the device over it.
	OnConnected(survives bool)
	// OnConnectFailed is called when Connect has failed. It is not called for one that was
	// cancelled.
	OnConnectFailed(err error)
	// OnConnectionLost is called when the network or the server has ended the connection. short
	// tells that it lasted less than 10 s.
	OnConnectionLost(err error, short bool)
	// OnRefused is called when the network has refused a datagram, as a port that nobody listens at
	// does. The connection goes on.
	OnRefused()
	// OnSendFailed is called when a datagram could not be sent, with an ErrNotSent. The connection
	// goes on.
	OnSendFailed(err error)
	// OnSign is called for an early sign that a Connect may fail, as described at
	// socket.WithProgress. The Connect goes on.
	OnSign(err error)
	// OnReceiverOn is called in the next turn of the loop after the first message that passes after
	// ReceiverOff.
	OnReceiverOn()
	// OnClosing is called before a connection ends, whatever ends it.
	OnClosing()
	// OnDialEnded is called once for each Connect that returned nil when nothing of it runs any
	// more, after OnConnected or OnConnectFailed, and also when it was cancelled.
	OnDialEnded()
}

// Opened is a socket that has been made and not connected yet.
type Opened struct {
	Socket  socket.Socket
	Remote  socket.Endpoint
	Secured bool // connections have a security session
	// Released is called when nothing uses the socket any more. The zero value means that no
	// function is called.
	Released func()

	bound socket.Binder // bound to the port of an earlier process, or nil
}

// Link is the connection to one server. Make one with [New].
type Link struct {
	owner Owner
	log   *slog.Logger
	cfg   *Config
	// Kept over reconnects, with port, session and addresses; no Socket until the first.
	opened Opened
	bytes  *messageBytes // of opened, nil if the network counts
	renew  bool          // the next Connect makes a socket of its own
	dial   *dial         // while connecting
	ending *dial         // a cancelled dial that still uses the socket
	socket *Socket
	stats  coap.Stats // of the connections that have ended
	last   State      // of the last connection, when it ended
	// restored says that last is that of an earlier process.
	restored bool
	sign     error // the last sign of the Connect that is under way
	// registeredFrom is the local address of the connection that the device registered over.
	registeredFrom netip.Addr
}

// dial is a Connect that is under way.
type dial struct {
	cancel   context.CancelFunc
	refused  atomic.Bool // the network has refused it once
	released []func()    // to call when the dial has ended, which uses sockets until then
	unbound  bool        // the port of the earlier process is taken; read when the dial has ended
}

// New returns a link without a connection. It logs what the network of owner lacks (Debug).
func New(cfg *Config, owner Owner, log *slog.Logger) *Link {
	return &Link{cfg: cfg, owner: owner, log: log}
}

// Socket returns the connection, nil where there is none.
func (l *Link) Socket() *Socket { return l.socket }

// Conn returns the exchange layer of the connection, nil where there is none.
func (l *Link) Conn() *coap.Conn {
	if l.socket == nil {
		return nil
	}
	return l.socket.conn
}

// Kind returns whether the last connection, or attempt to make one, has datagrams or a stream.
func (l *Link) Kind() socket.Kind {
	if l.opened.Socket == nil {
		return socket.Datagram
	}
	return l.opened.Socket.Kind()
}

// Session returns how the security session of the connection began, in words such as "session
// resumed". It is empty without a connection or without security.
func (l *Link) Session() string {
	if l.socket == nil || l.socket.able.Session == nil {
		return ""
	}
	return l.socket.able.Session.Resumption().String()
}

// Stats returns the counters of all connections of the link.
func (l *Link) Stats() coap.Stats {
	if l.socket == nil {
		return l.stats
	}
	return l.stats.Add(l.socket.Stats())
}

// SetParams changes the transmission parameters of the connection, if there is one.
func (l *Link) SetParams(p coap.Params) error {
	if l.socket == nil {
		return nil
	}
	return l.socket.conn.SetParams(p)
}

// Connect begins to connect. With nextAddress it tries the next address of the server, if there are
// several. The error is that the socket cannot be made: nothing has begun then.
func (l *Link) Connect(nextAddress bool) error {
	if err := l.open(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(l.cfg.Context, l.cfg.Timeout)
	d := &dial{cancel: cancel}
	l.dial, l.sign = d, nil
	o := l.opened
	go func() {
		defer cancel()
		err := errPanic
		defer func() {
			l.cfg.Group.sched.Post(func() {
				l.dialEnded(d, err)
				l.owner.OnDialEnded()
			})
		}()
		l.cfg.Guard(func() {
			err = d.connect(ctx, o, nextAddress, func(err error) {
				l.cfg.Group.sched.Post(func() { l.onSign(d, err) })
			})
			if err == nil && ctx.Err() != nil {
				_ = o.Socket.Close() // the connection was made although it was cancelled
				err = ctx.Err()
			}
		})
	}()
	return nil
}

// open makes the socket unless there is one.
func (l *Link) open() error {
	// A cancelled dial that has not returned has the socket to itself.
	if l.renew || l.ending != nil {
		l.closeSocket(l.renew)
	}
	if l.opened.Socket != nil {
		return nil
	}
	var sticky netip.Addr
	if l.restored {
		sticky = l.last.Remote.Addr()
	}
	o, err := l.owner.Open(sticky)
	if err != nil {
		return err
	}
	if l.restored {
		o.bind(l.last.Local.Port())
	}
	if l.cfg.Group.watching.Load() {
		watched, err := l.cfg.Group.poller.Wrap(o.Socket)
		if err != nil {
			_ = o.Socket.Close() // it was never connected
			if o.Released != nil {
				o.Released()
			}
			return err
		}
		o.Socket = watched
	}
	l.opened, l.bytes = o, nil
	counters := socket.Detect(o.Socket).Counters
	if counters == nil {
		l.bytes = new(messageBytes)
		counters = l.bytes
	}
	l.cfg.Traffic.add(l, counters)
	l.logLacks()
	return nil
}

// logLacks logs once for each socket what does not work because the network lacks an ability.
func (l *Link) logLacks() {
	var lost []string
	for _, lack := range socket.Detect(l.opened.Socket).Lacks(l.opened.Socket.Kind(), l.opened.Secured) {
		lost = append(lost, lack.Ability+" ("+lack.Lost+")")
	}
	if lost != nil {
		l.log.Debug("the network lacks abilities", "lost", strings.Join(lost, "; "))
	}
}

// refusedPause is the time between a Connect that was refused and its repetition.
const refusedPause = time.Second

// connect connects a socket. Whatever the network, a first refusal is a sign, as the server may
// just be restarting, and the second one ends the attempt: where a refusal ends the Connect of the
// socket without having been reported, as that of a stream does, connect calls Connect again.
func (d *dial) connect(ctx context.Context, o Opened, nextAddress bool, sign func(error)) error {
	reported := socket.WithProgress(ctx, func(err error) {
		if errors.Is(err, socket.ErrRefused) {
			d.refused.Store(true)
		}
		sign(err)
	})
	err := d.connectOnce(reported, o, nextAddress)
	if !errors.Is(err, socket.ErrRefused) || d.refused.Load() {
		return err
	}
	sign(err)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(refusedPause):
	}
	return d.connectOnce(reported, o, false)
}

// connectOnce connects a socket from the port of an earlier process, if that is free.
func (d *dial) connectOnce(ctx context.Context, o Opened, nextAddress bool) error {
	err := connectAnyhow(ctx, o, nextAddress)
	if o.bound == nil || d.unbound || !errors.Is(err, socket.ErrAddressInUse) {
		return err
	}
	if err := o.bound.Bind(netip.AddrPort{}); err != nil {
		return err
	}
	d.unbound = true
	return connectAnyhow(ctx, o, nextAddress)
}

// connectAnyhow calls Connect, or ConnectNext.
func connectAnyhow(ctx context.Context, o Opened, nextAddress bool) error {
	if alternates := socket.Detect(o.Socket).Alternates; nextAddress && alternates != nil {
		err := alternates.ConnectNext(ctx)
		if err == nil || !errors.Is(err, socket.ErrAddressNotFound) {
			return err
		}
		// Every address has been tried: Connect asks the name service again.
	}
	return o.Socket.Connect(ctx, o.Remote)
}

// onSign handles an early sign of a Connect, unless that was cancelled.
func (l *Link) onSign(d *dial, err error) {
	if l.dial == d {
		l.sign = err
		l.owner.OnSign(err)
	}
}

// Sign returns the last early sign of the Connect that is under way, if there was one.
func (l *Link) Sign() error { return l.sign }

// dialEnded handles the end of a Connect, unless it was cancelled.
func (l *Link) dialEnded(d *dial, err error) {
	for _, fn := range d.released {
		fn()
	}
	if l.ending == d || l.dial == d {
		l.opened.unbind(d.unbound, err == nil)
	}
	if l.ending == d {
		l.ending = nil
		if err == nil { // it was connected before it was cancelled
			l.disconnect(true)
		}
	}
	if l.dial != d {
		return
	}
	l.dial, l.sign = nil, nil
	if err == nil {
		if err = l.attach(); err != nil {
			_ = l.opened.Socket.Close() // the next Connect connects it again
		}
	}
	if err != nil {
		l.owner.OnConnectFailed(err)
		return
	}
	l.owner.OnConnected(l.registrationSurvives())
}

// attach puts a new connection to use.
func (l *Link) attach() error {
	s := &Socket{
		link: l, group: l.cfg.Group, since: time.Now(), armed: unarmed,
		net: l.opened.Socket, able: socket.Detect(l.opened.Socket), bytes: l.bytes,
	}
	cfg := l.owner.ConnConfig()
	if l.continues(&s.able) {
		cfg.Saved = l.last.Conn
	}
	if err := l.cfg.Group.add(s, cfg); err != nil {
		return err
	}
	l.socket, l.last.Conn, l.restored = s, nil, false // a blob is used once
	return nil
}

// Suspend ends the connection, or the attempt to make one, and keeps its security session where the
// network can.
func (l *Link) Suspend(reason error) { l.end(reason, true) }

// Close ends the connection, or the attempt to make one, and its security session.
func (l *Link) Close(reason error) { l.end(reason, false) }

func (l *Link) end(reason error, keep bool) {
	if l.dial != nil {
		l.dial.cancel()
		l.ending, l.dial, l.sign = l.dial, nil, nil
		if !keep {
			l.closeSocket(l.renew)
		}
	}
	s := l.socket
	if s == nil {
		return
	}
	l.socket = nil
	l.owner.OnClosing()
	// What is left of a stream ends in order (RFC 8323 §5.5); nothing waits for it.
	_ = s.conn.Release()
	l.last = s.state()
	s.conn.Close(reason)
	l.stats = l.stats.Add(s.Stats())
	l.cfg.Group.remove(s)
	l.disconnect(keep)
}

// disconnect closes the socket for a later Connect, and keeps its security session if it has to and
// the network can.
func (l *Link) disconnect(keep bool) {
	if s := socket.Detect(l.opened.Socket).Shutdowner; keep && s != nil && s.Shutdown() == nil {
		return
	}
	_ = l.opened.Socket.Close() // it is closed whatever the error
}

// Renew has the next Connect make a socket of its own, for an account that has changed, and removes
// the sessions of the present socket from its store. A connection goes on until it is closed.
func (l *Link) Renew() {
	l.renew = true
	if l.dial == nil && l.socket == nil {
		l.closeSocket(true)
	}
}

// Discard ends everything, the socket included. With forget it removes the sessions from their
// store, for an account that has been removed.
func (l *Link) Discard(reason error, forget bool) {
	l.Close(reason)
	l.closeSocket(forget || l.renew)
}

// closeSocket closes the socket for good.
func (l *Link) closeSocket(forget bool) {
	d := l.ending
	l.renew, l.ending = false, nil
	if l.opened.Socket != nil {
		_ = l.opened.Socket.Close() // it is closed whatever the error
		if f := socket.Detect(l.opened.Socket).Forgetter; forget && f != nil {
			if err := f.ForgetSession(l.opened.Remote); err != nil {
				l.log.Warn("the session of old credentials is not removed from its store", "reason", err.Error())
			}
		}
		if fn := l.opened.Released; fn != nil && d != nil {
			d.released = append(d.released, fn)
		} else if fn != nil {
			fn()
		}
		l.opened = Opened{}
		l.cfg.Traffic.settle(l)
	}
	if forget {
		l.last, l.restored = State{}, false
	}
}

// RemoteAddr returns the numeric address of the server, as far as the network tells it; otherwise
// the host and port of the URI.
func (l *Link) RemoteAddr() string {
	if l.opened.Socket != nil {
		if a := socket.Detect(l.opened.Socket).Addresses; a != nil && a.RemoteAddr().IsValid() {
			return a.RemoteAddr().String()
		}
	}
	return l.opened.Remote.String()
}

// onRefused handles a refusal by the network that Send over s has reported.
func (l *Link) onRefused(s *Socket) {
	if l.socket == s {
		l.owner.OnRefused()
	}
}

// onSendFailed handles a datagram that could not be sent over s.
func (l *Link) onSendFailed(s *Socket, err error) {
	if l.socket == s {
		l.owner.OnSendFailed(err)
	}
}

// lost handles a connection that the network or the server has ended.
func (l *Link) lost(s *Socket, err error) {
	if l.socket == s {
		l.end(err, false)
		l.owner.OnConnectionLost(err, time.Since(s.since) < shortLived)
	}
}
