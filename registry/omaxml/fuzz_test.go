package omaxml

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/lwm2mgen/toolkit/registry"
)

// FuzzRead reads anything: every returned object is valid, every fault is short and on one line,
// and the same bytes give the same result twice. Fuzz it with -fuzzminimizetime=20x, because
// shrinking files takes most of the time by default.
func FuzzRead(f *testing.F) {
	plain := definition(head, value)
	for _, s := range []string{
		plain,
		"\uFEFF" + plain,
		definition(head, item("0", "<Type/>")+item("0", "<Operations/><Type>Opaque</Type>")+item("1",
			"<Description>0: a (b)\nc\n1: d, 2: e</Description>")),
		definition(without(head, "LWM2MVersion", "ObjectVersion"),
			item("65535", "<RangeEnumeration>0: a\n1: b</RangeEnumeration>")),
		strings.NewReplacer("UTF-8", "ISO-8859-1", "A probe.", "\xC4").Replace(plain),
		strings.Replace(plain, "<LWM2M ", `<!DOCTYPE x [<!ENTITY a "b">]><LWM2M `, 1),
		`<LWM2M><Object><ObjectID>1</ObjectID><Resources><Item ID="1"/>x<Item/></Resources><Resources/></Object></LWM2M>`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		objects, faults := ReadBytes("f.xml", data)
		for _, o := range objects {
			for _, fault := range o.Validate() {
				if fault.Severity == registry.Error {
					t.Errorf("an object with an error was returned: %v", fault)
				}
			}
			for _, r := range o.Resources {
				checkEnum(t, r.Enum, r.Range)
				if len(r.Name) > maxName || strings.ContainsAny(r.Name, "\r\n") {
					t.Errorf("name %q", r.Name)
				}
			}
		}
		errors := 0
		for _, fault := range faults {
			if s := fault.Error(); len(s) > 1000 || strings.ContainsAny(s, "\r\n") || fault.Do == "" {
				t.Errorf("fault %q", s)
			}
			if fault.Severity == registry.Error {
				errors++
			}
		}
		if len(objects) == 0 && errors == 0 {
			t.Error("neither an object nor an error")
		}
		again, faultsAgain := ReadBytes("f.xml", data)
		if !cmp.Equal(objects, again) || !cmp.Equal(faults, faultsAgain) {
			t.Error("the same file was read in two ways")
		}
	})
}

func checkEnum(t *testing.T, enum []registry.EnumValue, r registry.Range) {
	t.Helper()
	for i, v := range enum {
		if v.Name == "" || len(v.Name) > maxEnumName || i > 0 && enum[i-1].Value >= v.Value || !r.AllowsInt(v.Value) {
			t.Errorf("enumeration %+v of the range %v", enum, r)
		}
	}
}

// FuzzParseRange parses anything as a range: the result is a valid range of the type, its text
// parses to the same range, and a range that is a bound accounts for all of the text.
func FuzzParseRange(f *testing.F) {
	for _, s := range []string{
		"0..100", "-30..-120", "1...15", "0-5", "0..", "..5", ">= 0", "0,1,2", "5, 10", "0; 3.8..20.5",
		"0..247, 255", "0: off\n1: on", "0: off, 1: on, 2-9: reserved", "0=a;1=b;others: c", "0..2 (0: a, 1: b, 2: c)",
		"0..64 bytes", "10,26", "255", "2 Instances", "<7 to >12.5", "0..9223372036854775807", "1e5..1e6",
		"1..65,535", "-0..0", "0..2^32-1", "0x00~0xFF", "[0-2]", "0 TO 100 %", "between 1 and 5", ">0 and <=9",
		`"a", "b"`, "a, b", `"a": x; "b" = y`, "max 5", "0..1.000", "1,2,4", "0: a, 1: b, 2 c", "0..inf", "{1, 2}",
		"0- f 1:n\r9: r", "0 - f 1: n\n9: r",
	} {
		for k := registry.None; k <= registry.Corelnk; k++ {
			f.Add(s, uint8(k), "")
		}
	}
	f.Fuzz(func(t *testing.T, text string, kind uint8, unit string) {
		if !utf8.ValidString(text) {
			return // XML is valid UTF-8
		}
		k := registry.Type(kind % uint8(registry.Corelnk+1))
		l := parseRange(text, k, unit)
		for _, fault := range l.faults {
			if fault.Severity != registry.Warning || len(fault.Error()) > 500 {
				t.Errorf("fault %v", fault)
			}
		}
		if l.span == nil && l.strings == nil {
			if len(l.faults) == 0 && prose(text) != "" {
				t.Errorf("no range, enumeration %v, no fault", l.enum)
			}
			return
		}
		o := registry.Object{Name: "a", Resources: []registry.Resource{
			{Name: "b", Ops: registry.R, Type: k, Range: l.span, Strings: l.strings},
		}}
		if faults := o.Validate(); faults != nil {
			t.Fatalf("range %v: %v", l.span, texts(faults))
		}
		if l.strings != nil {
			accountStrings(t, text, l)
			return
		}
		checkEnum(t, l.enum, l.span)
		if !l.listed && l.enum == nil {
			accountNumbers(t, text, unit, l.span)
		} else {
			accountItems(t, text, l.span)
		}
		s := l.span.String()
		if len(l.span) == 1 && l.span[0].Min == l.span[0].Max || s == ".." {
			return // a single value is refused, and the unlimited range has no text
		}
		if again := parseRange(s, k, ""); !cmp.Equal(l.span, again.span) {
			t.Errorf("%q: range %v reads as %v, %v", text, l.span, again.span, texts(again.faults))
		}
	})
}

