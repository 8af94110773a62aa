package advancedfirmware_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/objects/advancedfirmware"
	"github.com/lwm2mgen/toolkit/runtime/objects/internal/objecttest"
)

// Components are updated one by one, and do not disturb each other.
func TestComponents(t *testing.T) {
	in(t, func(t *testing.T) {
		b := newBoard()
		r := boot(t, b, b.config())
		if got := r.Value("/33629/1/14").Text(); got != "modem" {
			t.Errorf("Component Name is %q", got)
		}
		r.ok("push", r.upload(0, "applica", "tion 2.0"))
		r.ok("URI", r.Write("/33629/1/1", dm.StringValue("coap://files/modem-3.0")))
		r.shows("2/0 2/0 0/0")
		r.links(0, "", "")
		r.ok("Update", r.execute(1, ""))
		r.shows("2/0 0/1 0/0")
		r.runs("1.0", "3.0", "1.0")
		r.ok("Update", r.execute(0, "0"))
		r.shows("0/1 0/1 0/0")
		r.runs("2.0", "3.0", "1.0")
		r.ok("push", r.upload(2, "nonsense"))
		r.shows("0/1 0/1 0/5")
		r.ok("push", r.upload(2, "modem 2.0"))
		r.shows("0/1 0/1 0/6")
		if !slices.Equal(b.installs, []string{"modem 3.0", "application 2.0"}) {
			t.Errorf("installed %v", b.installs)
		}
	})
}

// An image that needs another one is installed together with it.
func TestLinkedInstances(t *testing.T) {
	in(t, func(t *testing.T) {
		b := newBoard()
		b.needs["application 2.0"], b.needs["modem 3.0"] = "modem 3.0", "bootloader 4.0"
		r := boot(t, b, b.config())
		r.pushes("application 2.0")
		r.links(0, "", "/33629/1")
		r.pushes("modem 3.0")
		r.links(0, "/33629/1", "/33629/2")
		r.ok("Update", r.execute(0, ""))
		r.shows("2/13 2/0 0/0")
		r.links(0, "/33629/1", "/33629/2")
		r.pushes("bootloader 4.0")
		r.links(0, "/33629/1 /33629/2", "/33629/2") // what has failed stays until the next Update
		r.links(1, "/33629/2", "")
		r.links(2, "", "")
		r.ok("Update", r.execute(0, ""))
		r.shows("0/1 0/1 0/1")
		r.links(0, "", "")
		r.runs("2.0", "3.0", "4.0")
		if !slices.Equal(b.installs, []string{"application 2.0+modem 3.0+bootloader 4.0"}) {
			t.Errorf("installed %v", b.installs)
		}
	})
}

// The argument 0 of Update says what is installed together.
func TestUpdateOfNamedInstances(t *testing.T) {
	for args, want := range map[string]struct{ states, conflicting, installed string }{
		"":                          {"0/1 0/1 2/0", "", "application 2.0+modem 3.0"},
		"0":                         {"2/13 2/0 2/0", "/33629/1", ""},
		"0=''":                      {"2/13 2/0 2/0", "/33629/1", ""},
		"0='</33629/1>'":            {"0/1 0/1 2/0", "", "application 2.0+modem 3.0"},
		"0='</33629/1>,</33629/1>'": {"0/1 0/1 2/0", "", "application 2.0+modem 3.0"},
		"0='</33629/2>'":            {"2/13 2/0 2/0", "/33629/1", ""},
		"0='</33629/2>,</33629/1>'": {"0/1 0/1 0/1", "", "application 2.0+bootloader 5.0+modem 3.0"},
	} {
		t.Run(args, func(t *testing.T) {
			in(t, func(t *testing.T) {
				b := newBoard()
				b.needs["application 2.0"] = "modem 3.0"
				r := boot(t, b, b.config())
				r.pushes("application 2.0", "modem 3.0", "bootloader 5.0")
				r.ok("Update", r.execute(0, args))
				r.shows(want.states)
				r.links(0, map[bool]string{true: "/33629/1"}[want.installed == ""], want.conflicting)
				if got := strings.Join(b.installs, ","); got != want.installed {
					t.Errorf("installed %q, want %q", got, want.installed)
				}
			})
		})
	}
}

