package softwaremanagement_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/objects/internal/objecttest"
	"github.com/lwm2mgen/toolkit/runtime/objects/softwaremanagement"
	"github.com/lwm2mgen/toolkit/runtime/store"
)

// faulty is a gateway of which a function replaces a method of the Installer.
type faulty struct {
	*gateway
	verify  func(*softwaremanagement.Package)
	outcome softwaremanagement.Outcome
}

func (f faulty) Verify(ctx context.Context, p *softwaremanagement.Package) error {
	err := f.gateway.Verify(ctx, p)
	if f.verify != nil {
		f.verify(p)
	}
	return err
}

func (f faulty) Install(context.Context, *softwaremanagement.Package) (softwaremanagement.Outcome, error) {
	return f.outcome, nil
}

// Texts that servers cannot read are refused: the state could not be shown, and the device could
// not start with them again.
func TestVerifySetsTextsThatCannotBeRead(t *testing.T) {
	for _, text := range []string{strings.Repeat("x", 256), "\xff"} {
		in(t, func(t *testing.T) {
			g := newGateway()
			c := g.config()
			c.Installer = faulty{gateway: g, verify: func(p *softwaremanagement.Package) { p.Name = text }}
			r := boot(t, g, c)
			r.ok("push", r.upload("app 2.0"))
			r.shows("0/57")
			r.reboot(c).shows("0/57")
		})
		c := newGateway().config()
		c.Components[1].Shipped.Version = text
		if _, err := softwaremanagement.New(c); err == nil || !strings.Contains(err.Error(), "Components[1].Shipped") {
			t.Errorf("shipped software with the version %q: %v", text, err)
		}
	}
}

// An outcome that does not exist is no success.
func TestUnknownOutcome(t *testing.T) {
	in(t, func(t *testing.T) {
		g := newGateway()
		c := g.config()
		c.Installer = faulty{gateway: g, outcome: 77}
		r := boot(t, g, c)
		r.installs("app 1.0")
		r.shows("3/58")
	})
}

// What ends the program each time, such as by a panic, is given up: the device must not restart for
// ever.
func TestInstallerEndsTheProgram(t *testing.T) {
	for _, c := range []struct {
		call     string
		restarts int
		want     string
		execute  func(r *rig) error
	}{
		{"verify", 3, "0/53", func(r *rig) error { return r.upload("app 1.0") }},
		{"activate", 10, "4/2", (*rig).activate},
		{"deactivate", 10, "4/2", (*rig).deactivate},
		{"uninstall", 10, "4/59", func(r *rig) error { return r.uninstall("") }},
		{"prepare", 10, "4/59", func(r *rig) error { return r.uninstall("1") }},
	} {
		t.Run(c.call, func(t *testing.T) {
			in(t, func(t *testing.T) {
				g := newGateway()
				r := boot(t, g, g.config())
				if c.call != "verify" {
					r.installs("app 1.0")
				}
				if c.call == "deactivate" {
					r.ok("Activate", r.activate())
				}
				g.pauses[c.call] = make(chan struct{})
				answer := make(chan error, 1)
				go func() { answer <- c.execute(r) }()
				synctest.Wait()
				before := g.record()
				for n := range c.restarts {
					if n > 0 && g.record() == before {
						t.Fatalf("restart %d is not counted", n)
					}
					before = g.record()
					r = r.reboot(g.config())
				}
				<-answer
				r.shows(c.want)
				if strings.Contains(g.record(), "attempts") {
					t.Errorf("the attempts still count: %s", g.record())
				}
				calls := fmt.Sprint(g.calls)
				r = r.reboot(g.config())
				r.shows(c.want)
				if fmt.Sprint(g.calls) != calls {
					t.Errorf("it was tried again: %v", g.calls)
				}
			})
		})
	}
}

// ending is a gateway of which one method ends its goroutine.
type ending struct {
	*gateway
	method *string
}

func (e ending) end(method string) {
	if *e.method == method {
		runtime.Goexit()
	}
}

func (e ending) Verify(ctx context.Context, p *softwaremanagement.Package) error {
	e.end("verify")
	return e.gateway.Verify(ctx, p)
}

func (e ending) Install(ctx context.Context, p *softwaremanagement.Package) (softwaremanagement.Outcome, error) {
	e.end("install")
	return e.gateway.Install(ctx, p)
}

func (e ending) Activate(ctx context.Context, s softwaremanagement.Software) error {
	e.end("activate")
	return e.gateway.Activate(ctx, s)
}

func (e ending) Deactivate(ctx context.Context, s softwaremanagement.Software) error {
	e.end("deactivate")
	return e.gateway.Deactivate(ctx, s)
}

func (e ending) Uninstall(ctx context.Context, s softwaremanagement.Software, forUpdate bool) error {
	e.end("uninstall")
	return e.gateway.Uninstall(ctx, s, forUpdate)
}

// A method that ends its goroutine has failed: the server gets an answer, and can try again.
func TestInstallerEndsItsGoroutine(t *testing.T) {
	in(t, func(t *testing.T) {
		g := newGateway()
		method := "verify"
		c := g.config()
		c.Installer = ending{g, &method}
		r := boot(t, g, c)
		r.ok("push", r.upload("app 1.0"))
		r.shows("0/57")
		method = "install"
		r.ok("push", r.upload("app 1.0"))
		r.shows("3/3")
		r.ok("Install", r.install())
		r.shows("3/58")
		method = "activate"
		r.ok("Install", r.install())
		r.shows("4/2")
		for _, s := range []struct {
			method, failed, succeeded string
			execute                   func() error
		}{
			{"activate", "4/2", "4/2 active", r.activate},
			{"deactivate", "4/2 active", "4/2", r.deactivate},
			{"", "", "4/2 active", r.activate},
			{"deactivate", "4/59 active", "0/0", func() error { return r.uninstall("1") }},
			{"", "", "4/2 active", func() error { r.installs("app 2.0"); return r.activate() }},
			{"uninstall", "4/59", "0/0", func() error { return r.uninstall("") }},
		} {
			if method = s.method; method != "" {
				r.refused(method, s.execute(), dm.InternalServerError)
				r.shows(s.failed)
			}
			method = ""
			r.ok(s.method, s.execute())
			r.shows(s.succeeded)
		}
	})
}

// A callback and a store that end their goroutine do not stop the object.
func TestProgramEndsItsGoroutine(t *testing.T) {
	in(t, func(t *testing.T) {
		g := newGateway()
		c := g.config()
		c.Changed = func(softwaremanagement.Status) { runtime.Goexit() }
		c.Store = endingStore{&g.records, new(bool)}
		m, err := softwaremanagement.New(c)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		r := &rig{t: t, gateway: g, software: m, Device: objecttest.New(t, m)}
		r.refused("push", r.upload("app 1.0"), dm.InternalServerError)
		<-time.After(time.Minute)
		r.shows("0/52")
		r.installs("app 1.0")
		r.shows("4/2")
	})
}

// endingStore ends the goroutine of its first call.
type endingStore struct {
	*objecttest.Records
	called *bool
}

func (s endingStore) Apply(changes ...store.Change) error {
	if !*s.called {
		*s.called = true
		runtime.Goexit()
	}
	return s.Records.Apply(changes...)
}

// record returns what the store holds of component 0.
func (g *gateway) record() string {
	g.Lock()
	defer g.Unlock()
	return string(g.records.Values["softwaremanagement/0"])
}