var (
	numbers = regexp.MustCompile(`0[xX][0-9a-fA-F]+|\d+(\^|\*\*)\d+( *- *1\b)?|\d+(\.\d+)?([eE][+-]?\d+)?`)
	phrases = regexp.MustCompile(`(?i)\b(to|through|thru|until|from|between|and|or|minimum|maximum|min|max|at least|at most|` +
		`up to|infinity|infinite|inf|unlimited|valid|allowed|possible|range|values?|length|size|bytes?|octets?|` +
		`characters?|chars?)\b|∞`)
	marksOnly = regexp.MustCompile(`^[-.,;|&()\[\]{}<>=~+: \n]*$`)
	brackets  = regexp.MustCompile(`\([^()]*\)`)
	compared  = regexp.MustCompile(`[<>≤≥]=? *-?\d+`) // "> 2: reserved" does not mention 2
	valueMark = regexp.MustCompile(`(?:^|[\s,;|])(-?\d{1,15}) ?[:=] ?[\pL]`)
	restMark  = regexp.MustCompile(`(?i)[,;\n] ?(others|other|rest|reserved|etc)(?:$|[^\pL])`)
)

// accountNumbers checks that the text consists of numbers in the range, of known words and marks.
func accountNumbers(t *testing.T, text, unit string, r registry.Range) {
	t.Helper()
	s := plain(prose(text))
	for _, number := range numbers.FindAllString(s, -1) {
		v, err := strconv.ParseFloat(number, 64)
		if err != nil || v > registry.MaxExact {
			continue // a power, or a limit
		}
		inRange := false
		for _, w := range []float64{v, -v} {
			for _, near := range []float64{w, w - 1, w + 1, math.Nextafter(w, -1e300), math.Nextafter(w, 1e300)} {
				inRange = inRange || r.Allows(near)
			}
		}
		if !inRange {
			t.Errorf("%q: the range %v excludes %s", text, r, number)
		}
	}
	rest := phrases.ReplaceAllString(numbers.ReplaceAllString(s, " 0 "), "")
	for _, part := range strings.FieldsFunc(rest, func(c rune) bool { return strings.ContainsRune("0,;|&-.~()[]{}\n", c) }) {
		part = strings.Trim(part, " =<>+")
		if part != "" && canonical(part) == "" && !strings.EqualFold(part, unit) && !marksOnly.MatchString(part) {
			t.Errorf("%q: the range %v does not account for %q", text, r, part)
		}
	}
}

// accountItems checks that the range has every value that the text gives a meaning, and that the
// text mentions no other values.
func accountItems(t *testing.T, text string, r registry.Range) {
	t.Helper()
	s := compared.ReplaceAllString(brackets.ReplaceAllString(plain(prose(text)), ""), "")
	for _, m := range valueMark.FindAllStringSubmatch(s, -1) {
		// "2 -9" is an interval.
		if v, err := strconv.ParseInt(m[1], 10, 64); err == nil && !r.AllowsInt(v) && !r.AllowsInt(-v) {
			t.Errorf("%q: the range %v excludes %d", text, r, v)
		}
	}
	if m := restMark.FindString(s); m != "" {
		t.Errorf("%q: the range %v ignores %q", text, r, m)
	}
}

// accountStrings checks that the text without the values has marks only, or meanings.
func accountStrings(t *testing.T, text string, l limits) {
	t.Helper()
	if len(l.strings) < 2 || len(l.enum) != len(l.strings) {
		t.Errorf("%q: strings %v, enumeration %v", text, l.strings, l.enum)
	}
	s := replaceQuotes(plain(prose(text)))
	for i, v := range l.enum {
		if v.Text != l.strings[i] || !strings.Contains(s, v.Text) || v.Name == "" && v.Text != "" {
			t.Errorf("%q: value %q of %v", text, v.Text, l.enum)
		}
		if quoted := strings.Count(s, `"`); quoted > 0 && quoted%2 != 0 && !strings.Contains(s, "'") {
			t.Errorf("%q: %v ignores a quote", text, l.strings)
		}
	}
	if m := restMark.FindString(s); m != "" && !slices.Contains(l.strings, strings.Trim(m, ",;\n ")) && !strings.ContainsAny(s, `"'`) {
		t.Errorf("%q: the values %v ignore %q", text, l.strings, m)
	}
}

// FuzzParseURN parses anything as a URN.
func FuzzParseURN(f *testing.F) {
	for _, s := range []string{"urn:oma:lwm2m:ext:3303", "urn:oma:lwm2m:ext:3303:1.1", "URN:OMA:LWM2M:x:1:2.0",
		"urn:oma:lwm2m:oma:65535:", "::::"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		u, ok := parseURN(s)
		if !ok && u != (urn{}) {
			t.Errorf("%q is refused but returns %v", s, u)
		}
	})
}
