package objecttest

import "fmt"

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
