package lwm2m

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/account"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/link"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/manage"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/records"
	serverobject "github.com/lwm2mgen/toolkit/runtime/objects/server"
	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// Client is one device. It registers with its servers, keeps the registrations alive and serves the
// servers' requests. Create one with [New].
//
// A Client belongs to the goroutine that runs its loop, which also calls all callbacks. Methods
// that may be called from any goroutine say so. They never wait, unless they take a context.
type Client struct {
	cfg        Config
	loop       *Loop
	ownsLoop   bool // the loop is not shared
	model      *dm.Model
	log        *slog.Logger
	ctx        context.Context // for user code, with the client in it
	cancel     context.CancelFunc
	pool       pool // slow functions
	stores     pool // Config.Persist
	manager    *manage.Manager
	device     *manage.Device // the client's own
	pending    int            // calls of link.Connect and storeValue that have not ended
	servers    []*server
	links      link.Config      // what the links of the servers share
	records    *records.Records // nil without Config.Store
	sessions   *sessionStore    // in Config.Store, nil without it
	saved      []savedServer    // that the last client has left, until their accounts are added
	left       []savedServer    // of the accounts that the shutdown has removed
	hasLeft    bool             // the next client has what it goes on with
	savedFault error            // why no registration of the last client goes on
	rebooting  bool             // a server has asked for a reboot, or a factory reset
	offline    offline

	restoring atomic.Pointer[dm.Transaction] // that writes what the store holds

	reconciling, reconcileAgain bool

	closing, late, finished bool
	abandoned               bool        // nothing waits for goroutines any more
	leaving                 atomic.Bool // the shutdown is requested, or has begun
	deadline                sched.Job   // of the shutdown
	updates                 sched.Job   // sends what has changed
	updatesFrom             sched.Time
	done                    chan struct{}
	unsubscribe             func()
	boot                    *bootstrapper
	awake                   int // calls of Awake that are in effect
	access                  accessControl

	status atomic.Pointer[published]

	mu            sync.Mutex
	dirty         bool                   // the model has changed since the last reconcile
	rightsChanged bool                   // since applyRights
	touched       map[dm.InstanceID]bool // instances of Security that have changed since then
}

// New creates a client. It checks the configuration, reports all faults at once, and creates the
// Model of the objects. The client starts in the first turn of its loop; until then it has no
// socket and no goroutine.
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
	c.access.init(c)
	if err := c.loadRecords(); err != nil {
		return nil, err
	}
	c.model, err = dm.NewModel(dm.ModelConfig{Persist: c.persist(objects), Consequences: c.follow, Logger: cfg.Logger}, objects...)
	if err == nil {
		c.access.start()
		err = c.restore()
	}
	if err == nil {
		err = c.addAccessControl()
	}
	if err == nil {
		err = c.provision()
	}
	if err == nil {
		err = c.addEntries()
	}
	if err == nil {
		err = c.addEnrolment()
	}
	if err == nil {
		err = c.beginStoring()
	}
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
		c.ownsLoop = true
	}
	ctx, cancel := context.WithCancel(context.WithValue(context.Background(), clientKey{}, c))
	c.ctx, c.cancel = serverobject.WithClient(ctx, control{c}), cancel
	c.pool.init(c.loop.sched, cfg.Workers, c.finish)
	// The Model's writer slot lets one store run at a time.
	c.stores.init(c.loop.sched, math.MaxInt, c.finish)
	c.manager, err = manage.New(manage.Config{
		Sched: c.loop.sched, Context: c.ctx, Worker: c.pool.runFor, Store: c.stores.run, Logger: c.log,
		SelfNotify: cfg.SelfNotify, Limits: manage.Limits(cfg.Limits), StoredMessage: cfg.BlockSize, Scratch: c.loop.scratch,
		RecoverPanics: cfg.RecoverPanics, Delivered: c.deliveredHandler(), Executed: c.noteExecuted,
	})
	if err == nil {
		c.device, err = c.manager.AddDevice(manage.DeviceConfig{Model: c.model, Hidden: hidden[:], ImpliedVersion: coreVersion, History: c.historyFinder()})
	}
	if err != nil {
		cancel()
		return nil, fmt.Errorf("lwm2m: %w", err)
	}
	c.links = link.Config{
		Group: c.loop.group, Context: c.ctx, Timeout: c.cfg.ConnectTimeout,
		Guard:                       func(fn func()) { c.guard("Connect of a socket", fn) },
		ResumptionKeepsRegistration: c.cfg.ResumptionKeepsRegistration,
	}
	c.boot = newBootstrapper(c)
	c.deadline.Func = c.giveUpShutdown
	c.updates.Func = c.sendUpdates
	c.checkBindings(c.model.Snapshot())
	c.publish()
	c.loop.sched.Post(c.begin)
	return c, nil
}

