package dm_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/lwm2mgen/toolkit/runtime/dm"
)

func TestParsePath(t *testing.T) {
	tests := []struct {
		text string
		want dm.Path
	}{
		{"/", dm.Path{}},
		{"/0", dm.ObjectPath(0)},
		{"/3303", dm.ObjectPath(3303)},
		{"/65534", dm.ObjectPath(65534)},
		{"/0/0", dm.InstancePath(0, 0)},
		{"/3303/10", dm.InstancePath(3303, 10)},
		{"/3303/10/5700", dm.ResourcePath(3303, 10, 5700)},
		{"/3/0/6/2", dm.ResourceInstancePath(3, 0, 6, 2)},
		{"/65534/65534/65534/65534", dm.ResourceInstancePath(65534, 65534, 65534, 65534)},
	}
	for _, test := range tests {
		got, err := dm.ParsePath(test.text)
		if err != nil || got != test.want {
			t.Errorf("ParsePath(%q) = %v, %v, want %v", test.text, got, err, test.want)
		}
		if s := test.want.String(); s != test.text {
			t.Errorf("String of %q is %q", test.text, s)
		}
		if n := test.want.Len(); n != len(test.text) {
			t.Errorf("Len of %q is %d, want %d", test.text, n, len(test.text))
		}
		if b := test.want.Append([]byte("x")); string(b) != "x"+test.text {
			t.Errorf("Append of %q after x is %q", test.text, b)
		}
	}
}

func TestParsePathRefuses(t *testing.T) {
	for _, s := range []string{
		"", "3", "3/0", "//", "/3/", "/3//0", "/3/0/", "/65535", "/3/65535", "/3/0/65535", "/3/0/0/65535",
		"/65536", "/99999", "/4294967296", "/18446744073709551616", "/1/2/3/4/5", "/1/2/3/4/", "/00", "/01", "/3/00",
		"/+1", "/-1", "/1.0", "/0x1", "/ 1", "/1 ", " /1", "/a", "/1/a", "/١", "/1\x00", "/1\n", "\\1", "/3303/0/5700?",
		"/" + strings.Repeat("9", 1<<16), "/" + strings.Repeat("0", 1<<16), strings.Repeat("/1", 1<<16),
	} {
		p, err := dm.ParsePath(s)
		if err == nil {
			t.Errorf("ParsePath(%.80q) = %v, want an error", s, p)
			continue
		}
		if !p.IsRoot() {
			t.Errorf("ParsePath(%.80q) failed and also returned %v", s, p)
		}
		if len(err.Error()) > 400 {
			t.Errorf("the error for a text of %d bytes has %d", len(s), len(err.Error()))
		}
	}
}

// A truncated path is another, shorter path, or is refused; it never panics.
func TestParsePathPrefixes(t *testing.T) {
	const whole = "/3303/10/5700/65534"
	valid := []string{"/"}
	for i, c := range whole {
		if i > 0 && c != '/' {
			valid = append(valid, whole[:i+1])
		}
	}
	for i := range len(whole) + 1 {
		_, err := dm.ParsePath(whole[:i])
		if want := slices.Contains(valid, whole[:i]); (err == nil) != want {
			t.Errorf("ParsePath(%q): %v, want it to be good: %t", whole[:i], err, want)
		}
	}
}

func TestPathParts(t *testing.T) {
	p := dm.ResourceInstancePath(1, 2, 3, 4)
	if p.Object() != 1 || p.Instance() != 2 || p.Resource() != 3 || p.ResourceInstance() != 4 {
		t.Errorf("the parts of %v are %d %d %d %d", p, p.Object(), p.Instance(), p.Resource(), p.ResourceInstance())
	}
	for level, want := range []dm.Path{{}, dm.ObjectPath(1), dm.InstancePath(1, 2), dm.ResourcePath(1, 2, 3), p} {
		level := dm.Level(level)
		if want.Level() != level {
			t.Errorf("%v has the level %d, want %d", want, want.Level(), level)
		}
		got := p.Up(level)
		if got != want {
			t.Errorf("%v up to level %d is %v, want %v", p, level, got, want)
		}
		if want.Up(dm.ResourceInstanceLevel) != want {
			t.Errorf("%v was changed by cutting it to more than it has", want)
		}
		if want.IsRoot() != (level == dm.RootLevel) {
			t.Errorf("IsRoot of %v is %t", want, want.IsRoot())
		}
	}
	// IDs below the cut must be cleared, or the values would not be equal.
	if cut := p.Up(dm.ObjectLevel); cut != dm.ObjectPath(1) || cut.Instance() != 0 || cut.ResourceInstance() != 0 {
		t.Errorf("%v keeps IDs below the cut", cut)
	}
}

