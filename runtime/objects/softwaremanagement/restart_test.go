package softwaremanagement_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/objects/softwaremanagement"
)

// Software that ran is activated after a restart; other software is not.
func TestRestart(t *testing.T) {
	in(t, func(t *testing.T) {
		g := newGateway()
		r := boot(t, g, g.config())
		r.installs("app 1.0")
		r = r.reboot(g.config())
		r.shows("4/2")
		r.called("install 0 1.0")
		r.ok("Activate", r.activate())
		g.calls = nil
		r = r.reboot(g.config())
		r.shows("4/2 active")
		r.reported("4/2", "4/2 active") // not active before it runs
		r.called("activate 0 1.0")
		r.names("app 1.0")
		g.errs["activate"] = errors.New("injected")
		r = r.reboot(g.config())
		r.shows("4/2")
		clear(g.errs)
		r = r.reboot(g.config())
		r.shows("4/2") // it did not run
		r.called("activate 0 1.0")
	})
}

// What a restart interrupts is continued, but for an installation.
func TestRestartDuringOperation(t *testing.T) {
	for _, c := range []struct {
		call, want string
		calls      []string
		execute    func(r *rig) error
	}{
		{"install", "3/58", nil, (*rig).install},
		{"activate", "4/2 active", []string{"activate 0 1.0"}, (*rig).activate},
		{"deactivate", "4/2", []string{"activate 0 1.0", "deactivate 0 1.0"}, (*rig).deactivate},
		{"uninstall", "0/0", []string{"activate 0 1.0", "deactivate 0 1.0", "deactivate 0 1.0", "uninstall 0 1.0"},
			func(r *rig) error { return r.uninstall("") }},
		{"prepare", "0/0", []string{"activate 0 1.0", "deactivate 0 1.0", "deactivate 0 1.0", "prepare 0 1.0"},
			func(r *rig) error { return r.uninstall("1") }},
	} {
		t.Run(c.call, func(t *testing.T) {
			in(t, func(t *testing.T) {
				g := newGateway()
				r := boot(t, g, g.config())
				r.ok("push", r.upload("app 1.0"))
				synctest.Wait()
				if c.call != "install" {
					r.ok("Install", r.install())
					synctest.Wait()
				}
				if c.call != "install" && c.call != "activate" {
					r.ok("Activate", r.activate())
				}
				g.pauses[c.call] = make(chan struct{})
				answer := make(chan error, 1)
				go func() { answer <- c.execute(r) }()
				synctest.Wait()
				ok := r.software.Close()
				r.ok("close", ok)
				if err := <-answer; c.call != "install" && !errors.Is(err, dm.ServiceUnavailable) {
					t.Errorf("the request is answered %v", err)
				}
				synctest.Wait()
				delete(g.pauses, c.call)
				g.restart()
				r = boot(t, g, g.config())
				r.shows(c.want)
				if c.calls != nil {
					r.called(append([]string{"install 0 1.0"}, c.calls...)...)
				}
			})
		})
	}
}

// An installation that restarts the device is reported after the restart.
func TestInstallationRestarts(t *testing.T) {
	for _, succeeds := range []bool{true, false} {
		in(t, func(t *testing.T) {
			g := newGateway()
			g.restarts = true
			r := boot(t, g, g.config())
			r.ok("push", r.upload("app 1.0"))
			synctest.Wait()
			r.ok("Install", r.install())
			<-time.After(time.Hour)
			r.shows("3/3")
			r.refused("Install again", r.install(), dm.MethodNotAllowed)
			if !succeeds {
				g.next[0] = ""
			}
			r = r.reboot(g.config())
			if succeeds {
				r.shows("4/2")
				r.reported("4/2")
			} else {
				r.shows("3/58")
				r.reported("3/58")
			}
			r.called("install 0 1.0")
		})
	}
}

