package omaxml

import (
	"strings"
	"testing"

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

// FuzzParseRange parses anything as a range: the result is a valid range of the type, and its text
// parses to the same range.
func FuzzParseRange(f *testing.F) {
	for _, s := range []string{
		"0..100", "-30..-120", "1...15", "0-5", "0..", "..5", ">= 0", "0,1,2", "5, 10", "0; 3.8..20.5",
		"0..247, 255", "0: off\n1: on",
		"0..64 bytes", "10,26", "255", "2 Instances", "<7 to >12.5", "0..9223372036854775807", "1e5..1e6",
		"1..65,535", "-0..0",
	} {
		for k := registry.None; k <= registry.Corelnk; k++ {
			f.Add(s, uint8(k))
		}
	}
	f.Fuzz(func(t *testing.T, text string, kind uint8) {
		k := registry.Type(kind % uint8(registry.Corelnk+1))
		l := parseRange(text, k, "")
		r, enum, faults := l.span, l.enum, l.faults
		for _, fault := range faults {
			if fault.Severity != registry.Warning || len(fault.Error()) > 500 {
				t.Errorf("fault %v", fault)
			}
		}
		if r == nil {
			if enum != nil || len(faults) == 0 && prose(text) != "" {
				t.Errorf("no range, enumeration %v, faults %v", enum, texts(faults))
			}
			return
		}
		o := registry.Object{Name: "a", Resources: []registry.Resource{{Name: "b", Ops: registry.R, Type: k, Range: r}}}
		if faults := o.Validate(); faults != nil {
			t.Fatalf("range %v: %v", r, texts(faults))
		}
		checkEnum(t, enum, r)
		s := r.String()
		if len(r) == 1 && r[0].Min == r[0].Max || s == ".." {
			return // a single value is refused, and the unlimited range has no text
		}
		if again := parseRange(s, k, ""); !cmp.Equal(r, again.span) {
			t.Errorf("%q: range %v reads as %v, %v", text, r, again.span, texts(again.faults))
		}
	})
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
