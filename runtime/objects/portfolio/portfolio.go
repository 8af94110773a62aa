package portfolio

import (
	"context"
	"sync"
	"time"

	"github.com/lwm2mgen/toolkit/generated/portfolio"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/objects/internal/behaviour"
)

// Instance is one portfolio.
type Instance = portfolio.Instance

// Config is the configuration of New. The zero value means portfolios that only hold texts.
type Config struct {
	// GetAuthData signs or encrypts the texts of a portfolio, as the arguments of the executable
	// (/16/x/1) ask for; args.Instance is the portfolio. It may take long. What it returns becomes
	// AuthData, one resource instance each. An error makes AuthStatus 2 (error), and its code is
	// the answer to the server. The zero value means that the resources 1, 2 and 3 do not exist.
	GetAuthData func(ctx context.Context, identity []string, args dm.Args) ([][]byte, error)
	// MaxInstances is how many portfolios there may be when a server creates one. The zero value
	// means that servers create and delete none.
	MaxInstances int
	// Hooks run in addition to the hooks of this package. The zero value means none.
	Hooks portfolio.Hooks
}

const (
	maxTexts = 64
	maxBytes = 16 << 10
)

// Portfolio is the Portfolio object. It is an object for lwm2m.Config.Objects. Its methods may be
// called from any goroutine.
type Portfolio struct {
	*portfolio.Object
	cfg Config

	mu   sync.Mutex
	auth map[dm.InstanceID]*auth
}

// auth is the state of GetAuthData for one portfolio.
type auth struct {
	busy bool
	data [][]byte
}

// New returns the object without portfolios. Add them with Add or AddNew, and their texts as
// Instance.Identity; leave out the other resources, which New sets. Its Validate hook refuses with
// 4.13 more than 64 texts, or 16 KiB of texts, in one portfolio.
func New(c Config) (*Portfolio, error) {
	p := &Portfolio{cfg: c, auth: map[dm.InstanceID]*auth{}}
	cfg := portfolio.Config{
		Hooks:        behaviour.Join(portfolio.Hooks{Validate: p.validate, Changed: p.onChanged}, c.Hooks),
		MaxInstances: c.MaxInstances,
	}
	if c.MaxInstances > 0 {
		cfg.Template = Instance{Identity: dm.Strs()}
	}
	o, err := portfolio.New(cfg)
	if err != nil {
		return nil, err
	}
	p.Object = o
	return p, nil
}

// validate bounds the texts, and gives a new portfolio its resources 1, 2 and 3.
func (p *Portfolio) validate(_ context.Context, tx *portfolio.Tx) error {
	for c := range tx.Changes() {
		size := 0
		for _, text := range c.New.Identity.All() {
			size += len(text)
		}
		if n := c.New.Identity.Len(); n > maxTexts || size > maxBytes {
			return dm.Errorf(dm.RequestEntityTooLarge, "%d texts of %d bytes: a portfolio has at most %d of %d bytes",
				n, size, maxTexts, maxBytes)
		}
		if c.Created && p.cfg.GetAuthData != nil {
			id := c.ID
			c.New.GetAuthData = dm.SlowExec(p.getAuthData)
			c.New.AuthData = dm.FuncMulti(func(ctx context.Context) (map[dm.ResourceInstanceID][]byte, error) {
				return p.read(ctx, id), nil
			})
			c.New.AuthStatus = dm.Int(portfolio.AuthStatusIdle)
		}
		// A status that is restored from a store has lost its data.
		if c.New.AuthStatus.Or(0) == portfolio.AuthStatusDataAvailable && !p.hasData(c.ID) {
			c.New.AuthStatus.Set(portfolio.AuthStatusIdle)
		}
	}
	return nil
}

func (p *Portfolio) hasData(id dm.InstanceID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	a := p.auth[id]
	return a != nil && a.data != nil
}

func (p *Portfolio) onChanged(_ context.Context, tx *portfolio.Tx) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for id := range tx.Deleted() {
		delete(p.auth, id)
	}
}

// getAuthData is the executable. One process runs at a time for each portfolio.
func (p *Portfolio) getAuthData(ctx context.Context, args dm.Args) error {
	id := args.Instance
	p.mu.Lock()
	if a := p.auth[id]; a != nil && a.busy {
		p.mu.Unlock()
		return dm.Errorf(dm.ServiceUnavailable, "GetAuthData of portfolio %d is running", id)
	}
	a := &auth{busy: true}
	p.auth[id] = a
	p.mu.Unlock()
	defer func() { // after a panic, too
		p.mu.Lock()
		a.busy = false
		p.mu.Unlock()
	}()
	data, err := p.process(ctx, args)
	status := portfolio.AuthStatusDataAvailable
	if err != nil {
		data, status = nil, portfolio.AuthStatusError
	} else if data == nil {
		data = [][]byte{}
	}
	p.mu.Lock()
	a.data = data
	p.mu.Unlock()
	if stored := p.setStatus(ctx, id, status); err == nil {
		err = stored
	}
	if c := lwm2m.FromContext(ctx); c != nil {
		c.Notify(dm.ResourcePath(portfolio.ObjectID, id, portfolio.AuthDataID))
	}
	return err
}

func (p *Portfolio) process(ctx context.Context, args dm.Args) ([][]byte, error) {
	if err := p.setStatus(ctx, args.Instance, portfolio.AuthStatusIdle); err != nil {
		return nil, err
	}
	inst, _ := p.Get(args.Instance)
	var identity []string
	for _, text := range inst.Identity.All() {
		identity = append(identity, text)
	}
	return p.cfg.GetAuthData(ctx, identity, args)
}

func (p *Portfolio) setStatus(ctx context.Context, id dm.InstanceID, status int64) error {
	return p.Update(ctx, id, func(i *Instance) error {
		i.AuthStatus.Set(status)
		return nil
	})
}

// resetPatience is how long the reset of a status waits for other transactions.
const resetPatience = 10 * time.Second

// read returns AuthData. If a server has got it, AuthStatus becomes idle. The data stays until the
// next GetAuthData, because the response to the server may be lost.
func (p *Portfolio) read(ctx context.Context, id dm.InstanceID) map[dm.ResourceInstanceID][]byte {
	data := map[dm.ResourceInstanceID][]byte{}
	p.mu.Lock()
	if a := p.auth[id]; a != nil {
		for n, d := range a.data {
			data[dm.ResourceInstanceID(n)] = d
		}
	}
	p.mu.Unlock()
	_, byServer := dm.OriginFrom(ctx).ShortServerID()
	if inst, _ := p.Get(id); byServer && inst.AuthStatus.Or(portfolio.AuthStatusIdle) == portfolio.AuthStatusDataAvailable {
		// A read must not wait for other transactions.
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), resetPatience)
			defer cancel()
			_ = p.Update(ctx, id, func(i *Instance) error {
				if i.AuthStatus.Or(0) == portfolio.AuthStatusDataAvailable {
					i.AuthStatus.Set(portfolio.AuthStatusIdle)
				}
				return nil
			})
		}()
	}
	return data
}