// Software that the device is made with is active from the first start on, and can be updated.
func TestShipped(t *testing.T) {
	in(t, func(t *testing.T) {
		g := newGateway()
		g.disk[0] = "1.0"
		c := g.config()
		c.Components[0].Shipped = softwaremanagement.Software{Name: "app", Version: "1.0"}
		r := boot(t, g, c)
		r.shows("4/2 active")
		r.names("app 1.0")
		if got := text(r.software.Status(1)); got != "0/0" {
			t.Errorf("component 1 is %s", got)
		}
		r.ok("Uninstall", r.uninstall(""))
		r.called("activate 0 1.0", "deactivate 0 1.0", "uninstall 0 1.0")
		r = r.reboot(c)
		r.shows("0/0") // it is gone
		r.called()
	})
}

// When the next version of the program ships other software, servers read which, unless a server
// has replaced or removed what was shipped.
func TestShippedChanges(t *testing.T) {
	for name, c := range map[string]struct {
		before func(r *rig)
		want   string
		names  string
		calls  []string // in the new version of the program
	}{
		"active":      {func(*rig) {}, "4/2 active", "app 1.1", []string{"activate 0 1.1"}},
		"deactivated": {func(r *rig) { r.ok("Deactivate", r.deactivate()) }, "4/2", "app 1.1", nil},
		"prepared":    {func(r *rig) { r.ok("Uninstall", r.uninstall("1")) }, "0/0", " ", nil},
		"removed":     {func(r *rig) { r.ok("Uninstall", r.uninstall("")) }, "0/0", " ", nil},
		"replaced":    {func(r *rig) { r.ok("Uninstall", r.uninstall("1")); r.installs("app 2.0") }, "4/2", "app 2.0", nil},
		"not removed": {func(r *rig) {
			r.gateway.errs["uninstall"] = errors.New("in use")
			r.refused("Uninstall", r.uninstall(""), dm.InternalServerError)
		}, "4/59", "app 1.1", nil},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(t *testing.T) {
				g := newGateway()
				cfg := g.config()
				cfg.Components[0].Shipped = softwaremanagement.Software{Name: "app", Version: "1.0"}
				r := boot(t, g, cfg)
				synctest.Wait()
				c.before(r)
				g.calls = nil
				cfg.Components[0].Shipped.Version = "1.1"
				for range 2 {
					r = r.reboot(cfg)
					r.shows(c.want)
					r.names(c.names)
					r.called(c.calls...)
					cfg.Components[0].Shipped = softwaremanagement.Software{} // changes nothing
				}
				if name == "prepared" {
					r.installs("app 2.0")
					r.called("update 1.1 by 0 2.0")
				}
			})
		})
	}
}

// What a server has written is in the store when it is answered, and it reads what follows at once,
// however slow the store is.
func TestAnsweredWhenStored(t *testing.T) {
	in(t, func(t *testing.T) {
		g := newGateway()
		g.records.Delay = 10 * time.Second
		g.download = func(ctx context.Context, _ string) ([]byte, error) { <-ctx.Done(); return nil, ctx.Err() }
		r := boot(t, g, g.config())
		now := func(want, record string) {
			t.Helper()
			if got := text(r.software.Status(0)); got != want || !strings.Contains(g.record(), record) {
				t.Errorf("servers read %s, want %s; the store holds %s, want %s", got, want, g.record(), record)
			}
		}
		r.ok("URI", r.uri("coap://files/2.0"))
		now("1/1", `"phase":2,"result":1,"uri":"coap://files/2.0"`)
		r.ok("reset", r.uri(""))
		r.ok("URI, while the reset is being stored", r.uri("coap://files/3.0"))
		now("1/1", "coap://files/3.0")
		r.ok("reset", r.uri(""))
		<-time.After(time.Hour)
		r.shows("0/0")
		r.ok("push", r.upload("app", " 1.0"))
		now("1/1", `"phase":3`)
		<-time.After(time.Hour)
		r.shows("3/3")
		r.ok("reset by Package", r.upload("\x00"))
		now("0/0", `"phase":0`)
		// A URI whose transaction fails is taken back.
		g.fill(true)
		r.refused("URI", r.uri("coap://files/4.0"), dm.InternalServerError)
		now("0/0", `"phase":0`)
		g.fill(false)
		<-time.After(time.Hour)
		r.shows("0/0")
		if strings.Contains(g.record(), "files") {
			t.Errorf("the store holds %s", g.record())
		}
	})
}
