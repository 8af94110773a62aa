package lwm2m

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/account"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/manage"
	serverobject "github.com/lwm2mgen/toolkit/runtime/objects/server"
	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// A Client is one device: it registers with its servers, keeps the registrations alive and serves
// their requests. Make one with [New].
//
// A Client belongs to the goroutine that runs its loop, and callbacks are called there. Methods
// that may be called from any goroutine say so; they never wait, except where they take a context.
type Client struct {
	cfg     Config
	loop    *Loop
	own     bool // the loop is the client's own
	model   *dm.Model
	log     *slog.Logger
	ctx     context.Context // what user code gets, with the client in it
	cancel  context.CancelFunc
	pool    pool // slow functions
	stores  pool // Config.Persist
	manager *manage.Manager
	device  *manage.Device // the client's own
	pending int            // connections that are being made, and values that are being stored
	servers []*server
	offline offline

	reconciling, reconcileAgain bool

	closing, late, finished bool
	deadline                sched.Job // of the shutdown
	updates                 sched.Job // sends what has changed
	updatesFrom             sched.Time
	done                    chan struct{}
	unsubscribe             func()
	bootstrapReason         error // why a bootstrap is needed; nil if none is
	bootstrapBy             *server

	status atomic.Pointer[Status]

	mu      sync.Mutex
	dirty   bool                   // the model has changed since the last look
	touched map[dm.InstanceID]bool // instances of Security that have
}

