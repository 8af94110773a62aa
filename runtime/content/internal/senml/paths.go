package senml

import (
	"github.com/lwm2mgen/toolkit/runtime/content/internal/cborwire"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// AppendJSONPaths appends the payload of a Read-Composite or an Observe-Composite: paths without
// values, each with the gateway prefix, if there is one.
func AppendJSONPaths(dst []byte, paths []dm.Path, prefix string) []byte {
	dst = append(dst, '[')
	for i, p := range paths {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"n":"`...)
		dst = appendName(dst, p, prefix)
		dst = append(dst, `"}`...)
	}
	return append(dst, ']')
}

// AppendCBORPaths appends the same payload in CBOR.
func AppendCBORPaths(dst []byte, paths []dm.Path, prefix string) []byte {
	dst = cborwire.AppendHead(dst, cborwire.Array, uint64(len(paths)))
	for _, p := range paths {
		size := p.Len()
		if prefix != "" {
			size += 1 + len(prefix)
			if p.IsRoot() {
				size--
			}
		}
		dst = cborwire.AppendHead(dst, cborwire.Map, 1)
		dst = cborwire.AppendInt(dst, labelName)
		dst = cborwire.AppendHead(dst, cborwire.Text, uint64(size))
		dst = appendName(dst, p, prefix)
	}
	return dst
}
