package omaxml

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lwm2mgen/toolkit/registry"
)

// TestSplitProse finds values within sentences.
func TestSplitProse(t *testing.T) {
	for _, test := range []struct {
		text string
		r    registry.Range
		want string
		rest string
	}{
		{
			text: "State of the pump: 0=off (no power), 1=starting, 2=running, 3=blocked.",
			want: "0 off (no power); 1 starting; 2 running; 3 blocked", rest: "State of the pump:",
		},
		{
			text: "The state. 0: idle 1: driving 2: limp-home 3-15: reserved",
			want: "0 idle; 1 driving; 2 limp-home", rest: "The state. 3-15: reserved.",
		},
		{
			text: "0 - opaque 1 - counter integer 2 - gauge 3-phase",
			want: "0 opaque; 1 counter integer; 2 gauge 3-phase",
		},
		{
			text: "The result: 0=successful, 1=not successful, other values are up to the maker.",
			want: "0 successful; 1 not successful", rest: "The result. other values are up to the maker.",
		},
		{
			text: "0:Normal, 1:Unknown, <0:Failed with error code(negative number).",
			want: "0 Normal; 1 Unknown", rest: "<0:Failed with error code(negative number).",
		},
		{
			text: "Unit: 0 = Celsius, 1 = Fahrenheit. All values are in this unit.",
			want: "0 Celsius; 1 Fahrenheit", rest: "Unit. All values are in this unit.",
		},
		{
			text: "How good it is. 0: UNKNOWN Nobody has checked. 1: BAD The value is wrong. It is not used. 2-9: Reserved. The end.",
			want: "0 UNKNOWN (Nobody has checked.); 1 BAD (The value is wrong. It is not used.)",
			rest: "How good it is. 2-9: Reserved. The end.",
		},
		{
			text: "0: UNKNOWN nobody has checked. 1: BAD the value is wrong.",
			want: "0 UNKNOWN (nobody has checked.); 1 BAD (the value is wrong.)",
		},
		{
			text: "0: GSM network, 1: LTE network", want: "0 GSM network; 1 LTE network",
		},
		{
			text: "Mode (0: off, 1: on). Ask first.", want: "0 off; 1 on", rest: "Mode. Ask first.",
		},
		{
			text: "The mode is 0: off, 1: on.", want: "0 off; 1 on", rest: "The mode is 0: off, 1: on.",
		},
		{
			text: "The mode; 1: One-shot, 2: Interval, 0: off", want: "0 off; 1 One-shot; 2 Interval", rest: "The mode;",
		},
		{
			text: `The usage: 0 for "CA constraint", 1 for "service constraint", and 2 for "none". When absent, 2 is assumed.`,
			want: "0 CA constraint; 1 service constraint; 2 none",
			rest: "The usage. When absent, 2 is assumed.",
		},
		{
			text: "The pump: 0 means off and 1 means on.", want: "0 off; 1 on", rest: "The pump:",
		},
		{
			text: "Levels: 0: low, 5: middle, 10: high", r: registry.OneOf(0, 5, 10), want: "0 low; 5 middle; 10 high",
			rest: "Levels:",
		},
		{
			text: "Levels: 0: low, 5: middle, 6-10: high", r: registry.Range{{Min: 0, Max: 0}, {Min: 5, Max: 10}},
			want: "0 low; 5 middle", rest: "Levels. 6-10: high.",
		},
		{
			text: "For a mode of -1: unknown, 0: off.", want: "-1 unknown; 0 off", rest: "For a mode of -1: unknown, 0: off.",
		},
		{
			text: "Values are\n0 for \"a\", 1 for \"b\nc\", and\n2 for \"d\".\nThe end.", want: "0 a; 1 b c; 2 d",
			rest: "Values are\n\nThe end.",
		},
		{
			text: "The first line.\nThe mode: 0=off, 1=on.\nThe last line.", want: "0 off; 1 on",
			rest: "The first line.\nThe mode:\nThe last line.",
		},
	} {
		got, rest := splitEnum(test.text, registry.Integer, test.r)
		var values []string
		for _, v := range got {
			s := fmt.Sprintf("%d %s", v.Value, v.Name)
			if v.Doc != "" {
				s += " (" + v.Doc + ")"
			}
			values = append(values, s)
		}
		if diff := cmp.Diff(test.want, strings.Join(values, "; ")); diff != "" {
			t.Errorf("%q (-want +got):\n%s", test.text, diff)
		}
		if diff := cmp.Diff(test.rest, strings.TrimRight(rest, "\n")); diff != "" {
			t.Errorf("%q: rest (-want +got):\n%s", test.text, diff)
		}
	}
}

// TestSplitProseLeaves lists sentences that name no values, or may not name all of them.
func TestSplitProseLeaves(t *testing.T) {
	for _, test := range []struct {
		text string
		r    registry.Range
	}{
		{text: "The state: 0=off, 1=on, 2 reserved."},
		{text: "The state: 0=off, 1=on, etc."},
		{text: "The state: 0=off, 1=on, ..."},
		{text: "The state: 0=off, 5=on."},
		{text: "The state: 0=off, 5=on.", r: registry.Between(0, 5)},
		{text: "The state: 0=off, 1=on, 2=lost.", r: registry.Between(0, 1)},
		{text: "The state: 0=off."},
		{text: "The state: 0=off, 0=on."},
		{text: "Times such as 1: one hour, 2: two hours."},
		{text: "For example 1: one hour, 2: two hours."},
		{text: "Channel 1: left, channel 2: right."},
		{text: "For Booleans (0 = false, 1 = true) 0: none 1: or 2: and."},
		{text: "0: off, 1: on.\nAnd then 0: no, 1: yes."},
		{text: "0 - off 1 - on when the device has been switched on by hand or by the server and has no errors"},
		{text: "128 to 254 = Operator specific 0,255 = Reserved"},
		{text: "The ratio 1:2 or 2:1 at 12:30."},
		{text: "Range 0-5, see clause 5.1 - 7 and 8."},
		{text: "The state: 0=off (by hand, 1=on, 2=lost)."},
		{text: `The state: 0="off", 1="on`},
		{text: "1. Stop. 2. Go."},
		{text: "0 (OFF) to 100 (ON)"},
		{text: "between 0 - 20 and 1 - 5"},
	} {
		got, rest := splitEnum(test.text, registry.Integer, test.r)
		if got != nil || rest != test.text {
			t.Errorf("%q: got %v and %q", test.text, got, rest)
		}
	}
}

// TestNamesBits recognizes descriptions of bit masks.
func TestNamesBits(t *testing.T) {
	for _, text := range []string{
		"Bit mask of the parts that are open.", "Bitfield: the sum of what is wrong.", "Alarm Flags", "Error Bitmap",
		"Bitwise: 0 (LSB): hardware", "bit(0) - one", "Bit 1: two", "A mask is used.", "The values can be combined.",
	} {
		if !namesBits(text) {
			t.Errorf("%q is no mask", text)
		}
	}
	for _, text := range []string{
		"Data Bits", "8 bits", "Set the RTS flag when sending", "the subnet mask", "unmasked", "stored intensity",
		"a combination of both", "a 32-bit counter", "kilobits per second",
	} {
		if namesBits(text) {
			t.Errorf("%q is a mask", text)
		}
	}
}
