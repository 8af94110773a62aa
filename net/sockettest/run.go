package sockettest

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/net/internal/leaktest"
	"github.com/lwm2mgen/toolkit/net/socket"
)

// A check proves one promise.
type check struct {
	name string
	// unless returns why the check does not apply, or "".
	unless func(r *Rig, k socket.Kind, a socket.Abilities) string
	run    func(r *rig)
}

// Run runs every check of the kit as a subtest, each with a rig of its own from newRig, which
// registers its clean-up with its argument. The subtests do not run in parallel, because each one
// counts goroutines. If a check hangs, because a call does not return, Run ends it with its name
// and the call, and skips the others.
func Run(t *testing.T, newRig func(t testing.TB) Rig) {
	hung := ""
	for _, c := range checks() {
		t.Run(c.name, func(t *testing.T) {
			if hung != "" {
				t.Skipf("the check %s hangs, and may still use the port", hung)
			}
			if runOne(t, c, limit(t), newRig) {
				hung = c.name
			}
		})
	}
	t.Run("Abilities", func(t *testing.T) { report(t, newRig(t)) })
}

// RunInBubbles runs every check in a testing/synctest bubble, for sockets that have no real
// descriptors. bubble is synctest.Test, or a function that calls it.
func RunInBubbles(t *testing.T, bubble func(*testing.T, func(*testing.T)), newRig func(t testing.TB) Rig) {
	for _, c := range checks() {
		t.Run(c.name, func(t *testing.T) {
			defer watchOutside(t, c.name)()
			bubble(t, func(t *testing.T) { runOne(t, c, hangs, newRig) })
		})
	}
	t.Run("Abilities", func(t *testing.T) { report(t, newRig(t)) })
}

// runOne runs a check and reports whether it hangs: whether a call has not returned for the time of
// patience.
func runOne(t testing.TB, c check, patience time.Duration, newRig func(t testing.TB) Rig) (hung bool) {
	t.Helper()
	given := newRig(t)
	return watch(t, c.name, patience, func(t testing.TB) {
		s := closed(t, given)
		if c.unless != nil {
			if why := c.unless(&given, s.Kind(), socket.Detect(s)); why != "" {
				t.Skip(why)
			}
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		c.run(&rig{Rig: given, t: t, ctx: ctx})
	})
}

// closed makes a socket of the rig, which must have the fields that every check needs.
func closed(t testing.TB, given Rig) socket.Socket {
	t.Helper()
	switch {
	case given.Dialer == nil:
		t.Fatal("the Rig has no Dialer, which makes the sockets under test")
	case given.Peer == nil:
		t.Fatal("the Rig has no Peer, which accepts at Remote what they connect to")
	}
	s, err := given.Dialer.NewSocket(given.Config)
	switch {
	case err != nil:
		t.Fatalf("NewSocket: %v", err)
	case s == nil:
		t.Fatal("NewSocket returned neither a socket nor an error")
	}
	return s
}

// report logs the abilities that the port does not have.
func report(t testing.TB, given Rig) {
	t.Helper()
	s := closed(t, given)
	for _, l := range socket.Detect(s).Lacks(s.Kind(), given.Config.Security.Mode != socket.ModeNoSec) {
		t.Logf("no %s; lost: %s", l.Ability, l.Lost)
	}
}

// checks is the whole kit.
func checks() []check {
	var all []check
	for _, part := range [][]check{basicChecks(), deadlineChecks(), datagramChecks(), streamChecks(),
		failureChecks(), addressChecks(), abilityChecks()} {
		all = append(all, part...)
	}
	return all
}

func datagramOnly(_ *Rig, k socket.Kind, _ socket.Abilities) string {
	if k != socket.Datagram {
		return "for datagrams"
	}
	return ""
}

func streamOnly(_ *Rig, k socket.Kind, _ socket.Abilities) string {
	if k != socket.Stream {
		return "for streams"
	}
	return ""
}

// requires combines conditions into an unless. Each condition returns what is missing.
func requires(
	conditions ...func(r *Rig, k socket.Kind, a socket.Abilities) string,
) func(*Rig, socket.Kind, socket.Abilities) string {
	return func(r *Rig, k socket.Kind, a socket.Abilities) string {
		var missing []string
		for _, c := range conditions {
			if why := c(r, k, a); why != "" {
				missing = append(missing, why)
			}
		}
		return strings.Join(missing, "; ")
	}
}

// ability is a condition on a socket's abilities.
func ability(name string, has func(a socket.Abilities) bool) func(*Rig, socket.Kind, socket.Abilities) string {
	return func(_ *Rig, _ socket.Kind, a socket.Abilities) string {
		if !has(a) {
			return "the socket is no " + name
		}
		return ""
	}
}

// field is a condition on the Rig.
func field(name string, has func(r *Rig) bool) func(*Rig, socket.Kind, socket.Abilities) string {
	return func(r *Rig, _ socket.Kind, _ socket.Abilities) string {
		if !has(r) {
			return "the Rig has no " + name
		}
		return ""
	}
}

// goroutines runs f and reports goroutines that it has left, except for those that the first
// connection of a dialer starts for all its sockets.
func (r *rig) goroutines(f func()) {
	r.t.Helper()
	r.drop(r.connected())
	before := leaktest.Snapshot()
	f()
	for _, stack := range leaktest.Left(before) {
		r.t.Errorf("goroutine left behind:\n%s", stack)
	}
}
