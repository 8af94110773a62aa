package manage

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// Config is what a [Manager] is made with.
type Config struct {
	// Model is the data model. Required.
	Model *dm.Model
	// Sched is the scheduler on whose goroutine everything runs. Required.
	Sched *sched.Scheduler
	// Context is what hooks and functions of the data model receive, with the Origin added. Zero:
	// context.Background().
	Context context.Context
	// Worker runs a slow function on another goroutine, at once or when there is room, and does not
	// wait. Zero: a goroutine for each.
	Worker func(fn func())
	// Store is Worker for storing a change, one at a time: it must run fn in any case, and without
	// waiting for slow functions, as the writer slot is taken until then. Zero: a goroutine for each.
	Store func(fn func())
	// Logger takes refused requests (Debug) and observed values that cannot be read (Warn). Zero:
	// slog.Default().
	Logger *slog.Logger
	// Hidden are the objects that no management server sees, whose paths are 4.01. Zero: none.
	Hidden []dm.ObjectID
	// Prefix is the gateway prefix of the Model, without slashes. Zero: none.
	Prefix string
	// ImpliedVersion returns the version of an object that a server of the given LwM2M version assumes;
	// Discover shows any other. Zero: 1.0 for each.
	ImpliedVersion func(dm.ObjectID, registry.Version) registry.Version
	// SelfNotify tells observing servers of their own writes, too. Zero: they know.
	SelfNotify bool
	// Limits bound what servers can make the Manager keep. Zero: see Limits.
	Limits Limits
	// Scratch may be shared by all Managers of a goroutine. Zero: one of its own.
	Scratch *Scratch
}

// Limits bound what one server can make a [Manager] keep.
type Limits struct {
	// Observations is how many observations a server may have. A further one is answered as a Read.
	// Zero: 1000.
	Observations int
	// Attributes is the number of nodes that a server may attach attributes to. A further one is 5.03.
	// Zero: 1000.
	Attributes int
	// Pending is how many requests of a server may wait: for the writer slot, a slow function or the
	// store. A further one is 5.03. Zero: 64.
	Pending int
	// Patience is how long a request waits for the writer slot before it is 5.03. Zero: 30 s.
	Patience time.Duration
}

func (l *Limits) check() error {
	if l.Observations < 0 || l.Attributes < 0 || l.Pending < 0 || l.Patience < 0 {
		return errors.New("manage: Config.Limits must not be negative")
	}
	def := func(v *int, zero int) {
		if *v == 0 {
			*v = zero
		}
	}
	def(&l.Observations, 1000)
	def(&l.Attributes, 1000)
	def(&l.Pending, 64)
	if l.Patience == 0 {
		l.Patience = 30 * time.Second
	}
	return nil
}

// Manager serves one data model to management servers. Its methods belong to the goroutine of the
// scheduler, except those that say otherwise.
type Manager struct {
	cfg    Config
	log    *slog.Logger
	peers  []*Peer
	seed   maphash.Seed
	closed atomic.Bool
	// watched counts the observations and nodes with attributes, so that changes that concern nobody
	// cost nothing.
	watched     atomic.Int64
	unsubscribe func()

	changes map[*change]struct{}   // waiting for their turn or their store
	own     atomic.Pointer[change] // whose publication is being told
	scratch *Scratch
	reading *reading // the loop's own

	notification coap.Notification
	payload      []byte // of notifications
}

// New returns a Manager, and subscribes to the changes of its Model.
func New(cfg Config) (*Manager, error) {
	switch {
	case cfg.Model == nil:
		return nil, errors.New("manage: Config.Model is missing")
	case cfg.Sched == nil:
		return nil, errors.New("manage: Config.Sched is missing")
	case strings.Contains(cfg.Prefix, "/"):
		return nil, fmt.Errorf("manage: Config.Prefix is %.64q, it must not contain slashes", cfg.Prefix)
	}
	if err := cfg.Limits.check(); err != nil {
		return nil, err
	}
	if cfg.Context == nil {
		cfg.Context = context.Background()
	}
	if cfg.Worker == nil {
		cfg.Worker = func(fn func()) { go fn() }
	}
	if cfg.Store == nil {
		cfg.Store = func(fn func()) { go fn() }
	}
	if cfg.ImpliedVersion == nil {
		cfg.ImpliedVersion = func(dm.ObjectID, registry.Version) registry.Version { return registry.V(1, 0) }
	}
	m := &Manager{cfg: cfg, log: cfg.Logger, seed: maphash.MakeSeed(), changes: map[*change]struct{}{}}
	if m.log == nil {
		m.log = slog.Default()
	}
	m.cfg.Hidden = slices.Clone(cfg.Hidden)
	if m.scratch = cfg.Scratch; m.scratch == nil {
		m.scratch = NewScratch()
	}
	m.reading = newReading(m, &m.scratch.encoder, &m.scratch.links)
	m.unsubscribe = cfg.Model.Subscribe(m.published)
	return m, nil
}

// Close ends everything: observations, and requests that wait for their turn, which are not answered
// any more. What is being stored is still published, on the worker. Closing twice does nothing.
func (m *Manager) Close() {
	if m.closed.Swap(true) {
		return
	}
	m.unsubscribe()
	for len(m.peers) > 0 {
		m.peers[0].Close()
	}
}

// Notify says that a value that a function stands behind has changed, or all below p, so that
// observers are told without waiting for the next sample. It is safe for concurrent use.
func (m *Manager) Notify(p dm.Path) {
	if m.watched.Load() == 0 {
		return
	}
	m.cfg.Sched.Post(func() { m.changed(p, nil) })
}

// Idle reports whether no request waits and nothing is being stored.
func (m *Manager) Idle() bool {
	for _, p := range m.peers {
		if p.pending > 0 {
			return false
		}
	}
	return len(m.changes) == 0
}

func (m *Manager) hidden(id dm.ObjectID) bool { return slices.Contains(m.cfg.Hidden, id) }

// published takes what a transaction has changed, on whatever goroutine published it.
func (m *Manager) published(b dm.Batch) {
	if m.watched.Load() == 0 {
		return
	}
	if c := m.own.Load(); c != nil && c.p.who == b.Origin { // on the loop, inside of Finish
		m.told(b.Events, c)
		return
	}
	events := slices.Clone(b.Events)
	m.cfg.Sched.Post(func() { m.told(events, nil) })
}

// told brings attributes and observations in line with changes; by is the request that made them,
// if it was one.
func (m *Manager) told(events []dm.Event, by *change) {
	for _, e := range events {
		for _, p := range m.peers {
			p.forget(e)
		}
		if by != nil && !m.cfg.SelfNotify && by.wrote(e.Path) {
			m.changed(e.Path, by.p)
		} else {
			m.changed(e.Path, nil)
		}
	}
	if by == nil {
		return
	}
	for _, o := range slices.Clone(by.p.observations) {
		if o.written {
			o.absorb()
		}
	}
}

// changed marks the observations that a path concerns; writer is the server that changed it by a
// request of its own, if one did that is not to be told.
func (m *Manager) changed(path dm.Path, writer *Peer) {
	for _, p := range m.peers {
		defaults := path.Object() == serverObject
		for _, o := range p.observations {
			switch {
			case !o.concerns(path):
			case p == writer:
				o.written = true
			default:
				o.dirty = true
			}
			if o.dirty || defaults { // pmin and pmax may have changed
				o.arm()
			}
		}
	}
}
