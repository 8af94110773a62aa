package omaxml

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lwm2mgen/toolkit/registry"
)

// TestParseRange parses every form that the public registry uses, and similar ones.
func TestParseRange(t *testing.T) {
	const (
		str, opq, cor = registry.String, registry.Opaque, registry.Corelnk
		num, uns, flt = registry.Integer, registry.UnsignedInteger, registry.Float
	)
	between, oneOf := registry.Between, registry.OneOf
	for _, test := range []struct {
		text string
		t    registry.Type
		want registry.Range
	}{
		{"0..100", num, between(0, 100)},
		{" 0 .. 100 ", num, between(0, 100)},
		{"0\u00A0..\u00A0100", num, between(0, 100)},
		{"-128..127", num, between(-128, 127)},
		{"+1..+5", num, between(1, 5)},
		{"\u22125..5", num, between(-5, 5)},
		{"-110..-48", num, between(-110, -48)},
		{"1...15", num, between(1, 15)},
		{"1\u202615", num, between(1, 15)},
		{"0-100", num, between(0, 100)},
		{"0 - 100", num, between(0, 100)},
		{"0\u2013100", num, between(0, 100)},
		{"-10--5", num, between(-10, -5)},
		{"-10 to 30", num, between(-10, 30)},
		{"1987..1987", num, between(1987, 1987)},
		{"0.0..100.0", num, between(0, 100)},
		{"0..1e3", num, between(0, 1000)},
		{"0..4294967295", num, between(0, 4294967295)},
		{"0~255", num, between(0, 255)},
		{"0 \uFF5E 255", num, between(0, 255)},
		{"0..255.", num, between(0, 255)},
		{"0 TO 255", num, between(0, 255)},
		{"0 through 255", num, between(0, 255)},
		{"from 0 to 255", num, between(0, 255)},
		{"between 0 and 255", num, between(0, 255)},
		{"Range: 0..255", num, between(0, 255)},
		{"[0-2]", num, between(0, 2)},
		{"[0..2], [5..9]", num, registry.Range{{Min: 0, Max: 2}, {Min: 5, Max: 9}}},
		{"(0..2)", num, between(0, 2)},
		{"{0, 5}", num, oneOf(0, 5)},
		{"[0, 1]", num, oneOf(0, 1)},
		{"0x0000..0xFFFF", num, between(0, 65535)},
		{"0x00 - 0xfe, 0xFF", num, registry.Range{{Min: 0, Max: 254}, {Min: 255, Max: 255}}},
		{"0..2^32-1", num, between(0, 4294967295)},
		{"0..2^32 - 1", num, between(0, 4294967295)},
		{"-2^31..2^31-1", num, between(-2147483648, 2147483647)},
		{"0..2**8-1", num, between(0, 255)},
		{"0..2\u00B3\u00B2-1", num, between(0, 4294967295)},
		{"2^3-10", num, between(8, 10)},
		{"0..2^64-1", uns, registry.AtLeast(0)},
		{"0..2^63-1", num, registry.AtLeast(0)},
		{"0\u2010255", num, between(0, 255)},
		{"0\u2011255", num, between(0, 255)},
		{"0\u2012255", num, between(0, 255)},
		{"0\u2014255", num, between(0, 255)},
		{"0\u2015255", num, between(0, 255)},
		{">0", num, registry.AtLeast(1)},
		{"<10", num, registry.AtMost(9)},
		{"> 0", flt, registry.AtLeast(math.SmallestNonzeroFloat64)},
		{"0..<1", flt, between(0, math.Nextafter(1, 0))},
		{">0..100", num, between(1, 100)},
		{">=0, <=100", num, between(0, 100)},
		{">0 and <100", num, between(1, 99)},
		{"<0; >100", num, registry.Range{{Min: math.Inf(-1), Max: -1}, {Min: 101, Max: math.Inf(1)}}},
		{"min 5, max 10", num, between(5, 10)},
		{"max. 10", num, registry.AtMost(10)},
		{"up to 10", num, registry.AtMost(10)},
		{"at least 5", num, registry.AtLeast(5)},
		{"0..inf", num, registry.AtLeast(0)},
		{"0 or 1", num, oneOf(0, 1)},
		{"0, 1, or 5", num, oneOf(0, 1, 5)},
		{"0|1|5", num, oneOf(0, 1, 5)},
		{"0..100 %", num, between(0, 100)},
		{"0%-100%", num, between(0, 100)},
		{"-40 to 85 degrees Celsius", num, between(-40, 85)},
		{"-40 \u00B0C .. 85 \u00B0C", flt, between(-40, 85)},
		{"0..60 seconds", num, between(0, 60)},
		{"0, 5, 10 min", num, oneOf(0, 5, 10)},
		{"0..24 h", num, between(0, 24)},
		{"0..1.000", flt, between(0, 1)},
		{"1, 2", num, oneOf(1, 2)},
		{"0, 1, 2", num, oneOf(0, 1, 2)},
		{"1, 2, 3, 4", num, oneOf(1, 2, 3, 4)},
		{"0..", num, registry.AtLeast(0)},
		{"..0", num, registry.AtMost(0)},
		{">= 5", num, registry.AtLeast(5)},
		{"\u22655", num, registry.AtLeast(5)},
		{"<=5", num, registry.AtMost(5)},
		{"\u2264 5", num, registry.AtMost(5)},
		{"0,1,2", num, oneOf(0, 1, 2)},
		{"5, 10, 15, 20", num, oneOf(5, 10, 15, 20)},
		{"10;5", num, oneOf(5, 10)},
		{"0..247, 255", num, registry.Range{{Min: 0, Max: 247}, {Min: 255, Max: 255}}},
		{"99, 0..3", num, registry.Range{{Min: 0, Max: 3}, {Min: 99, Max: 99}}},
		{"0\n3..5", num, registry.Range{{Min: 0, Max: 0}, {Min: 3, Max: 5}}},
		{"16,32,128", num, oneOf(16, 32, 128)},
		{"0..9223372036854775807", num, registry.AtLeast(0)},
		{"-9223372036854775808..9223372036854775807", num, between(math.Inf(-1), math.Inf(1))},
		{"0..99999999999999999999", num, registry.AtLeast(0)},
		{"0..9007199254740991", num, between(0, 1<<53-1)},
		{"0..18446744073709551615", uns, registry.AtLeast(0)},
		{"0..4294967295", registry.Time, between(0, 4294967295)},
		{"-1..1", flt, between(-1, 1)},
		{"-0..1", flt, between(0, 1)},
		{"0.000001..1.0", flt, between(0.000001, 1)},
		{"0; 3.8..20.5", flt, registry.Range{{Min: 0, Max: 0}, {Min: 3.8, Max: 20.5}}},
		{"0.5,1.5", flt, oneOf(0.5, 1.5)},
		{"0,1,2", flt, oneOf(0, 1, 2)},
		{"0..1e300", flt, between(0, 1e300)},
		{"0..255", str, between(0, 255)},
		{"length 1..64", str, between(1, 64)},
		{"max 32 characters", str, registry.AtMost(32)},
		{"up to 64 bytes", str, registry.AtMost(64)},
		{"0..255 bytes", str, between(0, 255)},
		{"1..64 Bytes", str, between(1, 64)},
		{"4..64 bytes", str, between(0, 64)},
		{"4..64 characters", str, between(4, 64)},
		{"..64 octets", cor, between(math.Inf(-1), 64)},
		{"10,26", str, oneOf(10, 26)},
		{"16,32,48", opq, oneOf(16, 32, 48)},
		{"4..64 bytes", opq, between(4, 64)},
		{"16, 32 bytes", opq, oneOf(16, 32)},
	} {
		got := parseRange(test.text, test.t, "")
		if diff := cmp.Diff(test.want, got.span); diff != "" {
			t.Errorf("%v %q (-want +got):\n%s", test.t, test.text, diff)
		}
		if got.enum != nil || got.strings != nil || got.faults != nil {
			t.Errorf("%v %q: enumeration %v, strings %v, faults %v", test.t, test.text, got.enum, got.strings,
				texts(got.faults))
		}
	}
}

