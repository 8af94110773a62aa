package softwaremanagement

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/objects/internal/update"
)

// happen lets an event happen to a component. w is told the outcome of what a server has executed;
// nil if nobody waits.
func (m *Manager) happen(c *change, id dm.InstanceID, e event, f facts, w waiter) bool {
	to, actions, ok := next(c.Get(id).state, e, f)
	if !ok {
		return false
	}
	r := c.Record(id)
	r.set(to)
	if to.Phase != receiving && to.Phase != verifying {
		c.EndPush(id)
	}
	if slices.Contains(actions, stop) {
		c.Abandon(id)
	}
	for _, t := range m.tasks(id, actions, *r, w) {
		c.Do(t)
	}
	if w != nil && !slices.ContainsFunc(actions, action.operates) {
		c.Do(task{Run: func(*step) { w.tell(nil) }})
	}
	return true
}

// operates reports whether the action changes software that is installed.
func (a action) operates() bool {
	_, ok := operations[a]
	return ok
}

// tasks returns what actions mean for a component. stop has happened at once.
func (m *Manager) tasks(id dm.InstanceID, actions []action, r record, w waiter) []task {
	var tasks []task
	start := func(do func(context.Context, dm.InstanceID) func(*change) bool, ended func(*change, error) bool) func(*step) {
		return func(s *step) {
			m.engine.Start(s, id, job{Do: func(ctx context.Context) func(*change) bool { return do(ctx, id) }, Ended: ended})
		}
	}
	failed := func(e event) func(*change, error) bool {
		return func(c *change, _ error) bool { return m.happen(c, id, e, facts{}, nil) }
	}
	for _, a := range actions {
		switch a {
		case discard:
			tasks = append(tasks, task{Run: func(*step) { m.discard(id) }})
		case fetch:
			tasks = append(tasks, task{Run: start(m.fetch, failed(event{fetchFailed, deviceError}))})
		case verify:
			tasks = append(tasks, task{
				Sync: m.cfg.Components[id].Storage.Sync,
				Fail: func(err error) { m.fail(id, event{verifyFailed, resultOf(err, update.Failed)}) },
				Run:  start(m.verify, failed(event{verifyFailed, deviceError})),
			})
		case install:
			tasks = append(tasks, task{
				Once: true,
				Fail: func(error) { m.fail(id, event{installFailed, installationFailed}) },
				Run:  start(m.installPackage, failed(event{installFailed, installationFailed})),
			})
		case activate, deactivate, uninstall, prepare:
			o := operations[a]
			failure := o.failure(r.state)
			tasks = append(tasks, task{
				Once: true,
				Fail: func(error) { m.fail(id, event{kind: failure}) },
				Run: start(func(ctx context.Context, id dm.InstanceID) func(*change) bool {
					return m.operate(ctx, id, o, w, &failure)
				}, func(c *change, err error) bool { return m.endOperation(c, id, failure, err, w) }),
			})
		case stop:
		}
	}
	return tasks
}

// fail ends what was to begin, because of an error.
func (m *Manager) fail(id dm.InstanceID, e event) {
	m.engine.Change(func(c *change) bool { return m.happen(c, id, e, facts{}, nil) })
}

// discard empties the storage of a component, unless a new package has begun to arrive.
func (m *Manager) discard(id dm.InstanceID) {
	m.engine.WhenUnused(id, func(r record) {
		if r.Phase == receiving || r.Phase > fetching && r.Phase < installed {
			return // what is fetched now has not begun yet
		}
		if err := m.cfg.Components[id].Storage.Truncate(0); err != nil {
			m.cfg.Logger.Warn("the software package cannot be discarded", "component", id, "err", err)
		}
	})
}

// fetch downloads from Package URI.
func (m *Manager) fetch(ctx context.Context, id dm.InstanceID) func(*change) bool {
	component, uri := m.cfg.Components[id], m.engine.Record(id).URI
	var err error
	if component.Downloader == nil { // the program was replaced by one that cannot
		err = update.Fail(update.UnsupportedProtocol, errors.New("the device accepts packages by Package only"))
	} else if err = update.CheckURI(uri, component.Downloader.Schemes()); err == nil {
		err = component.Downloader.Download(ctx, uri, component.Storage)
	}
	if err != nil {
		m.cfg.Logger.Warn("the software package cannot be downloaded", "component", id, "err", err)
		e := event{fetchFailed, resultOf(err, update.ConnectionLost)}
		return func(c *change) bool { return m.happen(c, id, e, facts{}, nil) }
	}
	size := component.Storage.Content().Size()
	return func(c *change) bool {
		ok := m.happen(c, id, event{kind: fetchEnded}, facts{}, nil)
		if ok {
			c.Record(id).Size = size
		}
		return ok
	}
}

