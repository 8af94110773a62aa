package softwaremanagement_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/objects/internal/objecttest"
	"github.com/lwm2mgen/toolkit/runtime/objects/softwaremanagement"
)

// gateway is a device with two places for software. It forgets what is not durable when it loses
// its power, and software ends then. It is an Installer and a Downloader. A package is a line such
// as "app 2.0".
type gateway struct {
	objecttest.Power
	flash    [2]objecttest.Flash
	records  objecttest.Records
	disk     [2]string // the software that is installed, "-" before what is prepared
	next     [2]string // what is on the disk after a restart
	running  [2]bool
	calls    []string // of the Installer, without Verify
	restarts bool     // whether installing needs a restart
	errs     map[string]error
	pauses   map[string]chan struct{} // calls that wait
	download func(ctx context.Context, uri string) ([]byte, error)
}

func newGateway() *gateway {
	g := &gateway{Power: objecttest.Power{Limit: -1}, errs: map[string]error{}, pauses: map[string]chan struct{}{}}
	for i := range g.flash {
		g.flash[i].Power = &g.Power
	}
	g.records = objecttest.Records{Power: &g.Power, Values: map[string][]byte{}}
	return g
}

// fill lets the store fail.
func (g *gateway) fill(full bool) {
	g.Lock()
	defer g.Unlock()
	g.records.Err = nil
	if full {
		g.records.Err = errors.New("the store is full")
	}
}