// TestParseRangeRefuses lists ranges that stay documentation, with the reason.
func TestParseRangeRefuses(t *testing.T) {
	const (
		unclear    = "it is not an interval or a list of numbers"
		lone       = "one number may be a limit, a size or the only value"
		commas     = "its commas may separate values or be part of a number"
		overlap    = "its parts overlap or have swapped bounds"
		inexact    = "a bound is too large to be exact"
		beyond     = "a bound is beyond the type's limit"
		characters = "a list of lengths in bytes says nothing about characters"
		thousands  = "its dots may separate thousands or decimals"
		either     = "it may be an interval or two values"
		bits       = "its values are powers of two and may be the bits of a mask"
		kind       = "it may describe the text instead of listing its values"
		unread     = "not every part of the list is understood"
	)
	for _, test := range []struct {
		text string
		t    registry.Type
		why  string
	}{
		{"255", registry.Integer, lone},
		{"12", registry.String, lone},
		{"6", registry.Opaque, lone},
		{"32 bytes", registry.String, lone},
		{"2 Instances", registry.Integer, unclear},
		{"8-Bits", registry.Integer, unclear},
		{"1 bytes", registry.Integer, unclear},
		{"0..2 bytes", registry.Integer, unclear},
		{"0..64 characters", registry.Opaque, unclear},
		{"<7 to >12.5", registry.Integer, unclear},
		{"ON;OFF", registry.Float, unclear},
		{"ON..OFF", registry.Float, unclear},
		{"any value that fits", registry.String, unclear},
		{"see the manual", registry.String, unclear},
		{"ASCII, at most 10", registry.String, unclear},
		{"0..n", registry.Integer, unclear},
		{"5-", registry.Integer, unclear},
		{"..", registry.Integer, unclear},
		{",", registry.Integer, unclear},
		{"0....5", registry.Integer, unclear},
		{"1..5..9", registry.Integer, unclear},
		{"2020-01-31", registry.Time, unclear},
		{"00..23", registry.Integer, unclear},
		{"0..100 things", registry.Integer, unclear},
		{"0..10 k", registry.Integer, unclear},
		{"0 % .. 100", registry.Integer, unclear},
		{"0 V .. 100 A", registry.Integer, unclear},
		{"[0..100)", registry.Float, unclear},
		{"]0..100[", registry.Float, unclear},
		{"[0, 100]", registry.Integer, either},
		{"(0, 100)", registry.Float, either},
		{"0..1.000", registry.Integer, thousands},
		{"0.000..100.000", registry.Integer, thousands},
		{"0..65 535", registry.Integer, unclear},
		{"0..1'000", registry.Integer, unclear},
		{"0 5", registry.Integer, unclear},
		{"~5", registry.Integer, unclear},
		{"5 to", registry.Integer, unclear},
		{"0..0xFG", registry.Integer, unclear},
		{"0..2^", registry.Integer, unclear},
		{"0..2^9999", registry.Integer, unclear},
		{"0..100, reserved", registry.Integer, unclear},
		{"0..100 except 50", registry.Integer, unclear},
		{">= 0 or <= 100", registry.Integer, overlap},
		{"<0", registry.UnsignedInteger, "a bound is below 0"},
		{"> 9007199254740991", registry.Integer, inexact},
		{"> 9223372036854775807", registry.Integer, beyond},
		{"1, 2, 4", registry.Integer, bits},
		{"0, 1, 2, 4, 8", registry.UnsignedInteger, bits},
		{"1, 8", registry.Integer, bits},
		{"0x01, 0x02, 0x04", registry.Integer, bits},
		{"4, 8, 16", registry.Integer, bits},
		{"0-6", registry.Time, "the value of a Time is in seconds since 1970"},
		{"0..86399", registry.Time, "the value of a Time is in seconds since 1970"},
		{"IPv4, IPv6", registry.String, kind},
		{"ASCII, UTF-8", registry.String, kind},
		{"auto, manual, others", registry.String, kind},
		{"auto, manual, etc", registry.String, kind},
		{`"auto", manual`, registry.String, unread},
		{`"auto" "manual"`, registry.String, unread},
		{`"auto", "manual", others`, registry.String, unread},
		{`"auto", "manual`, registry.String, unread},
		{`"auto", "manual", ...`, registry.String, unread},
		{`"auto": by itself, others: reserved, "manual": by hand`, registry.String, unread},
		{`"auto", "manual" (others are allowed)`, registry.String, unread},
		{`"auto", "manual" - any other text`, registry.String, unread},
		{`"auto"`, registry.String, "one string may be an example or the only value"},
		{`"auto", "auto"`, registry.String, "a value occurs twice"},
		{"very low, low", registry.String, unclear},
		{"0: off; 1: on", registry.String, unclear},
		{"auto: by itself, manual", registry.String, unclear},
		{"ON/OFF", registry.String, unclear},
		{"10, 26, n", registry.String, unclear},
		{"1..65,535", registry.Integer, commas},
		{"1,000", registry.Integer, commas},
		{"0,5..20,75", registry.Float, commas},
		{"0,5; 1,5", registry.Float, commas},
		{"1,5", registry.Float, commas},
		{"0..5, 3..9", registry.Integer, overlap},
		{"0, 9..3", registry.Integer, overlap},
		{"0, 1, 1", registry.Integer, overlap},
		{"0.5..3", registry.Integer, "a bound is not a whole number"},
		{"0..2.5", registry.String, "a bound is not a whole number"},
		{"-5..5", registry.UnsignedInteger, "a bound is below 0"},
		{"-1..64", registry.String, "a bound is below 0"},
		{"0..9007199254740992", registry.Integer, inexact},
		{"0..9223372036854775806", registry.Integer, inexact},
		{"0..18446744073709551614", registry.UnsignedInteger, inexact},
		{"0..1e30", registry.Integer, inexact},
		{"0..18446744073709551616", registry.Opaque, inexact},
		{"9223372036854775807..9223372036854775807", registry.Integer, beyond},
		{"0, 9223372036854775807", registry.Integer, "a value is beyond the type's limit"},
		{"0..1e999", registry.Float, "a bound is too large"},
		{"16, 32 bytes", registry.String, characters},
		{"0..1", registry.Boolean, "type Boolean has no range"},
		{"0..1", registry.Objlnk, "type Objlnk has no range"},
		{"0..1", registry.None, "an executable has no range"},
		{"0: off\n1: on", registry.Boolean, "type Boolean has no range"},
		{"0: off\n0: on", registry.Integer, unclear},
		{"0: off\n-1: on", registry.UnsignedInteger, unclear},
		{"0: off\nor anything else", registry.Integer, unclear},
		{"0: off\n1: on", registry.Float, unclear},
		{"0: off, 1: on, ...", registry.Integer, unclear},
		{"0: off, 1: on etc.", registry.Integer, unclear},
		{"0: off, 1: on (by hand, 2: lost", registry.Integer, unclear},
		{"0: off, 1: on, 2 reserved", registry.Integer, unclear},
		{"0=off,1=on,2", registry.Integer, unclear},
		{"0: off\n1: on\n2 reserved", registry.Integer, unclear},
		{"0: off, 1: on others reserved", registry.Integer, unclear},
		{"0: off, 1: on, 1-9: reserved", registry.Integer, unclear},
		{"0: off, 1: on, 0: lost", registry.Integer, unclear},
		{"(0: off, 1: on) or more", registry.Integer, unclear},
		{"0..5, 3: low, 9: high", registry.Integer, unclear},
		{"0: off, 1: on (2-9 reserved)", registry.Integer, unclear},
		{"0: off, 1: on (others are reserved)", registry.Integer, unclear},
		{"0: off, 1: on, up to 255 reserved", registry.Integer, unclear},
		{"0: off. 1: on. The numbers 2 to 9 are for makers.", registry.Integer, unclear},
		{"0: off, 1: on, negative: error", registry.Integer, unclear},
		{"0: off, 1: on, 2/3: dimmed", registry.Integer, unclear},
		{"0: off, 1: on, 2,3: dimmed", registry.Integer, unclear},
		{"0: off, 1: on and 2 to 9 reserved", registry.Integer, unclear},
		{"9: nine, A: ten", registry.Integer, unclear},
		{"0-5 with 20, 7-9 without 30", registry.Integer, unclear},
		{"0: off, 1: on, type 2,9: lost, 9: all", registry.Integer, unclear},
		{"1: a, 2: b, 4: c, 8-128: reserved", registry.Integer, bits},
		{"1: door\n2: window\n4: roof", registry.Integer, bits},
	} {
		got := parseRange(test.text, test.t, "")
		faults := got.faults
		if got.span != nil || got.strings != nil || got.enum != nil {
			t.Errorf("%v %q: got %v, %v, %v", test.t, test.text, got.span, got.strings, got.enum)
		}
		want := "stays documentation: " + test.why + ", "
		if len(faults) != 1 || faults[0].Severity != registry.Warning || !strings.Contains(faults[0].Error(), want) {
			t.Errorf("%v %q: got %q, want one warning that it %s", test.t, test.text, texts(faults), want)
		}
	}
}

