package provision

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/coap"
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
	// Usable checks one account at the end of the sequence: that of the Security instance, which
	// may be the bootstrap server's. The text of its error is shown to the server, so it must not
	// contain a secret. The zero value means that every account is usable.
	Usable func(s dm.Snapshot, security dm.InstanceID) error
	// BeforeFinish is a step between the checks of a Finish or a pack and its Validate hooks. It
	// calls done once, on any goroutine; an error refuses the Finish, which may then be repeated.
	// The snapshot, which shows what the sequence has written, is valid until BeforeFinish returns.
	// ctx ends when the sequence is aborted. The zero value means no such step.
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
	// Limits bound what the server can make the Sequence keep.
	Limits Limits
}

// Limits bound what a bootstrap server can make a [Sequence] keep.
type Limits struct {
	// Pending is how many requests may wait. A further one is 5.03. The zero value means 16.
	Pending int
	// Payload is the largest payload of one request, in bytes. A larger one is 4.13. The zero value
	// means 65536.
	Payload int
	// Staged is how many bytes of payloads may be written in a sequence. A further Write is 4.13.
	// The zero value means 1 MiB.
	Staged int
	// Patience is how long a request waits for the writer slot before it is answered 5.03. The zero
	// value means 30 s.
	Patience time.Duration
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
	return nil
}

// Sequence is one bootstrap sequence. Its methods belong to the goroutine of the scheduler.
type Sequence struct {
	cfg Config
}

// New returns a Sequence that has changed nothing yet.
func New(cfg Config) (*Sequence, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	return &Sequence{cfg: cfg}, nil
}

// Head refuses what must fail when the first block of a larger payload arrives.
func (s *Sequence) Head(*coap.Request) {}

// Serve answers a request of the bootstrap server.
func (s *Sequence) Serve(r *coap.Request) {
	resp := r.Response()
	resp.Code = coap.NotImplemented
	_ = r.Respond(resp)
}

// ApplyPack writes a Bootstrap-Pack, the answer to a Bootstrap-Pack-Request, and ends the sequence
// as a Finish does. It calls done later, on the loop, with nil after the pack has been published.
// After an error nothing is changed and the Sequence can serve requests (Core 1.2.2 §6.1.7.2).
// OnFinished and OnFailed are not called for a pack. payload is copied where it is needed later.
func (s *Sequence) ApplyPack(f content.Format, payload []byte, done func(error)) {
	s.cfg.Sched.Post(func() { done(errors.New("provision: packs are not supported")) })
}

// Abort ends the sequence: it leaves the data model as it was before, except that a sequence that
// is being stored is published if it has been stored. Requests that wait are dropped without an
// answer. No callback is called afterwards. Aborting twice, or after the end, does nothing.
func (s *Sequence) Abort() {}

// Stop aborts the sequence and says that the scheduler may not run any more: a sequence that is
// being stored ends on the goroutine of the store, Changed and Rollback hooks included.
func (s *Sequence) Stop() { s.Abort() }
