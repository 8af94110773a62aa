package objecttest

import (
	"fmt"
	"strings"
	"testing"
)

// Explore visits every world that can be reached from the first one, until it finds a fault. after
// returns what can happen in a world: the worlds that follow, each with a fault, or "", and with
// what has happened for a report.
func Explore[W comparable](first W, after func(W, func(next W, fault string, happened ...any))) (worlds []W, fault string) {
	seen := map[W]bool{first: true}
	worlds = []W{first}
	for i := 0; i < len(worlds) && fault == ""; i++ {
		w := worlds[i]
		after(w, func(next W, f string, happened ...any) {
			switch {
			case fault != "":
			case f != "":
				fault = fmt.Sprintf("%s\nfrom %+v\n%+v", f, w, happened)
			case !seen[next]:
				seen[next] = true
				worlds = append(worlds, next)
			}
		})
	}
	return worlds, fault
}

// FindFaults fails the test unless explore finds a fault with each decision, which is wrong in one
// place. The name of a decision says what it does wrong.
func FindFaults[D, W any](t *testing.T, decisions map[string]D, explore func(D) (worlds []W, fault string)) {
	t.Helper()
	for name, faulty := range decisions {
		_, fault := explore(faulty)
		if fault == "" {
			t.Errorf("the exploration does not find a decision that %s", name)
			continue
		}
		fault, _, _ = strings.Cut(fault, "\n")
		t.Logf("%s: %s", name, fault)
	}
}