func TestRefusals(t *testing.T) {
	in(t, func(t *testing.T) {
		b := newBoard()
		c := b.config()
		busy := false
		c.Busy, c.MaxSize = func() bool { return busy }, 100
		r := boot(t, b, c)
		for _, args := range []string{"1", "0,1='x'", "0='x'", "0='/33629/1'", "0='</5/0>'", "0='</33629>'", "0='</33629/1/0>'",
			"0='</33629/3>'", "0=','", "0='</33629/1>,'"} {
			r.refused("Update with "+args, r.execute(0, args), dm.BadRequest)
		}
		r.refused("Update when idle", r.execute(0, ""), dm.MethodNotAllowed)
		r.refused("Cancel when idle", r.Execute("/33629/0/10", ""), dm.MethodNotAllowed)
		r.refused("approval", r.update.Approve(context.Background(), 0), dm.MethodNotAllowed)
		r.refused("approval of nothing", r.update.Approve(context.Background(), 7), dm.NotFound)
		r.refused("Create", r.Create(33629, 3), dm.MethodNotAllowed)
		r.refused("Delete", r.Change(func(tx *dm.Transaction) error { return tx.Delete(dm.InstancePath(33629, 1)) }), dm.MethodNotAllowed)
		r.refused("a large image", r.upload(1, strings.Repeat("x", 101)), dm.RequestEntityTooLarge)
		r.shows("0/0 0/2 0/0")
		r.pushes("application 2.0", "modem 2.0")
		r.refused("another image", r.upload(0, "application 3.0"), dm.MethodNotAllowed)
		busy = true
		r.refused("Update while something else updates", r.execute(0, ""), dm.MethodNotAllowed)
		busy, b.restarts = false, true
		r.ok("Update", r.execute(0, ""))
		r.shows("3/0 2/0 0/0")
		r.refused("Update of another component meanwhile", r.execute(1, ""), dm.MethodNotAllowed)
		r.refused("Cancel", r.Execute("/33629/0/10", ""), dm.MethodNotAllowed)
		r.ok("a reset of another component", r.upload(1, "\x00"))
		r.shows("3/0 0/0 0/0")
	})
}

// Update names a component without an image, or one that is being received.
func TestUpdateWithoutImage(t *testing.T) {
	in(t, func(t *testing.T) {
		b := newBoard()
		r := boot(t, b, b.config())
		r.pushes("application 2.0")
		r.ok("Update", r.execute(0, "0='</33629/1>,</33629/2>'"))
		r.shows("2/13 0/0 0/0")
		r.links(0, "", "/33629/1 /33629/2")
		r.ok("Update", r.execute(0, "0"))
		r.shows("0/1 0/0 0/0")
		r.links(0, "", "")
	})
}

// One image updates several components.
func TestBundle(t *testing.T) {
	in(t, func(t *testing.T) {
		const bundle = "application 2.0\nmodem 3.0"
		b := newBoard()
		r := boot(t, b, b.config())
		r.pushes("modem 9.0")
		r.ok("push", r.upload(0, bundle))
		r.shows("0/12 2/0 0/0")
		r.links(0, "", "/33629/1")
		r.ok("Cancel", r.Execute("/33629/1/10", ""))
		r.shows("0/12 0/10 0/0")
		r.ok("push", r.upload(0, bundle))
		r.shows("2/0 2/0 0/0")
		r.links(0, "/33629/1", "")
		r.links(1, "/33629/0", "")
		r.refused("an image for a component of the bundle", r.upload(1, "modem 4.0"), dm.MethodNotAllowed)
		r.ok("Update of a part", r.execute(1, "0"))
		r.shows("2/0 2/13 0/0")
		r.links(1, "/33629/0", "/33629/0")
		// The bundle survives a restart.
		r.ok("close", r.update.Close())
		r = boot(t, b, b.config())
		r.shows("2/0 2/13 0/0")
		r.ok("Cancel", r.Execute("/33629/1/10", ""))
		r.shows("0/10 0/10 0/0")
		r.ok("push", r.upload(0, bundle))
		synctest.Wait()
		r.ok("Update", r.execute(1, ""))
		r.shows("0/1 0/1 0/0")
		r.runs("2.0", "3.0", "1.0")
		if !slices.Equal(b.installs, []string{"modem 3.0+application 2.0"}) {
			t.Errorf("installed %v", b.installs)
		}
	})
}

