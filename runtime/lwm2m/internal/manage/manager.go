package manage

import (
	"context"
	"errors"
	"hash/maphash"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// Config configures a [Manager].
type Config struct {
	// Sched is the scheduler on whose goroutine everything runs. Required.
	Sched *sched.Scheduler
	// Context is what hooks and functions of the data model receive, with the Origin added. The
	// zero value means context.Background().
	Context context.Context
	// Worker runs a slow function that a server waits for on another goroutine, at once or when a
	// worker is free, and does not wait. The functions of one server must not keep those of another
	// waiting. The zero value means a goroutine for each.
	Worker func(server dm.ShortServerID, fn func())
	// Store is like Worker, for storing a change: it must run fn in any case, without waiting for
	// slow functions, because the writer slot is taken until then. The zero value means a goroutine
	// for each.
	Store func(fn func())
	// Logger receives refused requests (Debug) and observed values that cannot be read (Warn). The
	// zero value means slog.Default().
	Logger *slog.Logger
	// SelfNotify notifies observing servers of their own writes, too. The zero value means that a
	// server is not notified of what it wrote itself.
	SelfNotify bool
	// Delivered receives the outcome of each notification on the goroutine of the scheduler. The
	// zero value means that outcomes are not reported, which costs nothing.
	Delivered func(Delivery)
	// Executed is called on the goroutine of the scheduler when an executable of the device itself
	// has returned without an error, before the response. The zero value means that no function is
	// called.
	Executed func(dm.Path)
	// RecoverPanics logs a panic of user code behind a request, a notification or the store (Error,
	// with its stack), and goes on. The zero value means that the panic continues on the goroutine
	// of the scheduler. In both cases the request is answered 5.00 and the writer slot is released.
	RecoverPanics bool
	// Limits bound what servers can make the Manager keep. The zero value means the limits that
	// Limits describes.
	Limits Limits
	// StoredMessage is the size of a message with stored notifications, in bytes; one that is
	// larger by itself is sent nevertheless. The zero value means 1024.
	StoredMessage int
	// Scratch may be shared by all Managers of a goroutine. The zero value means one of its own.
	Scratch *Scratch
}

// Limits bound what one server can make a [Manager] keep, over all devices.
type Limits struct {
	// Observations is how many observations a server may have. A further Observe is answered as a
	// Read. The zero value means 1000.
	Observations int
	// ObservedValues is how many values the observations of a server may cover together, as counted
	// when each begins: their cost. A further Observe is answered as a Read, except the first. The
	// zero value means 100,000.
	ObservedValues int
	// Attributes is the number of nodes that a server may attach attributes to. A further one is
	// 5.03. The zero value means 1000.
	Attributes int
	// Pending is how many requests of a server may wait: for the writer slot, a slow function or
	// the store. A further one is 5.03. The zero value means 64.
	Pending int
	// Patience is how long a request waits for the writer slot before it is answered 5.03. The zero
	// value means 30 s.
	Patience time.Duration
	// StoredValues is how many values are stored while a server cannot be reached. A further one
	// takes the place of the oldest. The zero value means 10,000.
	StoredValues int
}

func (l *Limits) check() error {
	if l.Observations < 0 || l.ObservedValues < 0 || l.Attributes < 0 || l.Pending < 0 || l.Patience < 0 || l.StoredValues < 0 {
		return errors.New("manage: Config.Limits must not be negative")
	}
	setDefault := func(v *int, n int) {
		if *v == 0 {
			*v = n
		}
	}
	setDefault(&l.Observations, 1000)
	setDefault(&l.ObservedValues, 100_000)
	setDefault(&l.Attributes, 1000)
	setDefault(&l.Pending, 64)
	setDefault(&l.StoredValues, 10_000)
	if l.Patience == 0 {
		l.Patience = 30 * time.Second
	}
	return nil
}

func (c *Config) check() error {
	if c.Sched == nil {
		return errors.New("manage: Config.Sched is missing")
	}
	if c.Context == nil {
		c.Context = context.Background()
	}
	if c.Worker == nil {
		c.Worker = func(_ dm.ShortServerID, fn func()) { go fn() }
	}
	if c.Store == nil {
		c.Store = func(fn func()) { go fn() }
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Scratch == nil {
		c.Scratch = NewScratch()
	}
	if c.StoredMessage <= 0 {
		c.StoredMessage = 1024
	}
	return c.Limits.check()
}

// Manager serves devices to management servers. It holds both lists and the parts that answer
// requests; what one server has at one device is in a scope. Its methods belong to the goroutine of
// the scheduler.
type Manager struct {
	cfg     Config
	devices []*Device
	peers   []*Peer
	closed  bool
	// watched counts observations and nodes with attributes over all devices; see Device.watched.
	watched atomic.Int64

	reader   reader
	executor executor
	changer  changer
}

// New returns a Manager without devices and servers.
func New(cfg Config) (*Manager, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	m := &Manager{cfg: cfg}
	m.reader = reader{cfg: &m.cfg, loop: newReading(&cfg.Scratch.encoder, &cfg.Scratch.links, maphash.MakeSeed())}
	m.executor = executor{cfg: &m.cfg}
	m.changer = changer{cfg: &m.cfg, inProgress: map[*change]struct{}{}}
	return m, nil
}

// Close removes all servers and devices. Requests that wait are dropped without an answer; a change
// that is being stored is published by the loop when the store has ended, or rolled back where
// storing failed. Closing twice does nothing.
func (m *Manager) Close() {
	if m.closed {
		return
	}
	m.closed = true
	for len(m.peers) > 0 {
		m.peers[0].Close()
	}
	for len(m.devices) > 0 {
		m.devices[0].Close()
	}
}

// Stop closes the Manager and says that the scheduler may not run any more: a change that is still
// being stored ends on the goroutine of the store, Changed and Rollback hooks included (see
// dm.Hooks).
func (m *Manager) Stop() {
	m.Close()
	m.changer.stop()
}

// Idle reports whether no request waits and nothing is being stored.
func (m *Manager) Idle() bool {
	for _, p := range m.peers {
		if p.requests.used > 0 {
			return false
		}
	}
	return len(m.changer.inProgress) == 0
}

// ownModel returns the data model of the device itself, which holds the accounts of the servers.
func (m *Manager) ownModel() *dm.Model {
	for _, d := range m.devices {
		if d.cfg.Prefix == "" {
			return d.cfg.Model
		}
	}
	return nil
}
