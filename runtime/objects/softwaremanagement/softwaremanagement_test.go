package softwaremanagement_test

import (
	"context"
	"errors"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/objects/softwaremanagement"
)

// The life of software, from the first package until it is gone.
func TestLife(t *testing.T) {
	in(t, func(t *testing.T) {
		g := newGateway()
		r := boot(t, g, g.config())
		r.shows("0/0")
		r.names(" ")
		r.ok("push", r.upload("ap", "p 1", ".0"))
		r.reported("1/1", "2/0", "3/3")
		r.names("app 1.0")
		r.ok("Install", r.install())
		r.reported("3/3", "4/2")
		r.called("install 0 1.0")
		if len(g.flash[0].Bytes) > 0 {
			t.Error("the package is still there")
		}
		r.ok("Activate", r.activate())
		r.shows("4/2 active")
		r.ok("Activate again", r.activate())
		r.called("activate 0 1.0")
		r.ok("Deactivate", r.deactivate())
		r.shows("4/2")
		r.ok("Deactivate again", r.deactivate())
		r.called("deactivate 0 1.0")
		r.ok("Activate", r.activate())
		r.ok("Uninstall", r.uninstall(""))
		r.shows("0/0")
		r.called("activate 0 1.0", "deactivate 0 1.0", "uninstall 0 1.0")
		r.names(" ")
		r.reported("4/2", "4/2 active", "4/2 active", "4/2 active", "4/2", "4/2", "4/2", "4/2 active", "4/2", "0/0")
	})
}

// Software that a server updates stays on the device until the new version replaces it.
func TestForUpdate(t *testing.T) {
	for name, args := range map[string]string{"number": "1", "value": "0='1'"} {
		t.Run(name, func(t *testing.T) {
			in(t, func(t *testing.T) {
				g := newGateway()
				r := boot(t, g, g.config())
				r.installs("app 1.0")
				r.ok("Activate", r.activate())
				r.called("install 0 1.0", "activate 0 1.0")
				r.refused("a package for software that is installed", r.upload("app 2.0"), dm.MethodNotAllowed)
				r.ok("Uninstall for an update", r.uninstall(args))
				r.shows("0/0")
				r.names(" ")
				r.called("deactivate 0 1.0", "prepare 0 1.0")
				r.ok("Uninstall for an update, again", r.uninstall(args))
				r.refused("Activate", r.activate(), dm.MethodNotAllowed)
				r = r.reboot(g.config())
				r.shows("0/0")
				r.installs("app 2.0")
				r.called("update 1.0 by 0 2.0")
				r.shows("4/2")
				r.ok("Activate", r.activate())
				r.ok("Uninstall for an update", r.uninstall(args))
				r.called("activate 0 2.0", "deactivate 0 2.0", "prepare 0 2.0")
				r.ok("push", r.upload("app 3.0"))
				r.shows("3/3")
				r.ok("Uninstall of the package and of what was prepared", r.uninstall("0"))
				r.shows("0/0")
				r.called("uninstall 0 2.0")
				r.refused("Uninstall of nothing", r.uninstall("0='0'"), dm.MethodNotAllowed)
				r.installs("app 4.0")
				r.called("install 0 4.0")
			})
		})
	}
}

// What was prepared for an update can be removed without one, also after a package was discarded.
func TestUninstallAfterPreparing(t *testing.T) {
	in(t, func(t *testing.T) {
		g := newGateway()
		r := boot(t, g, g.config())
		r.installs("app 1.0")
		r.ok("Uninstall for an update", r.uninstall("1"))
		r.ok("push", r.upload("app 2.0"))
		r.shows("3/3")
		r.ok("Uninstall of the package only", r.uninstall("1"))
		r.shows("0/0")
		r.called("install 0 1.0", "prepare 0 1.0")
		g.errs["uninstall"] = errors.New("in use")
		r.refused("Uninstall", r.uninstall(""), dm.InternalServerError)
		r.shows("0/59")
		delete(g.errs, "uninstall")
		r.ok("Uninstall", r.uninstall(""))
		r.shows("0/0")
		r.called("uninstall 0 1.0", "uninstall 0 1.0")
	})
}