// After a failure all components of the installation keep their images.
func TestInstallationFails(t *testing.T) {
	in(t, func(t *testing.T) {
		b := newBoard()
		b.needs["application 2.0"] = "modem 3.0"
		r := boot(t, b, b.config())
		r.pushes("application 2.0", "modem 3.0", "bootloader 4.0")
		b.installErr = objecttest.ErrPower
		r.ok("Update", r.execute(0, ""))
		r.shows("2/8 2/8 2/0")
		b.installErr = advancedfirmware.Fail(5, objecttest.ErrPower)
		r.ok("Update", r.execute(0, ""))
		r.shows("0/5 0/5 2/0")
	})
}

func TestDeferral(t *testing.T) {
	in(t, func(t *testing.T) {
		b := newBoard()
		b.needs["application 2.0"] = "modem 3.0"
		c := b.config()
		var asked []string
		c.Ask = func(images []*advancedfirmware.Image, _ time.Time) bool {
			for _, i := range images {
				asked = append(asked, i.Name)
			}
			return true
		}
		r := boot(t, b, c)
		r.pushes("application 2.0", "modem 3.0")
		r.ok("Update", r.execute(0, ""))
		r.shows("2/11 2/11 0/0")
		if !slices.Equal(asked, []string{"application", "modem"}) {
			t.Errorf("asked for %v", asked)
		}
		// A component that leaves ends the postponed installation of the others.
		r.ok("Cancel", r.Execute("/33629/1/10", ""))
		r.shows("2/0 0/10 0/0")
		r.ok("Update", r.execute(0, ""))
		r.shows("2/13 0/10 0/0")
		r.pushes("modem 3.0")
		r.ok("Maximum Defer Period", r.Write("/33629/0/13", dm.UnsignedValue(3600)))
		r.ok("Update", r.execute(0, ""))
		r.shows("2/11 2/11 0/0")
		r.ok("close", r.update.Close())
		r = boot(t, b, c)
		r.shows("2/11 2/11 0/0")
		<-time.After(59 * time.Minute)
		r.shows("2/11 2/11 0/0")
		<-time.After(2 * time.Minute)
		r.shows("0/1 0/1 0/0")
		r.pushes("bootloader 4.0")
		r.ok("Update", r.execute(2, ""))
		r.shows("0/1 0/1 2/11")
		r.ok("approval", r.update.Approve(context.Background(), 2))
		r.shows("0/1 0/1 0/1")
		r.runs("2.0", "3.0", "4.0")
	})
}

// A program with other components starts with the records of its predecessor.
func TestFewerComponents(t *testing.T) {
	in(t, func(t *testing.T) {
		b := newBoard()
		r := boot(t, b, b.config())
		r.ok("push", r.upload(2, "bootloader 2.0\napplication 2.0"))
		r.ok("push", r.upload(1, "modem 2.0"))
		r.shows("2/0 2/0 2/0")
		r.ok("close", r.update.Close())
		c := b.config()
		c.Components = c.Components[:2]
		r = boot(t, b, c)
		synctest.Wait()
		if got := r.update.Status(0); got.State != 0 || got.Result != 5 {
			t.Errorf("the component whose image is gone shows %+v", got)
		}
		if got := r.update.Status(1); got.State != 2 {
			t.Errorf("the modem shows %+v", got)
		}
		r.ok("Update", r.execute(1, ""))
		synctest.Wait()
		if b.running["modem"] != "2.0" {
			t.Errorf("modem %s runs", b.running["modem"])
		}
	})
}

func TestNewRefuses(t *testing.T) {
	_, err := advancedfirmware.New(advancedfirmware.Config{NoPush: true, MaxSize: -1, Components: []advancedfirmware.Component{{}, {Name: "x"}}})
	for _, want := range []string{"Installer", "[0].Name", "[1].Version", "MaxSize"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one that names %s", err, want)
		}
	}
	if _, err := advancedfirmware.New(advancedfirmware.Config{}); err == nil || !strings.Contains(err.Error(), "Components") {
		t.Errorf("error %v without components", err)
	}
	b := newBoard()
	b.records.Values["advancedfirmware/1"] = []byte(`{"phase":9}`)
	if _, err := advancedfirmware.New(b.config()); err == nil || !strings.Contains(err.Error(), "advancedfirmware/1") {
		t.Errorf("error %v for a damaged record", err)
	}
}
