package omaxml

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lwm2mgen/toolkit/registry"
)

// TestMakers reads definitions in the styles of device makers. The file beside each says how a
// person reads it: one line for each resource with the allowed values, the named values and the
// fault.
func TestMakers(t *testing.T) {
	files, err := filepath.Glob("testdata/makers/*.xml")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d definitions, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".xml"), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			expected, err := os.ReadFile(strings.TrimSuffix(file, ".xml") + ".txt")
			if err != nil {
				t.Fatal(err)
			}
			var want []string
			for l := range strings.Lines(strings.ReplaceAll(string(expected), "\r\n", "\n")) {
				if l = strings.TrimSpace(l); l != "" && !strings.HasPrefix(l, "#") {
					want = append(want, l)
				}
			}
			if diff := cmp.Diff(want, readings(t, filepath.Base(file), data)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// readings returns one line for each resource.
func readings(t *testing.T, name string, data []byte) []string {
	t.Helper()
	objects, faults := ReadBytes(name, data)
	if len(objects) == 0 { // only errors
		var all []string
		for _, f := range faults {
			all = append(all, fmt.Sprintf("%d: %s", f.Resource, problem(f)))
		}
		return all
	}
	var all []string
	for _, r := range objects[0].Resources {
		s := fmt.Sprintf("%d %s: %s", r.ID, r.Name, allowed(&r))
		if values := namedValues(&r); values != "" {
			s += "; values " + values
		}
		for _, f := range faults {
			if f.Resource == int(r.ID) {
				s += "; " + problem(f)
			}
		}
		all = append(all, s)
	}
	return all
}

// problem returns the severity of a fault and what follows the quoted text.
func problem(f registry.Fault) string {
	what := f.What
	if _, why, ok := strings.Cut(what, "stays documentation: "); ok {
		what = why
	}
	if f.Severity == registry.Error {
		return "error: " + what
	}
	return "warning: " + what
}

func allowed(r *registry.Resource) string {
	switch {
	case r.Strings != nil:
		return r.Strings.String()
	case r.Range == nil:
		return "any"
	case r.Type.Measured():
		return "length " + r.Range.String()
	}
	return r.Range.String()
}

// namedValues lists the named values, without strings that are their own names.
func namedValues(r *registry.Resource) string {
	var all []string
	for _, v := range r.Enum {
		value := fmt.Sprint(v.Value)
		if r.Type == registry.String {
			value = fmt.Sprintf("%q", v.Text)
			if v.Text == v.Name && v.Doc == "" {
				continue
			}
		}
		s := value + " " + v.Name
		if v.Doc != "" {
			s += " (" + v.Doc + ")"
		}
		all = append(all, s)
	}
	return strings.Join(all, ", ")
}