func TestReset(t *testing.T) {
	for name, reset := range map[string]func(r *rig) error{
		"a zero byte in Package": func(r *rig) error { return r.upload("\x00") },
		"an empty Package":       func(r *rig) error { return r.upload() },
		"an empty Package URI":   func(r *rig) error { return r.uri("") },
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(t *testing.T) {
				g := newGateway()
				g.download = func(ctx context.Context, _ string) ([]byte, error) { <-ctx.Done(); return nil, ctx.Err() }
				r := boot(t, g, g.config())
				r.ok("reset when idle", reset(r))
				r.shows("0/0")
				r.ok("push", r.upload("app 2.0"))
				r.shows("3/3")
				r.refused("another package", r.upload("app 3.0"), dm.MethodNotAllowed)
				err := r.uri("coap://files/3")
				r.refused("a URI", err, dm.MethodNotAllowed)
				if !strings.HasPrefix(err.Error(), "/9/0/3: ") {
					t.Errorf("the refusal does not name the resource: %v", err)
				}
				r.ok("reset", reset(r))
				r.shows("0/0")
				r.names(" ")
				r.ok("URI", r.uri("coap://files/3"))
				r.shows("1/1")
				r.ok("reset of a download", reset(r))
				r.shows("0/0")
				g.pauses["verify"] = make(chan struct{})
				r.ok("push", r.upload("app 4.0"))
				r.shows("2/0")
				r.ok("reset of a check", reset(r))
				r.shows("0/0")
				delete(g.pauses, "verify")
				r.installs("app 5.0")
				r.refused("reset of software", reset(r), dm.MethodNotAllowed)
				r.shows("4/2")
				r.called("install 0 5.0")
			})
		})
	}
}

// Every result of a failure, and the state that it leaves.
func TestResults(t *testing.T) {
	cause := errors.New("injected")
	fail := softwaremanagement.Fail
	for name, c := range map[string]struct {
		prepare func(g *gateway)
		uri     string // pull; empty means push
		want    string
	}{
		"full storage":           {func(g *gateway) { g.flash[0].Err = syscall.ENOSPC }, "", "0/50"},
		"no memory":              {func(g *gateway) { g.flash[0].Err = fail(51, cause) }, "", "0/51"},
		"write error":            {func(g *gateway) { g.flash[0].Err = cause }, "", "0/57"},
		"lost connection":        {func(*gateway) {}, "coap://files/none", "0/52"},
		"full storage, pull":     {func(g *gateway) { g.flash[0].Err = syscall.ENOSPC }, "coap://files/2.0", "0/50"},
		"bad checksum":           {func(g *gateway) { g.errs["verify"] = cause }, "", "0/53"},
		"wrong type":             {func(g *gateway) { g.errs["verify"] = fail(54, cause) }, "", "0/54"},
		"device error":           {func(g *gateway) { g.errs["verify"] = fail(57, cause) }, "", "0/57"},
		"unknown result":         {func(g *gateway) { g.errs["verify"] = fail(-55, cause) }, "", "0/57"},
		"success as a failure":   {func(g *gateway) { g.errs["verify"] = fail(2, cause) }, "", "0/57"},
		"no URI":                 {func(*gateway) {}, "app.tar", "0/56"},
		"credentials in the URI": {func(*gateway) {}, "coap://me:secret@files/2.0", "0/56"},
		"scheme":                 {func(*gateway) {}, "ftp://files/2.0", "0/56"},
		"file scheme":            {func(*gateway) {}, "file:///etc/passwd", "0/56"},
		"installation":           {func(g *gateway) { g.errs["install"] = cause }, "", "3/58"},
		"installation, storage":  {func(g *gateway) { g.errs["install"] = syscall.ENOSPC }, "", "3/50"},
		"installation, checksum": {func(g *gateway) { g.errs["install"] = fail(53, cause) }, "", "0/53"},
		"installation, type":     {func(g *gateway) { g.errs["install"] = fail(58, fail(54, cause)) }, "", "0/54"},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(t *testing.T) {
				g := newGateway()
				g.download = func(_ context.Context, uri string) ([]byte, error) {
					if version := strings.TrimPrefix(uri, "coap://files/"); version != "none" {
						return []byte("app " + version), nil
					}
					return nil, cause
				}
				c.prepare(g)
				r := boot(t, g, g.config())
				if c.uri != "" {
					r.ok("URI", r.uri(c.uri))
				} else {
					_ = r.upload("app 2.0")
				}
				synctest.Wait()
				if r.software.Status(0).State == 3 {
					r.ok("Install", r.install())
				}
				r.shows(c.want)
				if g.disk[0] != "" {
					t.Errorf("%q is installed", g.disk[0])
				}
			})
		})
	}
}

