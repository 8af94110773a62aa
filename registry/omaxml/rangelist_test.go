package omaxml

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lwm2mgen/toolkit/registry"
)

// TestParseRangeEnumeration parses lists of numbers with meanings that are understood as a whole.
func TestParseRangeEnumeration(t *testing.T) {
	three := []registry.EnumValue{{Value: 0, Name: "disabled"}, {Value: 1, Name: "normal"},
		{Value: 255, Name: "non_responsive"}}
	two := []registry.EnumValue{{Value: 0, Name: "fine"}, {Value: 1, Name: "busy"}}
	set := registry.OneOf(0, 1, 255)
	for _, test := range []struct {
		text string
		want registry.Range
		enum []registry.EnumValue
	}{
		{"1: normal\n\t\t0: disabled\n\t\t\t255: non_responsive", set, three},
		{"0: disabled\r\n1: normal\r\n\r\n255: non_responsive", set, three},
		{"0=disabled, 1=normal, 255=non_responsive", set, three},
		{"0 - disabled; 1 - normal; 255 - non_responsive.", set, three},
		{"0: disabled 1: normal 255: non_responsive", set, three},
		{"0: disabled. 1: normal. 255: non_responsive.", set, three},
		{"0x00: disabled\n0x01: normal\n0xFF: non_responsive", set, three},
		{`"0" = disabled, "1" = normal, "255" = non_responsive`, set, three},
		{"0 => disabled, 1 => normal and 255 => non_responsive", set, three},
		{"0: fine, 1: busy, 2-255: reserved for makers", registry.Between(0, 255), two},
		{"0: fine, 1: busy, 2..255 reserved", registry.Between(0, 255), two},
		{"0: fine\n1: busy\n[4..99] reserved", registry.Range{{Min: 0, Max: 1}, {Min: 4, Max: 99}}, two},
		{"0: fine, 1: busy, >=128: vendor", registry.Range{{Min: 0, Max: 1}, {Min: 128, Max: math.Inf(1)}}, two},
		{"0: fine, 1: busy, <0: an error", registry.AtMost(1), two},
		{"0: fine, 1: busy, 2+: reserved", registry.AtLeast(0), two},
		{"0..9 (0: fine, 1: busy)", registry.Between(0, 9), two},
		{"0..1; 0=fine, 1=busy", registry.Between(0, 1), two},
		{"0..100, 255: unknown", registry.Range{{Min: 0, Max: 100}, {Min: 255, Max: 255}},
			[]registry.EnumValue{{Value: 255, Name: "unknown"}}},
		{"0 = fine, 1-255 = error", registry.Between(0, 255), two[:1]},
		{"0-5: low, 6-10: high", registry.Between(0, 10), nil},
		{"0..1: off, 2: on", registry.Between(0, 2), []registry.EnumValue{{Value: 2, Name: "on"}}},
		{"0: door, 1: window, 2: other", registry.OneOf(0, 1, 2), []registry.EnumValue{{Value: 0, Name: "door"},
			{Value: 1, Name: "window"}, {Value: 2, Name: "other"}}},
		{"0: off\n1: low 2: middle\n3: high", registry.OneOf(0, 1, 2, 3),
			[]registry.EnumValue{{Value: 0, Name: "off"}, {Value: 1, Name: "low"}, {Value: 2, Name: "middle"}, {Value: 3, Name: "high"}}},
		{"1: on, 2: off", registry.OneOf(1, 2), []registry.EnumValue{{Value: 1, Name: "on"}, {Value: 2, Name: "off"}}},
		{"0: fine, 1: busy, default: 0", registry.OneOf(0, 1), two},
		{"0: fine, 1: busy. Default value is 0.", registry.OneOf(0, 1), two},
		{"0 (default): off, 1: on", registry.OneOf(0, 1),
			[]registry.EnumValue{{Value: 0, Name: "off", Doc: "default"}, {Value: 1, Name: "on"}}},
	} {
		got := parseRange(test.text, registry.Integer, "")
		if diff := cmp.Diff(test.want, got.span); diff != "" {
			t.Errorf("%q (-want +got):\n%s", test.text, diff)
		}
		if diff := cmp.Diff(test.enum, got.enum); diff != "" {
			t.Errorf("%q (-want +got):\n%s", test.text, diff)
		}
		if got.faults != nil {
			t.Errorf("%q: %v", test.text, texts(got.faults))
		}
	}
}

