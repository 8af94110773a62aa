package omaxml

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lwm2mgen/toolkit/registry"
)

// TestSplitEnum removes named values from descriptions.
func TestSplitEnum(t *testing.T) {
	on := []registry.EnumValue{{Value: 0, Name: "Off"}, {Value: 1, Name: "On"}}
	for _, test := range []struct {
		name, text string
		want       []registry.EnumValue
		rest       string
	}{
		{name: "colons", text: "The state.\n0: Off\n1: On", want: on, rest: "The state."},
		{name: "equals signs", text: "The state.\n\t0 = Off\n\t1= On\n", want: on, rest: "The state."},
		{name: "dashes", text: "The state.\n0 - Off\n1 \u2013 On\n", want: on, rest: "The state."},
		{name: "dots from 0", text: "The state.\n0. Off.\n1. On.\n", want: on, rest: "The state."},
		{name: "bullets", text: "The state.\n* 0: Off\n\u2022 1: On", want: on, rest: "The state."},
		{name: "without blanks", text: "0:Off\n1:On", want: on},
		{name: "blanks before the colon", text: "0 : Off\n1 :  On", want: on},
		{name: "one line", text: "0: Off, 1: On.", want: on},
		{name: "one line of sentences", text: "0: Off. 1: On.\n", want: on},
		{name: "not ascending", text: "1: On\n0: Off\n", want: on},
		{name: "CRLF", text: "The state.\r\n0: Off\r\n1: On\r\n", want: on, rest: "The state."},
		{name: "prose around", text: "The state.\n0: Off\n1: On\nThe default is 0.", want: on,
			rest: "The state.\nThe default is 0."},
		{
			name: "several values on a line stay",
			text: "0: Off\n1: On\n2-9: Reserved\n10 - 20: Vendors\n21..30=None\n[31..99] none", want: on,
			rest: "2-9: Reserved\n10 - 20: Vendors\n21..30=None\n[31..99] none",
		},
		{
			name: "continued lines", text: "0: Off\nNo power,\nno light.\n1: On\nPower.\n\nThe end.",
			want: []registry.EnumValue{{Value: 0, Name: "Off", Doc: "No power, no light."}, {Value: 1, Name: "On"}},
			rest: "Power.\n\nThe end.",
		},
		{
			name: "a paragraph between", text: "0: Off\n\nLater ones:\n1: On", want: on, rest: "\nLater ones:",
		},
		{
			name: "negative", text: "-1 = Unknown\n0 = Off",
			want: []registry.EnumValue{{Value: -1, Name: "Unknown"}, {Value: 0, Name: "Off"}},
		},
		{
			name: "first clauses",
			text: "0: Idle (before the download)\n1: Invalid URI. It names no file.\n2: Failed - out of memory\n3: AC (mains) power\n4: Area: Indoor; lit\n5: HTTP 1.1 (as in RFC 7230) with blocks",
			want: []registry.EnumValue{
				{Value: 0, Name: "Idle", Doc: "before the download"},
				{Value: 1, Name: "Invalid URI", Doc: "It names no file."},
				{Value: 2, Name: "Failed", Doc: "out of memory"},
				{Value: 3, Name: "AC (mains) power"},
				{Value: 4, Name: "Area", Doc: "Indoor; lit"},
				{Value: 5, Name: "HTTP 1.1 (as in RFC 7230) with blocks"},
			},
		},
		{
			name: "names that are too long",
			text: "0: The transfer is over, and " + strings.Repeat("so ", 20) + "on\n1: " +
				strings.Repeat("long ", 20) + "\n2: " + "a" + strings.Repeat("ä", 40) +
				"\n3: CoAP (as defined in RFC 7252) with the additional support for blocks, see there (again)",
			want: []registry.EnumValue{
				{Value: 0, Name: strings.TrimSpace("The transfer is over, and " + strings.Repeat("so ", 11)),
					Doc: "The transfer is over, and " + strings.Repeat("so ", 20) + "on"},
				{Value: 1, Name: strings.TrimSpace(strings.Repeat("long ", 12)),
					Doc: strings.TrimSpace(strings.Repeat("long ", 20))},
				{Value: 2, Name: "a" + strings.Repeat("ä", 29), Doc: "a" + strings.Repeat("ä", 40)},
				{Value: 3, Name: "CoAP", Doc: "(as defined in RFC 7252) with the additional support for blocks, see there (again)"},
			},
		},
		{
			name: "two values with one name",
			text: "0: Card (removable)\n1: Card (soldered)\n2: None",
			want: []registry.EnumValue{{Value: 0, Name: "Card (removable)"}, {Value: 1, Name: "Card (soldered)"},
				{Value: 2, Name: "None"}},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, rest := splitEnum(test.text, registry.Integer, nil)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("values (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.rest, strings.TrimRight(rest, "\n")); diff != "" {
				t.Errorf("rest (-want +got):\n%s", diff)
			}
		})
	}
}

// TestSplitEnumLeaves lists descriptions that name no values, or may not name values.
func TestSplitEnumLeaves(t *testing.T) {
	for _, test := range []struct {
		name, text string
		t          registry.Type
		r          registry.Range
	}{
		{"another type", "0: Off\n1: On", registry.Boolean, nil},
		{"one value", "The state.\n0: Off\nor not.", registry.Integer, nil},
		{"twice", "0: Off\n1: On\n0: Off again", registry.Integer, nil},
		{"out of range", "0: Off\n1: On\n7: Broken", registry.Integer, registry.Between(0, 2)},
		{"negative", "-1: Off\n1: On", registry.UnsignedInteger, nil},
		{"too large", "1: Off\n9007199254740993: On", registry.Integer, nil},
		{"numbered steps", "1. Stop.\n2. Go.", registry.Integer, nil},
		{"examples", "Periods, for example:\n30 = Half a minute\n60 = A minute", registry.Integer, nil},
		{"bits", "A mask with these bits:\n0 = GPS\n1 = Galileo", registry.Integer, nil},
		{"times", "Times\n12:30 is lunch\n18:30 is dinner", registry.Integer, nil},
		{"intervals", "0 - 20 are low\n21 - 40 are high", registry.Integer, nil},
		{"nothing after the colon", "0:\n1:", registry.Integer, nil},
		{"punctuation", "0: ,;\n1: On", registry.Integer, nil},
		{"nothing before the comma", "0: , 1: b", registry.Integer, nil},
		{"too many digits", "0: a\n99999999999999999999: b", registry.Integer, nil},
	} {
		got, rest := splitEnum(test.text, test.t, test.r)
		if got != nil || rest != test.text {
			t.Errorf("%s: got %v and %q", test.name, got, rest)
		}
	}
}