// packageOf returns the package of a component.
func (m *Manager) packageOf(id dm.InstanceID, r record) *Package {
	p := &Package{SectionReader: m.cfg.Components[id].Storage.Content(), Software: Software{id, r.Name, r.Version}, URI: r.URI}
	if r.Old {
		old := r.software(id)
		p.Replaces = &old
	}
	return p
}

// verify checks the package of a component.
func (m *Manager) verify(ctx context.Context, id dm.InstanceID) func(*change) bool {
	p := m.packageOf(id, m.engine.Record(id))
	err := m.cfg.Installer.Verify(ctx, p)
	if err == nil {
		err = checkSoftware(p.Software)
	}
	if err != nil {
		m.cfg.Logger.Warn("the software package is refused", "component", id, "err", err)
		e := event{verifyFailed, resultOf(err, update.IntegrityCheckFailed)}
		return func(c *change) bool { return m.happen(c, id, e, facts{}, nil) }
	}
	return func(c *change) bool {
		ok := m.happen(c, id, event{kind: verifyPassed}, facts{}, nil)
		if ok {
			r := c.Record(id)
			r.Name, r.Version = p.Name, p.Version
		}
		return ok
	}
}

// checkSoftware returns why servers could not read what Verify has set.
func checkSoftware(s Software) error {
	if err := errors.Join(update.CheckText("name", s.Name), update.CheckText("version", s.Version)); err != nil {
		return update.Fail(update.Failed, err)
	}
	return nil
}

// installPackage installs the package of a component.
func (m *Manager) installPackage(ctx context.Context, id dm.InstanceID) func(*change) bool {
	outcome, err := m.cfg.Installer.Install(ctx, m.packageOf(id, m.engine.Record(id)))
	e := event{kind: installEnded}
	switch {
	case err != nil:
		m.cfg.Logger.Warn("the software cannot be installed", "component", id, "err", err)
		e = event{installFailed, resultOf(err, update.Failed)}
	case outcome == Restarting:
		return nil
	case outcome != Done:
		m.cfg.Logger.Error("the method Install of the Installer returns an unknown outcome", "component", id, "outcome", outcome)
		e = event{installFailed, installationFailed}
	}
	return func(c *change) bool { return m.happen(c, id, e, facts{}, nil) }
}

// operation is what a server executes on software.
type operation struct {
	what    string
	run     func(Installer, context.Context, Software) error
	success kind
	failed  kind
	ends    bool // software that runs is deactivated before
}

// operations are the actions that change software which is installed.
var operations = map[action]operation{
	activate:   {"activated", Installer.Activate, activated, activateFailed, false},
	deactivate: {"deactivated", Installer.Deactivate, deactivated, deactivateFailed, false},
	uninstall: {"uninstalled", func(i Installer, ctx context.Context, s Software) error { return i.Uninstall(ctx, s, false) },
		uninstalled, uninstallFailed, true},
	prepare: {"prepared for an update", func(i Installer, ctx context.Context, s Software) error { return i.Uninstall(ctx, s, true) },
		uninstalled, uninstallFailed, true},
}

// failure returns the event of an operation that does not begin.
func (o operation) failure(s state) kind {
	if o.ends && s.Active {
		return deactivateFailed
	}
	return o.failed
}

// operate carries an operation out. failure is the event if a method of the Installer does not
// return.
func (m *Manager) operate(ctx context.Context, id dm.InstanceID, o operation, w waiter, failure *kind) func(*change) bool {
	r := m.engine.Record(id)
	s, e := r.software(id), event{kind: o.success}
	var err error
	if o.ends && r.Active {
		if err = m.cfg.Installer.Deactivate(ctx, s); err != nil {
			e.kind = deactivateFailed
		}
	}
	if err == nil {
		*failure = o.failed
		if err = o.run(m.cfg.Installer, ctx, s); err != nil {
			e.kind = o.failed
		}
	}
	if err != nil {
		m.cfg.Logger.Warn("the software cannot be "+o.what, "component", id, "err", err)
		err = fmt.Errorf("the software cannot be %s: %w", o.what, err)
	}
	return func(c *change) bool { return m.endOperation(c, id, e.kind, err, w) }
}

// endOperation ends an operation with its outcome.
func (m *Manager) endOperation(c *change, id dm.InstanceID, k kind, err error, w waiter) bool {
	c.Do(task{Run: func(*step) { w.tell(err) }, Late: w.tell})
	return m.happen(c, id, event{kind: k}, facts{}, nil)
}