func TestPathChild(t *testing.T) {
	p := dm.Path{}
	for _, id := range []uint16{3, 0, 65534, 7} {
		next, ok := p.Child(id)
		if !ok {
			t.Fatalf("%v has no child %d", p, id)
		}
		p = next
	}
	if want := dm.ResourceInstancePath(3, 0, 65534, 7); p != want {
		t.Errorf("got %v, want %v", p, want)
	}
	if q, ok := p.Child(1); ok || q != p {
		t.Errorf("a resource instance has the child %v", q)
	}
	if q, ok := dm.ObjectPath(3).Child(65535); ok || q != dm.ObjectPath(3) {
		t.Errorf("the reserved ID gave %v, %t", q, ok)
	}
}

func TestPathContains(t *testing.T) {
	chain := []dm.Path{{}, dm.ObjectPath(0), dm.InstancePath(0, 0), dm.ResourcePath(0, 0, 0),
		dm.ResourceInstancePath(0, 0, 0, 0)}
	for i, p := range chain {
		for j, q := range chain {
			if got := p.Contains(q); got != (i <= j) {
				t.Errorf("%v contains %v: %t", p, q, got)
			}
		}
	}
	for _, pair := range [][2]dm.Path{
		{dm.ObjectPath(1), dm.ObjectPath(2)},
		{dm.InstancePath(1, 0), dm.ResourcePath(1, 1, 0)},
		{dm.ResourcePath(1, 0, 2), dm.ResourceInstancePath(1, 0, 3, 2)},
	} {
		if pair[0].Contains(pair[1]) || pair[1].Contains(pair[0]) {
			t.Errorf("%v and %v contain one another", pair[0], pair[1])
		}
	}
}

func TestPathCompare(t *testing.T) {
	sorted := []dm.Path{
		{}, dm.ObjectPath(0), dm.InstancePath(0, 0), dm.ResourcePath(0, 0, 0), dm.ResourceInstancePath(0, 0, 0, 0),
		dm.ResourceInstancePath(0, 0, 0, 1), dm.ResourcePath(0, 0, 1), dm.InstancePath(0, 1), dm.ObjectPath(1),
		dm.InstancePath(1, 0), dm.ObjectPath(256), dm.ObjectPath(65534),
	}
	for i, p := range sorted {
		for j, q := range sorted {
			want := 0
			if i < j {
				want = -1
			} else if i > j {
				want = 1
			}
			if got := p.Compare(q); got != want {
				t.Errorf("%v compared with %v is %d, want %d", p, q, got, want)
			}
		}
	}
}

func TestPathIsAMapKey(t *testing.T) {
	m := map[dm.Path]int{dm.ResourcePath(3, 0, 1): 7}
	if p := path(t, "/3/0/1"); m[p] != 7 {
		t.Errorf("%v is not found", p)
	}
	if p := dm.ResourceInstancePath(3, 0, 1, 5).Up(dm.ResourceLevel); m[p] != 7 {
		t.Errorf("%v, cut from a longer path, is not found", p)
	}
}

func FuzzPath(f *testing.F) {
	for _, p := range []dm.Path{{}, dm.ObjectPath(65534), dm.InstancePath(0, 0), dm.ResourcePath(3303, 0, 5700),
		dm.ResourceInstancePath(1, 20, 300, 4000)} {
		f.Add(string(p.Append(nil)))
	}
	f.Add("/65535")
	f.Add("/1/02")
	f.Fuzz(func(t *testing.T, s string) {
		p, err := dm.ParsePath(s)
		if err != nil {
			if !p.IsRoot() {
				t.Fatalf("%q failed and also returned %v", s, p)
			}
			return
		}
		// A path has only one text form.
		if b := p.Append(nil); string(b) != s || p.Len() != len(s) {
			t.Fatalf("%q was written as %q, with length %d", s, b, p.Len())
		}
		for level := range p.Level() {
			if up := p.Up(level); !up.Contains(p) || p.Contains(up) || up.Compare(p) >= 0 {
				t.Fatalf("%v and its node %v are out of order", p, up)
			}
		}
	})
}