// pause waits if the call is to wait.
func (g *gateway) pause(ctx context.Context, call string) error {
	select {
	case <-g.pauses[call]:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

func (g *gateway) Verify(ctx context.Context, p *softwaremanagement.Package) error {
	if g.pauses["verify"] != nil {
		if err := g.pause(ctx, "verify"); err != nil {
			return err
		}
	}
	if err := g.errs["verify"]; err != nil {
		return err
	}
	content, err := io.ReadAll(p)
	if err != nil {
		return err
	}
	name, version, ok := strings.Cut(string(content), " ")
	if !ok {
		return errors.New("it is no software")
	}
	p.Name, p.Version = name, version
	return nil
}

// call is a call of the Installer in two halves, between which and after which the power can fail.
func (g *gateway) call(ctx context.Context, call string, id dm.InstanceID, version string, do func()) error {
	if g.pauses[call] != nil {
		if err := g.pause(ctx, call); err != nil {
			return err
		}
	}
	g.Lock()
	defer g.Unlock()
	if !g.Use() {
		return objecttest.ErrPower
	}
	g.calls = append(g.calls, fmt.Sprintf("%s %d %s", call, id, version))
	if err := g.errs[call]; err != nil {
		return err
	}
	do()
	if !g.Use() {
		return objecttest.ErrPower
	}
	return nil
}

func (g *gateway) Install(ctx context.Context, p *softwaremanagement.Package) (softwaremanagement.Outcome, error) {
	call := "install"
	if p.Replaces != nil {
		call = "update " + p.Replaces.Version + " by"
	}
	err := g.call(ctx, call, p.Component, p.Version, func() {
		if g.restarts {
			g.next[p.Component] = p.Version
			return
		}
		g.disk[p.Component] = p.Version
	})
	if g.restarts {
		return softwaremanagement.Restarting, err
	}
	return softwaremanagement.Done, err
}

func (g *gateway) Activate(ctx context.Context, s softwaremanagement.Software) error {
	return g.call(ctx, "activate", s.Component, s.Version, func() { g.running[s.Component] = true })
}

func (g *gateway) Deactivate(ctx context.Context, s softwaremanagement.Software) error {
	return g.call(ctx, "deactivate", s.Component, s.Version, func() { g.running[s.Component] = false })
}

func (g *gateway) Uninstall(ctx context.Context, s softwaremanagement.Software, forUpdate bool) error {
	if forUpdate {
		return g.call(ctx, "prepare", s.Component, s.Version, func() { g.disk[s.Component] = "-" + s.Version })
	}
	return g.call(ctx, "uninstall", s.Component, s.Version, func() { g.disk[s.Component] = "" })
}

func (g *gateway) installed(p *softwaremanagement.Package) bool {
	return g.disk[p.Component] == p.Version
}

func (g *gateway) Schemes() []string { return []string{"coap", "https"} }

func (g *gateway) Download(ctx context.Context, uri string, storage softwaremanagement.Storage) error {
	content, err := g.download(ctx, uri)
	if err != nil {
		return err
	}
	return objecttest.Download(storage, content)
}

// restart starts the device again, after a loss of power if it was lost.
func (g *gateway) restart() {
	g.Lock()
	defer g.Unlock()
	for i := range g.flash {
		g.flash[i].Restart()
		g.running[i] = false
		if g.next[i] != "" {
			g.disk[i], g.next[i] = g.next[i], ""
		}
	}
	g.Limit = -1
}

func (g *gateway) config() softwaremanagement.Config {
	c := softwaremanagement.Config{Installer: g, Store: &g.records, Installed: g.installed,
		Logger: slog.New(slog.DiscardHandler)}
	for i := range g.flash {
		c.Components = append(c.Components, softwaremanagement.Component{Storage: &g.flash[i], Downloader: g})
	}
	return c
}

// rig is a device on which the methods act as a server.
type rig struct {
	*objecttest.Device
	t        *testing.T
	gateway  *gateway
	software *softwaremanagement.Manager
	reports  []string
}

// boot starts the device. It returns nil if the power is lost on the way.
func boot(t *testing.T, g *gateway, c softwaremanagement.Config) *rig {
	t.Helper()
	r := &rig{t: t, gateway: g}
	c.Changed = func(s softwaremanagement.Status) { r.reports = append(r.reports, text(s)) }
	m, err := softwaremanagement.New(c)
	if errors.Is(err, objecttest.ErrPower) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	r.software, r.Device = m, objecttest.New(t, m)
	return r
}

// reboot restarts the device.
func (r *rig) reboot(c softwaremanagement.Config) *rig {
	r.t.Helper()
	r.ok("close", r.software.Close())
	synctest.Wait()
	r.gateway.restart()
	return boot(r.t, r.gateway, c)
}

func text(s softwaremanagement.Status) string {
	t := fmt.Sprintf("%d/%d", s.State, s.Result)
	if s.Active {
		t += " active"
	}
	return t
}

// upload writes Package of component 0 block by block.
func (r *rig) upload(blocks ...string) error { r.t.Helper(); return r.Upload("/9/0/2", blocks...) }

func (r *rig) uri(uri string) error { return r.Write("/9/0/3", dm.StringValue(uri)) }

// What a server executes on component 0.
func (r *rig) install() error              { return r.Execute("/9/0/4", "") }
func (r *rig) activate() error             { return r.Execute("/9/0/10", "") }
func (r *rig) deactivate() error           { return r.Execute("/9/0/11", "") }
func (r *rig) uninstall(args string) error { return r.Execute("/9/0/6", args) }

// installs brings software to component 0 and installs it.
func (r *rig) installs(software string) {
	r.t.Helper()
	r.ok("push", r.upload(software))
	synctest.Wait()
	r.ok("Install", r.install())
	synctest.Wait()
}

// shows fails unless servers read this of component 0 once nothing happens any more.
func (r *rig) shows(want string) {
	r.t.Helper()
	synctest.Wait()
	if got := text(r.software.Status(0)); got != want {
		r.t.Errorf("state and result %v, want %v", got, want)
	}
}

// reported fails unless this was published since the last call.
func (r *rig) reported(want ...string) {
	r.t.Helper()
	synctest.Wait()
	objecttest.Same(r.t, r.reports, want...)
	r.reports = nil
}

// called fails unless these were the calls of the Installer since the last call.
func (r *rig) called(want ...string) {
	r.t.Helper()
	synctest.Wait()
	objecttest.Same(r.t, r.gateway.calls, want...)
	r.gateway.calls = nil
}

// names fails unless servers read this name and version of component 0.
func (r *rig) names(want string) {
	r.t.Helper()
	if got := r.Value("/9/0/0").Text() + " " + r.Value("/9/0/1").Text(); got != want {
		r.t.Errorf("name and version %q, want %q", got, want)
	}
}

func (r *rig) ok(what string, err error) {
	r.t.Helper()
	if err != nil {
		r.t.Errorf("%s: %v", what, err)
	}
}

func (r *rig) refused(what string, err error, code dm.Code) {
	r.t.Helper()
	objecttest.Refused(r.t, what, err, code)
}

// has reports whether a resource of component 0 exists.
func (r *rig) has(id dm.ResourceID) bool { return r.Model.Snapshot().Has(dm.ResourcePath(9, 0, id)) }

// in runs a test in a bubble.
func in(t *testing.T, fn func(t *testing.T)) { t.Helper(); synctest.Test(t, fn) }

// went reports whether the Installer was called like this.
func (g *gateway) went(call string) bool { return slices.Contains(g.calls, call) }
