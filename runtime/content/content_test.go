package content_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

func path(t *testing.T, s string) dm.Path {
	t.Helper()
	p, err := dm.ParsePath(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestFormat(t *testing.T) {
	for _, v := range []struct {
		format, canonical content.Format
		name              string
	}{
		{0, content.Text, "plain text"},
		{40, content.Link, "link format"},
		{42, content.Opaque, "octet stream"},
		{60, content.CBOR, "CBOR"},
		{99, content.TLV, "TLV (99)"},
		{110, content.SenMLJSON, "SenML JSON"},
		{112, content.SenMLCBOR, "SenML CBOR"},
		{320, content.SenMLETCHJSON, "SenML-ETCH JSON"},
		{322, content.SenMLETCHCBOR, "SenML-ETCH CBOR"},
		{1542, content.TLV, "TLV (1542)"},
		{1543, content.LwM2MJSON, "LwM2M JSON (1543)"},
		{11542, content.TLV, "TLV"},
		{11543, content.LwM2MJSON, "LwM2M JSON"},
		{11544, content.LwM2MCBOR, "LwM2M CBOR"},
		{50, 50, "Content-Format 50"},
		{65535, content.None, "Content-Format 65535"},
	} {
		if v.format.Canonical() != v.canonical || v.format.String() != v.name {
			t.Errorf("%d: %d, %q", uint16(v.format), v.format.Canonical(), v.format)
		}
	}
}

// TestCarries covers the table of formats and operations (Core 1.2.2 §7.4, §6.3.8, §6.3.9,
// §6.4.5; Transport 1.2.2 §6.4.7).
func TestCarries(t *testing.T) {
	ops := []content.Operation{
		content.Read, content.Write, content.Create, content.Composite, content.CompositePaths, content.WriteComposite,
		content.Send, content.BootstrapPack, content.Discover, content.Register, content.Execute,
	}
	// A row has a letter for each operation: x carries it on every level it has, r on resources and
	// resource instances alone, and - on none.
	for f, row := range map[content.Format]string{
		content.Text:          "rr--------x",
		content.Opaque:        "rr---------",
		content.CBOR:          "rr---------",
		content.Link:          "--------xx-",
		content.TLV:           "xxx--------",
		content.LegacyTLV:     "xxx--------",
		content.LegacyTLV99:   "xxx--------",
		content.LwM2MJSON:     "xxx--------",
		content.LegacyJSON:    "xxx--------",
		content.SenMLJSON:     "xxxxxxxx---",
		content.SenMLCBOR:     "xxxxxxxx---",
		content.LwM2MCBOR:     "xxxxxxxx---",
		content.SenMLETCHJSON: "----xx-----",
		content.SenMLETCHCBOR: "----xx-----",
		50:                    "-----------",
		content.None:          "-----------",
	} {
		for i, op := range ops {
			for level := dm.RootLevel; level <= dm.ResourceInstanceLevel; level++ {
				want := row[i] == 'x' || row[i] == 'r' && level >= dm.ResourceLevel
				switch op {
				case content.Read, content.Write:
					want = want && level > dm.RootLevel
				case content.Create:
					want = want && level == dm.ObjectLevel
				}
				if got := f.Carries(op, level); got != want {
					t.Errorf("%v, %v on level %d: %v", f, op, level, got)
				}
			}
		}
	}
}

func TestCheck(t *testing.T) {
	for _, v := range []struct {
		format content.Format
		op     content.Operation
		path   string
		code   dm.Code // 0 is none
	}{
		{content.TLV, content.Read, "/3/0", 0},
		{content.Text, content.Read, "/3/0", dm.NotAcceptable},
		{content.Text, content.Write, "/3/0", dm.UnsupportedContentFormat},
		{50, content.Read, "/3/0", dm.NotAcceptable},
		{50, content.Write, "/3/0", dm.UnsupportedContentFormat},
		{content.TLV, content.Composite, "/", dm.NotAcceptable},
		{content.TLV, content.CompositePaths, "/", dm.UnsupportedContentFormat},
		{content.SenMLETCHCBOR, content.Composite, "/", dm.NotAcceptable},
		{content.TLV, content.Discover, "/3", dm.NotAcceptable},
	} {
		err := content.Check(v.format, v.op, path(t, v.path))
		if got := dm.CodeOf(err); got != v.code {
			t.Errorf("%v, %v: %v, want %v", v.format, v.op, err, v.code)
		}
		var e *dm.Error
		if errors.As(err, &e) && e.Path != path(t, v.path) {
			t.Errorf("the error names %v", e.Path)
		}
	}
}

func TestPrune(t *testing.T) {
	var paths, want []dm.Path
	for _, s := range []string{"/3/0/9", "/1/0", "/3/0", "/1/0/1", "/3/0", "/3303", "/10", "/3303/0/5700"} {
		paths = append(paths, path(t, s))
	}
	for _, s := range []string{"/1/0", "/3/0", "/10", "/3303"} {
		want = append(want, path(t, s))
	}
	if got := content.Prune(paths); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if got := content.Prune([]dm.Path{path(t, "/3"), {}}); len(got) != 1 || !got[0].IsRoot() {
		t.Errorf("%v, want the root", got)
	}
	if got := content.Prune(nil); len(got) != 0 {
		t.Errorf("%v, want nothing", got)
	}
}