// TestParseRangeOpenList parses lists that mention values without numbers: the named ones become
// constants, and there is no bound.
func TestParseRangeOpenList(t *testing.T) {
	for _, text := range []string{
		"0: fine, 1: busy, others: reserved", "0: fine, 1: busy, all other values are reserved", "0: fine\n1: busy\nOthers reserved",
		"0=fine; 1=busy; reserved for future use", "0: fine. 1: busy. Other values are for makers.",
	} {
		got := parseRange(text, registry.Integer, "")
		if len(got.enum) != 2 || got.enum[1].Name != "busy" || got.span != nil {
			t.Errorf("%q: %v, range %v", text, got.enum, got.span)
		}
		want := "stays documentation: it mentions other values without their numbers, write them as a..b, such as 5..255: reserved"
		if len(got.faults) != 1 || !strings.Contains(got.faults[0].Error(), want) {
			t.Errorf("%q: faults %v", text, texts(got.faults))
		}
	}
}

// TestParseRangeStrings parses enumerations of strings.
func TestParseRangeStrings(t *testing.T) {
	for _, test := range []struct {
		text string
		want []registry.EnumValue
	}{
		{`"auto", "manual"`, []registry.EnumValue{{Text: "auto", Name: "auto"}, {Text: "manual", Name: "manual"}}},
		{`'auto' | 'manual'`, []registry.EnumValue{{Text: "auto", Name: "auto"}, {Text: "manual", Name: "manual"}}},
		{"\u201Cauto\u201D or \u201Cmanual\u201D.", []registry.EnumValue{{Text: "auto", Name: "auto"}, {Text: "manual", Name: "manual"}}},
		{`One of: "auto" / "manual"`, []registry.EnumValue{{Text: "auto", Name: "auto"}, {Text: "manual", Name: "manual"}}},
		{"auto, manual", []registry.EnumValue{{Text: "auto", Name: "auto"}, {Text: "manual", Name: "manual"}}},
		{"auto\nmanual", []registry.EnumValue{{Text: "auto", Name: "auto"}, {Text: "manual", Name: "manual"}}},
		{"{auto; manual}", []registry.EnumValue{{Text: "auto", Name: "auto"}, {Text: "manual", Name: "manual"}}},
		{"auto or manual", []registry.EnumValue{{Text: "auto", Name: "auto"}, {Text: "manual", Name: "manual"}}},
		{`"10", "26"`, []registry.EnumValue{{Text: "10", Name: "10"}, {Text: "26", Name: "26"}}},
		{`"", "very low", "a, b"`, []registry.EnumValue{{Name: ""}, {Text: "very low", Name: "very low"}, {Text: "a, b", Name: "a, b"}}},
		{`"U": UDP, "T" = TCP (since 1.1), "S" (SMS)`, []registry.EnumValue{{Text: "U", Name: "UDP"},
			{Text: "T", Name: "TCP", Doc: "since 1.1"}, {Text: "S", Name: "SMS"}}},
		{"\"U\": UDP\n\"T\": TCP", []registry.EnumValue{{Text: "U", Name: "UDP"}, {Text: "T", Name: "TCP"}}},
		{"U = UDP; T = TCP", []registry.EnumValue{{Text: "U", Name: "UDP"}, {Text: "T", Name: "TCP"}}},
	} {
		got := parseRange(test.text, registry.String, "")
		if diff := cmp.Diff(test.want, got.enum); diff != "" {
			t.Errorf("%q (-want +got):\n%s", test.text, diff)
		}
		var values registry.StringSet
		for _, v := range test.want {
			values = append(values, v.Text)
		}
		if diff := cmp.Diff(values, got.strings); diff != "" {
			t.Errorf("%q (-want +got):\n%s", test.text, diff)
		}
		if got.span != nil || got.faults != nil {
			t.Errorf("%q: range %v, faults %v", test.text, got.span, texts(got.faults))
		}
	}
}