// check creates and closes a socket for each account, without input or output, to find accounts
// that can never work. A fault of an account in Config.Servers is a fault of the configuration.
// Accounts in Config.Objects may have been stored by an earlier run: the client uses those that
// work, and the others have StateInvalid. New fails only if no account works.
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
			c.log.Error("the account cannot be used", "endpoint", c.cfg.Endpoint, "reason", err.Error())
		}
		return nil
	}
	return errors.Join(faults...)
}

func (c *Client) checkAccount(snap dm.Snapshot, id dm.InstanceID) error {
	sock, _, keys, err := c.newSocket(snap, id, netip.Addr{})
	defer keys.wipe()
	if err != nil {
		return err
	}
	if err := sock.Close(); err != nil {
		return fmt.Errorf("closing a socket that was never connected: %w", err)
	}
	return nil
}

// newSocket creates the socket for a Security instance. The keys are to be wiped when nothing uses
// the socket any more, and after an error.
func (c *Client) newSocket(snap dm.Snapshot, id dm.InstanceID, sticky netip.Addr) (socket.Socket, socket.Endpoint, ownKeys, error) {
	sec, keys, err := c.credentials(snap, id)
	if err != nil {
		return nil, socket.Endpoint{}, keys, err
	}
	cfg := c.cfg.Socket
	cfg.Security = sec
	if !cfg.Sticky.IsValid() {
		cfg.Sticky = sticky
	}
	if cfg.Logger == nil {
		cfg.Logger = c.log
	}
	uri := c.uriOf(snap, id)
	if err := checkServerURI(uri); err != nil {
		return nil, socket.Endpoint{}, keys, err
	}
	sock, remote, err := socket.Open(c.cfg.Dialers, uri, cfg)
	return sock, remote, keys, err
}

// checkServerURI refuses a URI with more than scheme, host and port, which Core 1.2.2 §E.1 does not
// have and which would be lost silently. Everything else is left to socket.Open.
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

// FromContext returns the client that calls a function, an executable or a hook. ctx is the context
// that the client has passed to it. For any other context, such as that of the application's own
// Update, FromContext returns nil.
func FromContext(ctx context.Context) *Client {
	c, _ := ctx.Value(clientKey{}).(*Client)
	return c
}

// Model returns the device's objects. It may be called from any goroutine.
func (c *Client) Model() *dm.Model { return c.model }

// Notify says that a live value at or below p has changed: the functions behind it return something
// else than before. Observers are notified without waiting for the next sample. Stored values need
// no call. Notify may be called from any goroutine.
func (c *Client) Notify(p dm.Path) { c.device.Notify(p) }

// Endpoint returns the Endpoint Client Name. It may be called from any goroutine.
func (c *Client) Endpoint() string { return c.cfg.Endpoint }

// Sched returns the scheduler of the client's loop. See [Loop.Sched].
func (c *Client) Sched() *sched.Scheduler { return c.loop.sched }

// Readable is [Loop.Readable] of the client's loop.
func (c *Client) Readable() <-chan struct{} { return c.loop.Readable() }

// Serve is [Loop.Serve] of the client's loop.
func (c *Client) Serve(ctx context.Context, s *Socket) error { return c.loop.Serve(ctx, s) }

// ServeAny is [Loop.ServeAny] of the client's loop.
func (c *Client) ServeAny(ctx context.Context, maxWait time.Duration) error {
	return c.loop.ServeAny(ctx, maxWait)
}

// Sockets returns the client's connections. The slice belongs to the caller. Call Sockets again
// after every turn of the loop.
func (c *Client) Sockets() []*Socket {
	var own []*Socket
	for _, s := range c.servers {
		if s.socket != nil {
			own = append(own, s.socket)
		}
	}
	if c.boot.socket != nil {
		own = append(own, c.boot.socket)
	}
	return own
}

// Run runs the client until ctx ends, then shuts it down as Shutdown does. To end without
// de-registering call Detach instead of ending ctx. Run returns nil when the
// client has no socket, goroutine or job left. If the client has a loop of its own, Run runs that
// loop. If the loop is shared, Run only waits; it returns an error if no goroutine runs the loop
// when ctx ends. A client runs once: later calls return [ErrClosed].
func (c *Client) Run(ctx context.Context) error {
	select {
	case <-c.done:
		return ErrClosed
	default:
	}
	if c.ownsLoop {
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
		return errors.New("lwm2m: no goroutine runs the client's shared loop: the program that made it with NewLoop must call its Run")
	}
	return nil
}

