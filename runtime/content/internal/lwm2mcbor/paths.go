package lwm2mcbor

import (
	"github.com/lwm2mgen/toolkit/runtime/content/internal/cborwire"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/fault"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// AppendPaths appends the payload of a Read-Composite or an Observe-Composite: for each path its IDs as
// a key that leads to null. The root has no IDs: asking for it is 4.06. No path may repeat.
func AppendPaths(dst []byte, paths []dm.Path) ([]byte, error) {
	start := len(dst)
	dst = cborwire.AppendHead(dst, cborwire.Map, uint64(len(paths)))
	for _, p := range paths {
		if p.IsRoot() {
			return dst[:start], fault.NotAcceptable(p, "LwM2M CBOR has no key for the root")
		}
		if p.Level() > dm.ObjectLevel {
			dst = cborwire.AppendHead(dst, cborwire.Array, uint64(p.Level()))
		}
		for l := dm.ObjectLevel; l <= p.Level(); l++ {
			dst = cborwire.AppendUint(dst, uint64(p.ID(l)))
		}
		dst = cborwire.AppendNull(dst)
	}
	return dst, nil
}
