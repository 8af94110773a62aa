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
		got, enum, faults := parseRange(test.text, test.t)
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%v %q (-want +got):\n%s", test.t, test.text, diff)
		}
		if enum != nil || faults != nil {
			t.Errorf("%v %q: enumeration %v, faults %v", test.t, test.text, enum, texts(faults))
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
		{"> 0", registry.Float, unclear},
		{"ON;OFF", registry.Float, unclear},
		{"ON..OFF", registry.Float, unclear},
		{"any value that fits", registry.String, unclear},
		{"0..n", registry.Integer, unclear},
		{"5-", registry.Integer, unclear},
		{"..", registry.Integer, unclear},
		{",", registry.Integer, unclear},
		{"0....5", registry.Integer, unclear},
		{"1..5..9", registry.Integer, unclear},
		{"2020-01-31", registry.Time, unclear},
		{"00..23", registry.Integer, unclear},
		{"0x00..0xFF", registry.Integer, unclear},
		{"0..100 %", registry.Integer, unclear},
		{"[0..100]", registry.Float, unclear},
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
	} {
		got, enum, faults := parseRange(test.text, test.t)
		if got != nil || enum != nil {
			t.Errorf("%v %q: got %v, %v", test.t, test.text, got, enum)
		}
		want := "stays documentation: " + test.why + ", "
		if len(faults) != 1 || faults[0].Severity != registry.Warning || !strings.Contains(faults[0].Error(), want) {
			t.Errorf("%v %q: got %q, want one warning that it %s", test.t, test.text, texts(faults), want)
		}
	}
}

func TestParseRangeSwapped(t *testing.T) {
	got, _, faults := parseRange("-30..-120", registry.Integer)
	if diff := cmp.Diff(registry.Between(-120, -30), got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	want := []string{`warning: the bounds of the range "-30..-120" are swapped and read as -120..-30, write the lower one first`}
	if diff := cmp.Diff(want, texts(faults)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestParseRangeEmpty(t *testing.T) {
	for _, text := range []string{"", " \n\t", "\u00A0\uFEFF"} {
		for k := registry.None; k <= registry.Corelnk; k++ {
			if got, enum, faults := parseRange(text, k); got != nil || enum != nil || faults != nil {
				t.Errorf("%v %q: got %v, %v, %v", k, text, got, enum, faults)
			}
		}
	}
}

func TestParseRangeEnumeration(t *testing.T) {
	for _, test := range []struct {
		text string
		t    registry.Type
	}{
		{"1: normal\n\t\t0: disabled\n\t\t\t255: non_responsive", registry.Integer},
		{"0: disabled\r\n1: normal\r\n\r\n255: non_responsive", registry.UnsignedInteger},
		{"0=disabled, 1=normal, 255=non_responsive", registry.Integer},
		{"0 - disabled; 1 - normal; 255 - non_responsive.", registry.Integer},
	} {
		got, enum, faults := parseRange(test.text, test.t)
		if diff := cmp.Diff(registry.OneOf(0, 1, 255), got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", test.text, diff)
		}
		want := []registry.EnumValue{{Value: 0, Name: "disabled"}, {Value: 1, Name: "normal"},
			{Value: 255, Name: "non_responsive"}}
		if diff := cmp.Diff(want, enum); diff != "" {
			t.Errorf("%q (-want +got):\n%s", test.text, diff)
		}
		if faults != nil {
			t.Errorf("%q: %v", test.text, texts(faults))
		}
	}
}
