package registry_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lwm2mgen/toolkit/registry"
)

func TestStringSet(t *testing.T) {
	set := registry.StringSet{"auto", "", `a "b"`}
	if got, want := set.String(), `"auto", "", "a \"b\""`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	again, err := registry.ParseStringSet(" " + set.String())
	if diff := cmp.Diff(set, again); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if !set.Allows("auto") || !set.Allows("") || set.Allows("Auto") || !registry.StringSet(nil).Allows("x") ||
		registry.StringSet(nil).String() != "" {
		t.Error("a value is allowed or refused wrongly")
	}
	if n := testing.AllocsPerRun(100, func() { set.Allows("manual") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestParseStringSetRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                  `"" is not a list of values in quotes, such as "auto", "manual"`,
		"auto":              `"auto" is not a list of values in quotes, such as "auto", "manual"`,
		"'auto'":            `"'auto'" is not a list of values in quotes, such as "auto", "manual"`,
		`"auto`:             `"\"auto" is not a list of values in quotes, such as "auto", "manual"`,
		`"auto",`:           `"\"auto\"," is not a list of values in quotes, such as "auto", "manual"`,
		`"auto" "manual"`:   `a comma is missing after "auto"`,
		`"auto", "auto"`:    `the value "auto" occurs twice`,
		`"auto", "a", auto`: `"\"auto\", \"a\", auto" is not a list of values in quotes, such as "auto", "manual"`,
	} {
		set, err := registry.ParseStringSet(text)
		if set != nil || err == nil || err.Error() != want {
			t.Errorf("%s: %v, %v, want %s", text, set, err, want)
		}
	}
}

func ExampleStringSet() {
	mode := registry.StringSet{"auto", "manual"}
	fmt.Println(mode, mode.Allows("auto"), mode.Allows("off"))
	// Output: "auto", "manual" true false
}
