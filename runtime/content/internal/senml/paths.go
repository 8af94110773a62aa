package senml

import (
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/cborwire"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/fault"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// AppendJSONPaths appends the payload of a Read-Composite or an Observe-Composite: paths without
// values, each after the alternate path and the gateway prefix of the target.
func AppendJSONPaths(dst []byte, t content.Target, paths []dm.Path) ([]byte, error) {
	if err := checkLead(t); err != nil {
		return dst, err
	}
	dst = append(dst, '[')
	for i, p := range paths {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"n":"`...)
		dst = appendName(dst, p, t)
		dst = append(dst, `"}`...)
	}
	return append(dst, ']'), nil
}

// AppendCBORPaths appends the same payload in CBOR.
func AppendCBORPaths(dst []byte, t content.Target, paths []dm.Path) ([]byte, error) {
	if err := checkLead(t); err != nil {
		return dst, err
	}
	dst = cborwire.AppendHead(dst, cborwire.Array, uint64(len(paths)))
	lead := leadLen(t.Root, t.Prefix)
	for _, p := range paths {
		size := lead + p.Len()
		if p.IsRoot() && lead > 0 {
			size = lead
		}
		dst = cborwire.AppendHead(dst, cborwire.Map, 1)
		dst = cborwire.AppendInt(dst, labelName)
		dst = cborwire.AppendHead(dst, cborwire.Text, uint64(size))
		dst = appendName(dst, p, t)
	}
	return dst, nil
}

// appendName appends a path as one name.
func appendName(b []byte, p dm.Path, t content.Target) []byte {
	if p.IsRoot() && leadLen(t.Root, t.Prefix) > 0 {
		return appendLead(b, t.Root, t.Prefix)
	}
	return p.Append(appendLead(b, t.Root, t.Prefix))
}

// checkLead returns an error for an alternate path or a gateway prefix that no name can have.
func checkLead(t content.Target) error {
	if err := fault.Root(t.Root); err != nil {
		return err
	}
	return fault.Prefix(t.Prefix)
}
