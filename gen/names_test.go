package gen_test

import (
	"strings"
	"testing"

	"github.com/lwm2mgen/toolkit/gen"
)

func TestParseNames(t *testing.T) {
	text := "\ufeff# comment\r\n\r\n3303 thermometer # trailing\r\n3303@1.0 thermometer10\n3303/5700 Value\n3303@1.1/5700 Measured\n0/5 secret\n 7\tstats \n" +
		"3303/5601 range -40..85 # Cel\n3303/5601 Lowest\n3303/5602 range any\n3303@1.1/5701 range \"Cel\", \"#\"  # units\n"
	if _, err := gen.ParseNames("names", []byte(text)); err != nil {
		t.Error(err)
	}
	for _, text := range []string{"", "\n", "# nothing"} {
		if _, err := gen.ParseNames("names", []byte(text)); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestParseNamesErrors(t *testing.T) {
	for _, tt := range []struct{ line, want string }{
		{"3303", `write an ID and a name`},
		{"3303 a b", `write an ID and a name`},
		{"x name", `the object ID "x" is not a number from 0 to 65534`},
		{"-1 name", `the object ID "-1" is not a number`},
		{"65535 name", `the object ID "65535" is not a number`},
		{"3303/ Name", `the resource ID "" is not a number`},
		{"3303/65536 Name", `the resource ID "65536" is not a number`},
		{"3303/1/2 Name", `the resource ID "1/2" is not a number`},
		{"3303@1 name", `version "1": write it as major.minor`},
		{"3303@ name", `version "": write it as major.minor`},
		{"3303 Temperature", `"Temperature" is not a package name`},
		{"3303 2temps", `"2temps" is not a package name`},
		{"3303 my_temp", `"my_temp" is not a package name`},
		{"3303 switch", `a package cannot be named switch`},
		{"3303 internal", `a package cannot be named internal`},
		{"3303/1 value", `"value" is not an exported Go identifier`},
		{"3303/1 Va-lue", `"Va-lue" is not an exported Go identifier`},
		{"3303/1 5QI", `"5QI" is not an exported Go identifier`},
		{"3303/1 range", `the range is missing`},
		{"3303 range 0..1", `an object has no range`},
		{"3303/1 range 0-1", `"0-1" is neither a value nor an interval`},
		{"3303/1 range 5..1", `"5..1" is neither a value nor an interval from low to high`},
		{"3303/1 range auto, manual", `"auto" is neither a value nor an interval`},
		{`3303/1 range "auto", manual`, `is not a list of values in quotes`},
		{"3303/1 range 0..1\n3303/1 range any", `names:2: line 1 already names 3303/1`},
		{"3303/1 Secret\n3303/1 Other", `names:2: line 1 already names 3303/1`},
		{"3303/1 secret\n3303/1 public", `names:2: line 1 already names 3303/1`},
		{"3303/1 secret\n3303/1 secret", `names:2: line 1 already names 3303/1`},
	} {
		names, err := gen.ParseNames("names", []byte(tt.line))
		if err == nil || names != nil {
			t.Errorf("%q: no error", tt.line)
			continue
		}
		if !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "names:") {
			t.Errorf("%q: error %q does not say %q", tt.line, err, tt.want)
		}
	}
}

// TestParseNamesAllErrors checks that one call reports all faults.
func TestParseNamesAllErrors(t *testing.T) {
	_, err := gen.ParseNames("n", []byte("bad\n3303 good\n1/2 also bad\nx y"))
	want := "n:1: write an ID and a name, such as \"3303 temperature\" or \"3303/5700 SensorValue\"\n" +
		"n:3: write an ID and a name, such as \"3303 temperature\" or \"3303/5700 SensorValue\"\n" +
		"n:4: the object ID \"x\" is not a number from 0 to 65534"
	if err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
}

func FuzzParseNames(f *testing.F) {
	f.Add("3303 temperature\n3303@1.1/5700 Value # x\n0/5 secret")
	f.Add("3303/")
	f.Add("@/ ")
	f.Fuzz(func(t *testing.T, text string) {
		names, err := gen.ParseNames("names", []byte(text))
		if (names == nil) == (err == nil) {
			t.Errorf("names %v with error %v", names, err)
		}
	})
}
