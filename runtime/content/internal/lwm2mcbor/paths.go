package lwm2mcbor

import (
	"github.com/lwm2mgen/toolkit/runtime/content/internal/cborwire"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/fault"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// AppendPaths appends the payload of a Read-Composite or an Observe-Composite: a map from the IDs
// of each path to null. The root has no IDs and is refused with 4.06. The caller must not repeat a
// path.
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