// An operation that fails is answered 5.00 and leaves the truth.
func TestOperationsFail(t *testing.T) {
	in(t, func(t *testing.T) {
		g := newGateway()
		cause := errors.New("injected")
		r := boot(t, g, g.config())
		r.installs("app 1.0")
		g.errs["activate"] = cause
		r.refused("Activate", r.activate(), dm.InternalServerError)
		r.shows("4/2")
		delete(g.errs, "activate")
		r.ok("Activate", r.activate())
		g.errs["deactivate"] = cause
		r.refused("Deactivate", r.deactivate(), dm.InternalServerError)
		r.shows("4/2 active")
		r.refused("Uninstall of software that does not end", r.uninstall(""), dm.InternalServerError)
		r.shows("4/59 active")
		delete(g.errs, "deactivate")
		for call, args := range map[string]string{"uninstall": "", "prepare": "1"} {
			g.errs[call] = cause
			r.ok("Activate", r.activate())
			r.refused(call, r.uninstall(args), dm.InternalServerError)
			r.shows("4/59")
		}
		clear(g.errs)
		r.ok("Activate", r.activate())
		r.shows("4/59 active")
		r.ok("Uninstall", r.uninstall("0"))
		r.shows("0/0")
	})
}

// While something happens to software, other requests are refused, and a reset is, too.
func TestRefusals(t *testing.T) {
	in(t, func(t *testing.T) {
		g := newGateway()
		c := g.config()
		busy := true
		c.Busy, c.MaxSize = func() bool { return busy }, 100
		r := boot(t, g, c)
		execute := func(what string, allowed ...string) {
			t.Helper()
			for name, err := range map[string]func() error{"Install": r.install, "Activate": r.activate,
				"Deactivate": r.deactivate, "Uninstall": func() error { return r.uninstall("") },
				"Uninstall for an update": func() error { return r.uninstall("1") }} {
				if !strings.Contains(strings.Join(allowed, ","), name) {
					r.refused(name+" "+what, err(), dm.MethodNotAllowed)
				}
			}
		}
		execute("of nothing")
		r.refused("a large package", r.upload(strings.Repeat("x", 101)), dm.RequestEntityTooLarge)
		r.shows("0/50")
		r.ok("push", r.upload("app 1.0"))
		r.shows("3/3")
		r.refused("Install while something else is installed", r.install(), dm.MethodNotAllowed)
		busy = false
		for _, args := range []string{"2", "0='2'", "1='1'", "0,1"} {
			r.refused("Uninstall with "+args, r.uninstall(args), dm.BadRequest)
		}
		for _, call := range []string{"install", "activate", "deactivate", "uninstall"} {
			g.pauses[call] = make(chan struct{})
		}
		r.ok("Install", r.install())
		r.shows("3/3")
		if !r.software.Installing() {
			t.Error("nothing is being installed")
		}
		busyNow := func(what string) {
			t.Helper()
			synctest.Wait()
			execute(what)
			r.refused("Package "+what, r.upload("app 2.0"), dm.MethodNotAllowed)
			r.refused("a reset "+what, r.uri(""), dm.MethodNotAllowed)
			r.refused("a URI "+what, r.uri("coap://files/2"), dm.MethodNotAllowed)
		}
		busyNow("during an installation")
		r.refused("Delete", r.Change(func(tx *dm.Transaction) error { return tx.Delete(dm.InstancePath(9, 0)) }), dm.MethodNotAllowed)
		// The other component is independent, but is not installed at the same time.
		r.ok("push to 1", r.Write("/9/1/2", dm.OpaqueValue([]byte("other 1.0"))))
		synctest.Wait()
		r.refused("Install of 1", r.Execute("/9/1/4", ""), dm.MethodNotAllowed)
		close(g.pauses["install"])
		r.shows("4/2")
		if r.software.Installing() {
			t.Error("something is being installed")
		}
		for _, operation := range []struct {
			call, before, after string
			execute             func() error
		}{
			{"activate", "4/2", "4/2 active", r.activate},
			{"deactivate", "4/2 active", "4/2", r.deactivate},
			{"uninstall", "4/2", "0/0", func() error { return r.uninstall("") }},
		} {
			answer := make(chan error, 1)
			go func() { answer <- operation.execute() }()
			busyNow("during " + operation.call)
			r.shows(operation.before)
			close(g.pauses[operation.call])
			r.ok(operation.call, <-answer)
			r.shows(operation.after)
		}
		r.called("install 0 1.0", "activate 0 1.0", "deactivate 0 1.0", "uninstall 0 1.0")
	})
}

