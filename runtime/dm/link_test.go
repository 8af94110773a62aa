package dm_test

import (
	"strings"
	"testing"

	"github.com/lwm2mgen/toolkit/runtime/dm"
)

func TestParseObjectLink(t *testing.T) {
	tests := []struct {
		text string
		want dm.ObjectLink
	}{
		{"0:0", dm.ObjectLink{}},
		{"3303:0", dm.ObjectLink{Object: 3303}},
		{"10:65534", dm.ObjectLink{Object: 10, Instance: 65534}},
		{"65534:1", dm.ObjectLink{Object: 65534, Instance: 1}},
		{"65535:65535", dm.NullLink},
		{"3:65535", dm.ObjectLink{Object: 3, Instance: 65535}},
	}
	for _, test := range tests {
		got, err := dm.ParseObjectLink(test.text)
		if err != nil || got != test.want {
			t.Errorf("ParseObjectLink(%q) = %v, %v, want %v", test.text, got, err, test.want)
		}
		if s := test.want.String(); s != test.text {
			t.Errorf("String of %q is %q", test.text, s)
		}
		if b := test.want.Append([]byte("x")); string(b) != "x"+test.text {
			t.Errorf("Append of %q after x is %q", test.text, b)
		}
		if test.want.IsNull() != (test.text == "65535:65535") {
			t.Errorf("IsNull of %q is %t", test.text, test.want.IsNull())
		}
	}
}

func TestParseObjectLinkRefuses(t *testing.T) {
	for _, s := range []string{
		"", ":", "1", "1:", ":1", "1:2:3", "1:2:", "1::2", "01:2", "1:02", "00:0", "65536:0", "0:65536",
		"99999999999999999999:0",
		"65535:0", "65535:65534", "-1:0", "+1:0", " 1:0", "1: 0", "1:0 ", "a:b", "1/0", "1:0\x00",
		strings.Repeat("1", 1<<16),
	} {
		l, err := dm.ParseObjectLink(s)
		if err == nil {
			t.Errorf("ParseObjectLink(%.40q) = %v, want an error", s, l)
			continue
		}
		if !l.IsNull() {
			t.Errorf("ParseObjectLink(%.40q) failed and also returned %v", s, l)
		}
		if len(err.Error()) > 300 {
			t.Errorf("the error for a text of %d bytes has %d", len(s), len(err.Error()))
		}
	}
}

func TestParseObjectLinkPrefixes(t *testing.T) {
	const whole = "3303:12"
	for i := range len(whole) + 1 {
		if _, err := dm.ParseObjectLink(whole[:i]); (err == nil) != (i >= len("3303:1")) {
			t.Errorf("ParseObjectLink(%q): %v", whole[:i], err)
		}
	}
}

func FuzzObjectLink(f *testing.F) {
	for _, l := range []dm.ObjectLink{{}, dm.NullLink, {Object: 3303, Instance: 1}, {Object: 5, Instance: 65535}} {
		f.Add(string(l.Append(nil)))
	}
	f.Fuzz(func(t *testing.T, s string) {
		l, err := dm.ParseObjectLink(s)
		if err != nil {
			return
		}
		if b := l.Append(nil); string(b) != s {
			t.Fatalf("%q was written as %q", s, b)
		}
		if got := dm.LinkValue(l).Link(); got != l {
			t.Fatalf("%v came back from a Value as %v", l, got)
		}
	})
}