// New makes a client: it checks everything that can be checked and reports all faults at once,
// makes the Model of the objects, and has the client begin with the first turn of its loop. Until
// then it holds no socket and no goroutine.
func New(cfg Config) (*Client, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	objects, err := cfg.objects()
	if err != nil {
		return nil, err
	}
	c := &Client{cfg: cfg, loop: cfg.Loop, log: cfg.Logger, done: make(chan struct{}), touched: map[dm.InstanceID]bool{}}
	c.model, err = dm.NewModel(dm.ModelConfig{Persist: cfg.Persist, Logger: cfg.Logger}, objects...)
	if err != nil {
		return nil, fmt.Errorf("lwm2m: %w", err)
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	if c.loop == nil {
		if c.loop, err = NewLoop(LoopConfig{}); err != nil {
			return nil, err
		}
		c.own = true
	}
	ctx, cancel := context.WithCancel(context.WithValue(context.Background(), clientKey{}, c))
	c.ctx, c.cancel = serverobject.WithClient(ctx, control{c}), cancel
	c.pool.init(c.loop.sched, cfg.Workers, c.finish)
	c.stores.init(c.loop.sched, math.MaxInt, c.finish) // the Model's writer slot lets one in at a time
	c.manager, err = manage.New(manage.Config{
		Sched: c.loop.sched, Context: c.ctx, Worker: c.pool.runFor, Store: c.stores.run, Logger: c.log,
		SelfNotify: cfg.SelfNotify, Limits: manage.Limits(cfg.Limits), Scratch: c.loop.scratch,
		RecoverPanics: cfg.RecoverPanics,
	})
	if err == nil {
		c.device, err = c.manager.AddDevice(manage.DeviceConfig{Model: c.model, Hidden: hidden[:], ImpliedVersion: coreVersion})
	}
	if err != nil {
		cancel()
		return nil, fmt.Errorf("lwm2m: %w", err)
	}
	c.deadline.Func = c.giveUpShutdown
	c.updates.Func = c.sendUpdates
	c.publish()
	c.loop.sched.Post(c.begin)
	return c, nil
}

// check opens a socket for each account, without any input or output, to find what could never work.
// A fault in an account of Config.Servers is a fault of the configuration. Accounts in Config.Objects
// may have been stored by an earlier run: those that work must come up without the others, which show
// as StateInvalid. Only where none can be used New fails.
func (c *Client) check() error {
	snap := c.model.Snapshot()
	var faults []error
	accounts := 0
	for id := range snap.Instances(securityID) {
		accounts++
		if err := c.checkAccount(snap, id); err != nil {
			faults = append(faults, fmt.Errorf("lwm2m: account %s: %w", dm.InstancePath(securityID, id), err))
		}
	}
	if accounts == 0 {
		c.log.Warn("there is no server yet: set Config.Servers, or add instances of Security (0) and Server (1)", "endpoint", c.cfg.Endpoint)
	}
	if snap.Definition(deviceID) == nil {
		c.log.Warn("there is no Device object (3), which every device must have: runtime/objects/device makes one", "endpoint", c.cfg.Endpoint)
	}
	if len(c.cfg.Servers) == 0 && len(faults) < accounts {
		for _, err := range faults {
			c.log.Error("an account cannot be used", "endpoint", c.cfg.Endpoint, "reason", err.Error())
		}
		return nil
	}
	return errors.Join(faults...)
}

func (c *Client) checkAccount(snap dm.Snapshot, id dm.InstanceID) error {
	sock, _, err := c.newSocket(snap, id)
	if err != nil {
		return err
	}
	if err := sock.Close(); err != nil {
		return fmt.Errorf("closing a socket that was never connected: %w", err)
	}
	return nil
}

// newSocket makes the socket for a Security instance.
func (c *Client) newSocket(snap dm.Snapshot, id dm.InstanceID) (socket.Socket, socket.Endpoint, error) {
	sec, err := c.credentials(snap, id)
	if err != nil {
		return nil, socket.Endpoint{}, err
	}
	cfg := c.cfg.Socket
	cfg.Security = sec
	if cfg.Logger == nil {
		cfg.Logger = c.log
	}
	uri := uriOf(snap, id)
	if err := checkServerURI(uri); err != nil {
		return nil, socket.Endpoint{}, err
	}
	return socket.Open(c.cfg.Dialers, uri, cfg)
}

// checkServerURI refuses what a server URI has no use for: Core 1.2.2 §E.1 has scheme, host and port,
// and anything else would be lost without a word. What socket.Open refuses is left to it.
func checkServerURI(uri string) error {
	u, err := url.Parse(uri)
	if err != nil || u.Opaque != "" {
		return nil
	}
	var extra string
	switch {
	case u.Path != "" && u.Path != "/":
		extra = "the path " + strconv.Quote(u.Path)
	case u.RawQuery != "" || u.ForceQuery:
		extra = "a query"
	case u.Fragment != "":
		extra = "a fragment"
	default:
		return nil
	}
	u.User = nil
	return fmt.Errorf("server URI %s://%s: a server URI has no more than scheme, host and port, remove %s", u.Scheme, u.Host, extra)
}

type clientKey struct{}

// FromContext returns the client that calls a function, an executable or a hook, with the context
// it was given. It is nil in a context that is not from a client, such as that of the application's
// own Update.
func FromContext(ctx context.Context) *Client {
	c, _ := ctx.Value(clientKey{}).(*Client)
	return c
}

// Model is the device's objects. It may be called from any goroutine.
func (c *Client) Model() *dm.Model { return c.model }

// Notify says that a value that a function stands behind has changed, or all below p, so that
// observers are told without waiting for the next sample. Values that are stored need no call. It
// may be called from any goroutine.
func (c *Client) Notify(p dm.Path) { c.device.Notify(p) }

// Endpoint is the Endpoint Client Name. It may be called from any goroutine.
func (c *Client) Endpoint() string { return c.cfg.Endpoint }

// Sched is the scheduler of the client's loop; see [Loop.Sched].
func (c *Client) Sched() *sched.Scheduler { return c.loop.sched }

// Readable is [Loop.Readable] of the client's loop.
func (c *Client) Readable() <-chan struct{} { return c.loop.Readable() }

// Serve is [Loop.Serve] of the client's loop.
func (c *Client) Serve(ctx context.Context, s *Socket) error { return c.loop.Serve(ctx, s) }

// ServeAny is [Loop.ServeAny] of the client's loop.
func (c *Client) ServeAny(ctx context.Context, maxWait time.Duration) error {
	return c.loop.ServeAny(ctx, maxWait)
}

// Sockets are the client's sockets that are connected now. The result is the caller's; ask anew
// after every turn.
func (c *Client) Sockets() []*Socket {
	var own []*Socket
	for _, s := range c.servers {
		if s.socket != nil {
			own = append(own, s.socket)
		}
	}
	return own
}

// Run runs the client until ctx ends, then shuts it down as Shutdown does, and returns nil when
// nothing of it is left. With a loop of its own it runs that; with a shared one it only waits,
// while whoever made the loop runs it, and is an error where nobody does when ctx has ended. A
// client can be run once: afterwards the error is [ErrClosed].
func (c *Client) Run(ctx context.Context) error {
	select {
	case <-c.done:
		return ErrClosed
	default:
	}
	if c.own {
		return c.loop.run(ctx, c)
	}
	select {
	case <-c.done:
		return nil
	case <-ctx.Done():
	}
	begun := make(chan struct{})
	c.loop.sched.Post(func() { c.beginShutdown(); close(begun) })
	stuck := time.NewTimer(c.cfg.ShutdownTimeout)
	defer stuck.Stop()
	select {
	case <-begun:
		<-c.done
	case <-c.done:
	case <-stuck.C:
		return errors.New("lwm2m: nobody runs the loop that the client shares: whoever made it with NewLoop must call its Run")
	}
	return nil
}

// Shutdown ends the client: it de-registers from all servers at once, for Config.ShutdownTimeout at
// most, while the loop goes on. Done tells when nothing is left. It may be called from any
// goroutine, repeatedly, and inside callbacks.
func (c *Client) Shutdown() { c.loop.sched.Post(c.beginShutdown) }

// Done is closed when the client was shut down and nothing of it is left: no socket, no goroutine,
// no job. It may be called from any goroutine.
func (c *Client) Done() <-chan struct{} { return c.done }

// Status is where the client stands. It may be called from any goroutine; what it returns does not
// change.
func (c *Client) Status() Status {
	s := *c.status.Load()
	s.Servers = slices.Clone(s.Servers)
	s.Model = c.model.Status()
	return s
}

// publish makes the present status visible to other goroutines.
func (c *Client) publish() {
	s := &Status{Offline: c.offline.all, BootstrapWanted: c.bootstrapReason, Closed: c.finished}
	for _, v := range c.servers {
		s.Servers = append(s.Servers, v.describe())
	}
	c.status.Store(s)
}

// begin is the client's first turn.
func (c *Client) begin() {
	c.loop.clients = append(c.loop.clients, c)
	c.unsubscribe = c.model.Subscribe(c.modelChanged)
	c.reconcile()
}

// beginShutdown de-registers everywhere.
func (c *Client) beginShutdown() {
	if c.closing {
		return
	}
	c.closing = true
	c.loop.sched.After(&c.deadline, c.cfg.ShutdownTimeout)
	for _, s := range slices.Clone(c.servers) {
		s.wishes.removed = true
		s.handle(account.Event{Kind: account.FactsChanged})
	}
	c.finish()
}

// giveUpShutdown drops what has not ended in time: first the servers, then what runs beside the
// loop, whose context has ended long since.
func (c *Client) giveUpShutdown() {
	for _, s := range slices.Clone(c.servers) {
		c.log.Warn("the server was not told in time that the device is gone", "server", s.settings.shortID)
		s.wishes.offline = true // which nothing is sent in
		s.handle(account.Event{Kind: account.FactsChanged})
	}
	if c.late { // no server is left then, so that something of this runs
		c.log.Error("slow functions, the store or connecting do not return although their context has ended", "functions", c.pool.busy,
			"stores", c.stores.busy, "connections", c.pending)
		c.pool.abandon()
		c.stores.abandon()
		c.pending = 0
	}
	if c.late = true; !c.finished {
		c.loop.sched.After(&c.deadline, c.cfg.ShutdownTimeout)
	}
	c.finish()
}

// finish ends the client when nothing is left.
func (c *Client) finish() {
	if !c.closing || c.finished || len(c.servers) > 0 {
		return
	}
	c.cancel()
	c.manager.Close()
	if c.pending > 0 || c.pool.busy > 0 || c.stores.busy > 0 {
		return
	}
	c.finished = true
	c.manager.Stop() // nothing may run the loop from now on
	c.loop.sched.Cancel(&c.deadline)
	c.loop.sched.Cancel(&c.updates)
	c.unsubscribe()
	c.loop.forget(c)
	c.publish()
	close(c.done)
}
