package advancedfirmware_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// scenario is an update as a server brings it: what it pushes to which component, and the component
// on which it executes Update.
type scenario struct {
	name    string
	pushes  map[int]string // by component
	execute int
	want    []string // versions in the end
}

var scenarios = []scenario{
	{"one component", map[int]string{1: "modem 3.0"}, 1, []string{"1.0", "3.0", "1.0"}},
	{"linked components", map[int]string{0: "application 2.0", 1: "modem 3.0"}, 0, []string{"2.0", "3.0", "1.0"}},
	{"a bundle", map[int]string{0: "application 2.0\nbootloader 4.0"}, 2, []string{"2.0", "1.0", "4.0"}},
}

// bring lets a server bring the update, whatever state the device reports, until nothing is left to
// do, or the power is lost.
func (r *rig) bring(s scenario) {
	for range 10 {
		synctest.Wait()
		if r.done(s) {
			return
		}
		for id, image := range s.pushes {
			if state := r.state(id); state == 0 {
				_ = r.upload(instance(id), image[:3], image[3:])
				synctest.Wait()
			}
		}
		if r.state(s.execute) == 3 {
			return
		}
		_ = r.execute(instance(s.execute), "")
	}
}

func (r *rig) state(id int) int64 { return r.update.Status(instance(id)).State }

// done reports whether each component of the scenario runs what it should.
func (r *rig) done(s scenario) bool {
	for i, name := range components {
		if r.board.version(name) != s.want[i] {
			return false
		}
	}
	return true
}

// The power is lost after every single operation on the storages and on the store, and in the
// middle of the installation. The device comes back with true states, never installs by itself,
// never claims success for firmware that does not run, and the update succeeds in the end.
func TestPowerLossAtEveryStep(t *testing.T) {
	for _, s := range scenarios {
		for _, restarts := range []bool{false, true} {
			t.Run(s.name+map[bool]string{true: " with restart"}[restarts], func(t *testing.T) {
				states := map[string]bool{}
				limit := 0
				for lost := true; lost; limit++ {
					in(t, func(t *testing.T) { lost = losePower(t, s, limit, restarts, states) })
					if t.Failed() {
						t.Fatalf("after %d operations", limit)
					}
				}
				t.Logf("%d losses of power, which came back as %v", limit, states)
				if limit < 20 || len(states) < 4 {
					t.Errorf("only %d losses of power, and the states %v", limit, states)
				}
			})
		}
	}
}

// losePower runs one update with a loss of power after limit operations. It reports whether that
// happened.
func losePower(t *testing.T, s scenario, limit int, restarts bool, states map[string]bool) bool {
	b := newBoard()
	b.restarts, b.Limit = restarts, limit
	b.needs["application 2.0"] = map[bool]string{true: "modem 3.0"}[s.pushes[1] != "" && s.pushes[0] != ""]
	r := boot(t, b, b.config())
	if r != nil {
		r.bring(s)
		if restarts && b.Steps < limit { // the restart of the installation
			r.ok("close", r.update.Close())
			b.Lock()
			b.boot()
			b.Unlock()
			if r = boot(t, b, b.config()); r != nil {
				synctest.Wait()
			}
		}
	}
	before := map[int]int64{}
	if r != nil {
		for i := range components {
			before[i] = r.update.Status(instance(i)).Result
		}
		r.ok("close", r.update.Close())
	}
	lost := b.Steps >= limit
	installs := len(b.installs)
	b.restart()
	r = boot(t, b, b.config())
	var came []string
	for i, name := range components {
		status := r.update.Status(instance(i))
		came = append(came, string(rune('0'+status.State))+"/"+string(rune('0'+status.Result)))
		installed := b.version(name) != "1.0"
		switch {
		case status.Result == 1 && !installed:
			t.Errorf("success is reported, and %s %s runs", name, b.version(name))
		case before[i] == 1 && status.Result != 1:
			t.Errorf("a reported success of %s is taken back: %+v", name, status)
		case status.State == 3:
			t.Errorf("%s waits in the state Updating", name)
		case status.State == 2 && !b.holds(name):
			t.Errorf("%s is Downloaded, and no storage holds it", name)
		}
	}
	states[strings.Join(came, " ")] = true
	<-time.After(time.Hour)
	synctest.Wait()
	if len(b.installs) != installs {
		t.Errorf("the device has installed again by itself: %v", b.installs)
	}
	r.bring(s)
	if restarts && r.state(s.execute) == 3 {
		r.ok("close", r.update.Close())
		b.restart()
		r = boot(t, b, b.config())
		synctest.Wait()
	}
	if !r.done(s) || r.update.Status(instance(s.execute)).Result != 1 {
		t.Errorf("%v runs in the end, %+v", b.running, r.update.Status(instance(s.execute)))
	}
	r.runs(s.want...)
	return lost
}