func TestParseRangeSwapped(t *testing.T) {
	got := parseRange("-30..-120", registry.Integer, "")
	if diff := cmp.Diff(registry.Between(-120, -30), got.span); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	want := []string{`warning: the bounds of the range "-30..-120" are swapped and read as -120..-30, write the lower one first`}
	if diff := cmp.Diff(want, texts(got.faults)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestParseRangeEmpty(t *testing.T) {
	for _, text := range []string{"", " \n\t", "\u00A0\uFEFF"} {
		for k := registry.None; k <= registry.Corelnk; k++ {
			if got := parseRange(text, k, ""); !cmp.Equal(got, limits{}, cmp.AllowUnexported(limits{})) {
				t.Errorf("%v %q: got %+v", k, text, got)
			}
		}
	}
}

// TestParseRangeUnits compares the unit behind the numbers with the unit of the resource.
func TestParseRangeUnits(t *testing.T) {
	for _, test := range []struct {
		text, unit string
		ok         bool
	}{
		{"0..100 %", "%", true},
		{"0..100 percent", "/100", true},
		{"0..100 things", "Things", true},
		{"0..100 K", "K", true},
		{"0..100 m", "m", true},
		{"0..60 s", "seconds", true},
		{"0..60 s", "ms", false},
		{"0..100 %", "defined by Units", false},
		{"0..100 K", "", false},
		{"0..100 m", "", false},
	} {
		if got := parseRange(test.text, registry.Integer, test.unit); (got.span != nil) != test.ok {
			t.Errorf("%q of a resource in %q: %v, %v", test.text, test.unit, got.span, texts(got.faults))
		}
	}
}