// Shutdown ends the client. It de-registers from all servers in parallel, which takes at most
// Config.ShutdownTimeout, while the loop continues. Done reports the end. Shutdown may be called
// from any goroutine, repeatedly, and in callbacks.
func (c *Client) Shutdown() {
	c.leaving.Store(true)
	c.loop.sched.Post(c.beginShutdown)
}

// Done returns a channel that is closed when the client is shut down and has no socket, goroutine
// or job left. Done may be called from any goroutine.
func (c *Client) Done() <-chan struct{} { return c.done }

// Status returns the state of the client. It may be called from any goroutine. The result does not
// change.
func (c *Client) Status() Status {
	p := c.status.Load()
	s := p.Status
	s.Servers = slices.Clone(s.Servers)
	for i, peer := range p.peers { // they change without a new status
		s.Servers[i].Stored, s.Servers[i].Dropped = peer.Stored()
	}
	s.Model = c.model.Status()
	return s
}

// published is a status, with the servers that count what they store.
type published struct {
	Status
	peers []*manage.Peer
}

// publish makes the present status visible to other goroutines.
func (c *Client) publish() {
	s := &published{Status: Status{Offline: c.offline.all, Bootstrap: c.boot.shown, Closed: c.finished}}
	for _, v := range c.servers {
		s.Servers, s.peers = append(s.Servers, v.describe()), append(s.peers, v.peer)
	}
	c.status.Store(s)
}

// begin starts the client, in its first turn of the loop.
func (c *Client) begin() {
	c.loop.clients = append(c.loop.clients, c)
	c.unsubscribe = c.model.Subscribe(c.modelChanged)
	c.reconcile()
}

// Detach ends the client as Shutdown does, except that no server is told: the registrations stay
// until their lifetimes end, and the security sessions are kept as with [Client.Suspend]. Use it
// for a program that starts again soon, for example after an update of itself. With Config.Store
// the next client goes on with the registrations, their observations and what is stored for these;
// without it the next Register replaces the registration, without a handshake if a session store
// has the session. Run returns nil after Detach. It has no effect after Shutdown. Detach may be
// called from any goroutine and in callbacks.
func (c *Client) Detach() {
	c.leaving.Store(true)
	c.loop.sched.Post(c.beginDetach)
}

// beginDetach takes all accounts offline before it removes them.
func (c *Client) beginDetach() {
	if c.closing {
		return
	}
	c.leaveRegistrations()
	c.beginShutdown()
}

// beginShutdown removes all accounts, which de-registers from their servers.
func (c *Client) beginShutdown() {
	if c.closing {
		return
	}
	c.closing = true
	c.leaving.Store(true)
	c.loop.sched.After(&c.deadline, c.cfg.ShutdownTimeout)
	c.boot.close()
	for _, s := range slices.Clone(c.servers) {
		s.intent.removed = true
		s.handle(account.Event{Kind: account.FactsChanged})
	}
	c.finish()
}

// giveUpShutdown abandons what has not ended in time: the first time the servers, the second time
// the goroutines that have not returned although their context has ended.
func (c *Client) giveUpShutdown() {
	for _, s := range slices.Clone(c.servers) {
		c.log.Warn("the server was not told in time that the device is gone", "server", s.settings.shortID)
		s.intent.offline = true // so that nothing more is sent
		s.handle(account.Event{Kind: account.FactsChanged})
	}
	if c.late { // no server is left, so some of these goroutines still run
		c.log.Error("slow functions, Persist or connecting have not returned although their context has ended", "functions", c.pool.busy,
			"stores", c.stores.busy, "connections", c.pending)
		c.pool.abandon()
		c.stores.abandon()
		c.pending, c.abandoned = 0, true
	}
	if c.late = true; !c.finished {
		c.loop.sched.After(&c.deadline, c.cfg.ShutdownTimeout)
	}
	c.finish()
}

// isStoring reports whether Config.Store or Config.Persist is used, or will be soon.
func (c *Client) isStoring() bool {
	return c.stores.busy > 0 || c.sessions != nil && c.sessions.busy() && !c.abandoned
}

// finish ends the client if it is shutting down and no server and no goroutine is left.
func (c *Client) finish() {
	if !c.closing || c.finished || len(c.servers) > 0 {
		return
	}
	c.cancel()
	c.manager.Close()
	c.leaveConnections()
	if c.pending > 0 || c.pool.busy > 0 || c.isStoring() {
		return
	}
	c.finished = true
	c.manager.Stop() // the loop may not run again
	c.boot.stop()
	c.loop.sched.Cancel(&c.deadline)
	c.loop.sched.Cancel(&c.updates)
	c.unsubscribe()
	c.loop.remove(c)
	c.publish()
	close(c.done)
}
