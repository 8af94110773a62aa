package content

import (
	"slices"

	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// Prune sorts paths in place and returns them without those that repeat or lie below another one. A
// walk over the result visits each value once, in ascending order, as LwM2M CBOR requires.
func Prune(paths []dm.Path) []dm.Path {
	slices.SortFunc(paths, dm.Path.Compare)
	kept := paths[:0]
	for _, p := range paths {
		if n := len(kept); n == 0 || !kept[n-1].Contains(p) {
			kept = append(kept, p)
		}
	}
	return kept
}
