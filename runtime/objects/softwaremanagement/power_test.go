package softwaremanagement_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// The versions that a server brings, one after another. It activates each, and updates one by the
// next; the last one it uninstalls.
var versions = []string{"1.0", "2.0"}

// bring lets a server do what is next until the last version is uninstalled, whatever the device
// reports. It stops when nothing goes on, because the power is lost or the device restarts. done is
// how many versions it has seen running, and is updated.
func (r *rig) bring(done *int) {
	for range 30 {
		synctest.Wait()
		if r.gateway.lost() {
			return
		}
		switch s := r.software.Status(0); {
		case s.State == 0 && *done == len(versions):
			if r.gateway.onDisk() == "" {
				return
			}
			_ = r.uninstall("")
		case s.State == 0:
			_ = r.upload("app", " "+versions[*done])
		case s.State == 3 && r.software.Installing():
			return // it restarts
		case s.State == 3:
			_ = r.install()
		case s.State == 4 && !s.Active && (*done == 0 || versions[*done-1] != r.version()):
			_ = r.activate()
			if text(r.software.Status(0)) == "4/2 active" {
				*done++
			}
		case s.State == 4 && *done < len(versions):
			_ = r.uninstall("1")
		case s.State == 4:
			_ = r.uninstall("")
		}
	}
}

func (r *rig) version() string { return r.Value("/9/0/1").Text() }

func (g *gateway) lost() bool {
	g.Lock()
	defer g.Unlock()
	return g.Lost()
}

func (g *gateway) onDisk() string {
	g.Lock()
	defer g.Unlock()
	return g.disk[0]
}

// truth returns why what servers read is not true, or "".
func (g *gateway) truth(r *rig) string {
	g.Lock()
	defer g.Unlock()
	s := r.software.Status(0)
	disk, running := g.disk[0], g.running[0]
	switch {
	case s.Active != running:
		return "the software is reported as active, and does not run, or the other way round"
	case s.State == 4 && disk != r.version():
		return "software is reported as installed that is not on the disk"
	case s.State == 3 && !strings.HasPrefix(string(g.flash[0].Durable), "app "+r.version()):
		return "the package is reported as delivered, and is not in the storage"
	case s.State == 0 && disk != "" && !strings.HasPrefix(disk, "-"):
		return "software that is installed is forgotten"
	case s.Result == 2 && s.State != 4:
		return "success is reported for what is not installed"
	}
	return ""
}

// The power is lost after every single operation on the storage and on the store, and before and
// after each thing that the device does with software. The device comes back with a true state,
// never installs by itself, runs what ran before and nothing else, and the server reaches its end.
func TestPowerLossAtEveryStep(t *testing.T) {
	for _, restarts := range []bool{false, true} {
		t.Run(map[bool]string{false: "without restarts", true: "with restarts"}[restarts], func(t *testing.T) {
			states := map[string]bool{}
			limit := 0
			for lost := true; lost; limit++ {
				in(t, func(t *testing.T) { lost = losePower(t, limit, restarts, states) })
				if t.Failed() {
					t.Fatalf("after %d operations", limit)
				}
			}
			t.Logf("%d losses of power, which came back as %v", limit, states)
			if limit < 60 || len(states) < 6 {
				t.Errorf("only %d losses of power, and the states %v", limit, states)
			}
		})
	}
}

// losePower runs the life of software with a loss of power after limit operations. It reports
// whether that happened.
func losePower(t *testing.T, limit int, restarts bool, states map[string]bool) bool {
	g := newGateway()
	g.restarts, g.Limit = restarts, limit
	done := 0
	r := boot(t, g, g.config())
	for range len(versions) + 1 { // the restarts of installations
		if r == nil {
			break
		}
		r.bring(&done)
		if !restarts || g.lost() {
			break
		}
		r.ok("close", r.software.Close())
		synctest.Wait()
		keep := g.Limit
		g.restart()
		g.Limit = keep
		r = boot(t, g, g.config())
	}
	lost := g.lost()
	before := ""
	if r != nil {
		synctest.Wait()
		before = text(r.software.Status(0))
		r.ok("close", r.software.Close())
	}
	installs := len(g.installs())
	g.restart()
	r = boot(t, g, g.config())
	<-time.After(time.Hour)
	synctest.Wait()
	after := text(r.software.Status(0))
	states[after] = true
	if fault := g.truth(r); fault != "" {
		t.Errorf("%s: %q, disk %q, running %v", fault, after, g.disk[0], g.running[0])
	}
	if strings.HasSuffix(before, "active") && after == "4/2" && !g.went("deactivate 0 "+r.version()) {
		t.Errorf("the software was %q before the loss of power, and does not run: %q", before, g.calls)
	}
	if len(g.installs()) != installs {
		t.Errorf("the device has installed by itself: %q", g.calls)
	}
	for range len(versions) + 1 {
		r.bring(&done)
		if r.software.Installing() {
			r = r.reboot(g.config())
		}
	}
	r.shows("0/0")
	if done != len(versions) || g.disk[0] != "" || g.running[0] {
		t.Errorf("in the end %d versions have run, the disk holds %q, running: %v", done, g.disk[0], g.running[0])
	}
	return lost
}

// installs returns the installations so far.
func (g *gateway) installs() []string {
	return slices.DeleteFunc(slices.Clone(g.calls), func(c string) bool {
		return !strings.HasPrefix(c, "install") && !strings.HasPrefix(c, "update")
	})
}