// A state that cannot be stored is not reported, and nothing happens.
func TestStoreFails(t *testing.T) {
	in(t, func(t *testing.T) {
		g := newGateway()
		r := boot(t, g, g.config())
		again := func() { g.fill(false); <-time.After(2 * time.Minute) }
		r.ok("push", r.upload("app 1.0"))
		synctest.Wait()
		g.fill(true)
		r.refused("Install", r.install(), dm.InternalServerError)
		r.shows("3/3")
		r.refused("Install while that is not stored", r.install(), dm.ServiceUnavailable)
		again()
		r.shows("3/58")
		r.called()
		r.ok("Install", r.install())
		synctest.Wait()
		g.fill(true)
		r.refused("Activate", r.activate(), dm.InternalServerError)
		again()
		r.shows("4/2")
		r.called("install 0 1.0")
		r.ok("Activate", r.activate())
		g.fill(true)
		r.refused("Uninstall", r.uninstall(""), dm.InternalServerError)
		again()
		r.shows("4/59 active")
		r.called("activate 0 1.0")
		// The end of an operation is answered although it cannot be stored yet.
		g.pauses["deactivate"] = make(chan struct{})
		answer := make(chan error, 1)
		go func() { answer <- r.deactivate() }()
		synctest.Wait()
		g.fill(true)
		close(g.pauses["deactivate"])
		r.refused("Deactivate", <-answer, dm.InternalServerError)
		again()
		r.shows("4/59")
		r.called("deactivate 0 1.0")
	})
}

func TestNewRefuses(t *testing.T) {
	_, err := softwaremanagement.New(softwaremanagement.Config{NoPush: true, MaxSize: -1,
		Components: []softwaremanagement.Component{{}}})
	for _, want := range []string{"Installer", "Components[0].Storage", "NoPush", "MaxSize"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one that names %s", err, want)
		}
	}
	if _, err := softwaremanagement.New(softwaremanagement.Config{}); err == nil || !strings.Contains(err.Error(), "Components has 0") {
		t.Errorf("error %v, want one that names Components", err)
	}
	for _, damaged := range []string{"", "{", `{"phase":12}`, `{"result":60}`} {
		g := newGateway()
		g.records.Values["softwaremanagement/1"] = []byte(damaged)
		if _, err := softwaremanagement.New(g.config()); err == nil || !strings.Contains(err.Error(), "softwaremanagement/1") {
			t.Errorf("the record %q gives the error %v", damaged, err)
		}
	}
}

func TestOneWay(t *testing.T) {
	in(t, func(t *testing.T) {
		g := newGateway()
		c := g.config()
		c.NoPush = true
		r := boot(t, g, c)
		if r.has(2) || !r.has(3) {
			t.Error("Package exists, or Package URI does not")
		}
		g = newGateway()
		c = g.config()
		c.Components[0].Downloader = nil
		r = boot(t, g, c)
		if !r.has(2) || r.has(3) {
			t.Error("Package URI exists, or Package does not")
		}
		r.ok("push", r.upload("app 1.0"))
		r.shows("3/3")
	})
}
