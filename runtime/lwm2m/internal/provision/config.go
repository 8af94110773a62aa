package provision

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// Config configures a [Sequence].
type Config struct {
	// Sched is the scheduler on whose goroutine everything runs. Required.
	Sched *sched.Scheduler
	// Context is what hooks and functions of the data model receive, with the Origin added. The
	// zero value means context.Background().
	Context context.Context
	// Model is the data model that the sequence changes. Required.
	Model *dm.Model
	// Worker runs a slow function that the server waits for on another goroutine, and does not wait
	// itself. The zero value means a goroutine for each.
	Worker func(fn func())
	// Store is like Worker, for storing the sequence: it must run fn in any case, without waiting
	// for slow functions, because the writer slot is taken until then. The zero value means a
	// goroutine for each.
	Store func(fn func())
	// Logger receives refused requests (Debug). The zero value means slog.Default().
	Logger *slog.Logger
	// RecoverPanics logs a panic of user code behind a request or the store (Error, with its
	// stack), and goes on. The zero value means that the panic continues on the goroutine of the
	// scheduler. In both cases the request is answered 5.00.
	RecoverPanics bool
	// Version is the version of LwM2M that a Discover shows. The zero value means 1.0.
	Version registry.Version
	// ImpliedVersion returns the version of an object that a server of the given LwM2M version
	// assumes; Discover shows any other, except those of the Security and OSCORE objects. The zero
	// value means 1.0 for each.
	ImpliedVersion func(dm.ObjectID, registry.Version) registry.Version
	// Format is the Content-Format of the answer to a Read without Accept. The zero value, which is
	// plain text and cannot be meant, means TLV for LwM2M 1.0 and SenML CBOR for later versions.
	Format content.Format
	// Hidden are objects that the bootstrap server must not see or change: it is told that the
	// device does not have them. The zero value means none.
	Hidden []dm.ObjectID
	// Usable checks one account at the end of the sequence: that of the Security instance, which
	// may be the bootstrap server's. The server is shown the text of an error that [Faultf] has
	// made, and the path of any other. The zero value means that every account is usable.
	Usable func(s dm.Snapshot, security dm.InstanceID) error
	// BeforeFinish is a step between the checks of a Finish or a pack and its Validate hooks. It
	// calls done once, on any goroutine; an error refuses the Finish, which may then be repeated,
	// and is shown as that of Usable is. The snapshot, which shows what the sequence has written,
	// is valid until BeforeFinish returns. ctx ends when the sequence is aborted. The zero value
	// means no such step.
	BeforeFinish func(ctx context.Context, s dm.Snapshot, done func(error))
	// OnRequest is called for each request that belongs to the bootstrap interface, before it is
	// served. The zero value means that nothing is called.
	OnRequest func()
	// OnFinished is called after the sequence has been published and its Finish answered. The
	// Sequence is over then. The zero value means that nothing is called.
	OnFinished func()
	// OnFailed is called when the sequence has ended without success and not by Abort: a fault that
	// no correction by the server can repair. The Sequence is over then. The zero value means that
	// nothing is called.
	OnFailed func(error)
	// Limits bound what the server can make the Sequence keep. The zero value means the limits that
	// Limits describes.
	Limits Limits
}

// Limits bound what a bootstrap server can make a [Sequence] keep.
type Limits struct {
	// Pending is how many requests may wait. A further one is 5.03. The zero value means 16.
	Pending int
	// Payload is the largest payload of one request, and the largest pack, in bytes. A larger one
	// is 4.13. The zero value means 65,536.
	Payload int
	// Staged bounds what a sequence may write before its end, in bytes: of payloads, and 64 more
	// for each value and 512 for each instance that a payload names. What is overwritten or deleted
	// counts, too. A further Write is 4.13. The zero value means 1 MiB.
	Staged int
	// Patience is how long a request waits for the writer slot before it is answered 5.03. The zero
	// value means 30 s.
	Patience time.Duration
}

// The cost of a value and of an instance, in bytes; see Limits.Staged.
const (
	valueCost    = 64
	instanceCost = 512
)

func (l *Limits) setDefaults() {
	setDefault := func(v *int, n int) {
		if *v == 0 {
			*v = n
		}
	}
	setDefault(&l.Pending, 16)
	setDefault(&l.Payload, 64<<10)
	setDefault(&l.Staged, 1<<20)
	if l.Patience == 0 {
		l.Patience = 30 * time.Second
	}
}

func (c *Config) check() error {
	switch l := &c.Limits; {
	case c.Sched == nil:
		return errors.New("provision: Config.Sched is missing")
	case c.Model == nil:
		return errors.New("provision: Config.Model is missing")
	case l.Pending < 0 || l.Payload < 0 || l.Staged < 0 || l.Patience < 0:
		return errors.New("provision: Config.Limits must not be negative")
	}
	c.Limits.setDefaults()
	c.Version = c.Version.OrDefault()
	if c.Context == nil {
		c.Context = context.Background()
	}
	if c.Worker == nil {
		c.Worker = func(fn func()) { go fn() }
	}
	if c.Store == nil {
		c.Store = func(fn func()) { go fn() }
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.ImpliedVersion == nil {
		c.ImpliedVersion = func(dm.ObjectID, registry.Version) registry.Version { return registry.V(1, 0) }
	}
	if c.Usable == nil {
		c.Usable = func(dm.Snapshot, dm.InstanceID) error { return nil }
	}
	for _, f := range []*func(){&c.OnRequest, &c.OnFinished} {
		if *f == nil {
			*f = func() {}
		}
	}
	if c.OnFailed == nil {
		c.OnFailed = func(error) {}
	}
	if c.Format == 0 {
		c.Format = content.SenMLCBOR
		if c.Version.Compare(registry.V(1, 0)) <= 0 {
			c.Format = content.TLV
		}
	}
	return nil
}
