package dm_test

import (
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/lwm2mgen/toolkit/runtime/dm"
)

func TestParseArgs(t *testing.T) {
	tests := []struct {
		text string
		want map[int]string
	}{
		{"", map[int]string{}},
		{"5", map[int]string{5: ""}},
		{"0='x'", map[int]string{0: "x"}},
		{"2='10.3'", map[int]string{2: "10.3"}},
		{"7,0='https://www.oma.org'", map[int]string{7: "", 0: "https://www.oma.org"}},
		{"0,1,2,3,4", map[int]string{0: "", 1: "", 2: "", 3: "", 4: ""}},
		{"9=''", map[int]string{9: ""}},
		{"1='a,b=c',2='='", map[int]string{1: "a,b=c", 2: "="}},
		{"0='~!#[]'", map[int]string{0: "~!#[]"}},
		{"0,1,2,3,4,5,6,7,8,9='9'", map[int]string{0: "", 1: "", 2: "", 3: "", 4: "", 5: "", 6: "",
			7: "", 8: "", 9: "9"}},
	}
	for _, test := range tests {
		a, err := dm.ParseArgs(test.text)
		if err != nil {
			t.Errorf("ParseArgs(%q): %v", test.text, err)
			continue
		}
		if got := maps.Collect(a.All()); !maps.Equal(got, test.want) || a.Len() != len(test.want) {
			t.Errorf("ParseArgs(%q) = %v (%d), want %v", test.text, got, a.Len(), test.want)
		}
		for n := -1; n <= 10; n++ {
			got, ok := a.Get(n)
			if want, has := test.want[n]; got != want || ok != has {
				t.Errorf("argument %d of %q is %q, %t, want %q, %t", n, test.text, got, ok, want, has)
			}
		}
	}
}

// The characters of a value are those of Core 1.2.2 §6.3.5: "!" / %x23-26 / %x28-5B / %x5D-7E.
func TestCharactersOfArgs(t *testing.T) {
	for c := range 256 {
		_, err := dm.ParseArgs("0='x" + string([]byte{byte(c)}) + "x'")
		want := c == '!' || c >= 0x23 && c <= 0x26 || c >= 0x28 && c <= 0x5b || c >= 0x5d && c <= 0x7e
		if (err == nil) != want {
			t.Errorf("the character %#x: %v", c, err)
		}
	}
}

func TestParseArgsRefuses(t *testing.T) {
	for _, s := range []string{
		",", "a", "10", "0=", "0='", "0='x", "0=x", "0=x'", "0='x'y", "0='x',", "0,", ",0", "0,,1", "0 ,1",
		"0, 1", " 0", "0 ",
		"0,0", "1='a',1='b'", "0='a'b'", "0='\x00'", "0='\n'", "0='ä'", "0='\x7f'", "0=\"x\"", "-1", "0==''",
		"0=' '", "0='a b'", "0='\"'", "0='a\"'", "0='\\'", "0='\\n'",
		"''", "=", "0='x' ",
		strings.Repeat("0,", 1<<16),
	} {
		a, err := dm.ParseArgs(s)
		if err == nil {
			t.Errorf("ParseArgs(%.40q) = %v, want an error", s, maps.Collect(a.All()))
			continue
		}
		if !errors.Is(err, dm.BadRequest) {
			t.Errorf("ParseArgs(%.40q): the code is %v, want 4.00", s, dm.CodeOf(err))
		}
		if a.Len() != 0 {
			t.Errorf("ParseArgs(%.40q) failed and also returned arguments", s)
		}
		if len(err.Error()) > 400 {
			t.Errorf("the error for a text of %d bytes has %d", len(s), len(err.Error()))
		}
	}
}

// Arguments may contain a PIN or a password, and errors are logged.
func TestArgsErrorKeepsValues(t *testing.T) {
	_, err := dm.ParseArgs("0='hunter2',1='")
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the error shows an argument: %v", err)
	}
}

func TestParseArgsPrefixes(t *testing.T) {
	const whole = "0='ab',1,2='c'"
	good := map[string]bool{"": true, "0": true, "0='ab'": true, "0='ab',1": true, "0='ab',1,2": true, whole: true}
	for i := range len(whole) + 1 {
		if _, err := dm.ParseArgs(whole[:i]); (err == nil) != good[whole[:i]] {
			t.Errorf("ParseArgs(%q): %v, want it to be good: %t", whole[:i], err, good[whole[:i]])
		}
	}
}

func TestArgsAllStops(t *testing.T) {
	a, err := dm.ParseArgs("1,2,3")
	if err != nil {
		t.Fatal(err)
	}
	for n := range a.All() {
		if n != 1 {
			t.Fatalf("the walk went on to %d", n)
		}
		break
	}
}

func FuzzArgs(f *testing.F) {
	for _, s := range []string{"", "5", "7,0='https://www.oma.org'", "0,1,2", "9='x,y=z'"} {
		a, err := dm.ParseArgs(s)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(a.Append(nil)))
	}
	f.Add("0=''")
	f.Add("1='")
	f.Fuzz(func(t *testing.T, s string) {
		a, err := dm.ParseArgs(s)
		if err != nil {
			if !errors.Is(err, dm.BadRequest) {
				t.Fatalf("%q: %v", s, err)
			}
			return
		}
		b := a.Append(nil)
		again, err := dm.ParseArgs(string(b))
		if err != nil || again != a {
			t.Fatalf("%q was written as %q, which reads as %v, %v", s, b, maps.Collect(again.All()), err)
		}
	})
}
