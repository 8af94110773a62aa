package softwaremanagement_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/lwm2mgen/toolkit/runtime/objects/softwaremanagement"
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

// record returns what the store holds of component 0.
func (g *gateway) record() string {
	g.Lock()
	defer g.Unlock()
	return string(g.records.Values["softwaremanagement/0"])
}
