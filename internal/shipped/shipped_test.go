package shipped_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/lwm2mgen/toolkit/internal/shipped"
	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/registry/omaxml"
)

// TestShipped checks that every definition of objects-xml has a package, that New returns an
// object, and that the definition in the package equals the one in the XML file.
func TestShipped(t *testing.T) {
	got, err := shipped.Definitions()
	if err != nil {
		t.Fatal(err)
	}
	want := definitions(t)
	for _, o := range got {
		if diff := cmp.Diff(want[o.ID], *o); diff != "" {
			t.Errorf("the table of %s differs from the XML (-want +got):\n%s", o.Name, diff)
		}
		delete(want, o.ID)
	}
	for id, o := range want {
		t.Errorf("object %d, %s, is missing in definitions.go", id, o.Name)
	}
}

// marked are the resources that objects-xml/names marks as secret (true) or public (false).
var marked = map[[2]uint16]bool{{9, 15}: true, {11, 6}: true, {20, 4016}: false}

// definitions reads objects-xml and returns the definitions in the form of the generated tables.
func definitions(t *testing.T) map[uint16]registry.Object {
	t.Helper()
	files, err := filepath.Glob("../../objects-xml/*.xml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no definitions: %v", err)
	}
	all := map[uint16]registry.Object{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		objects, faults := omaxml.ReadBytes(file, data)
		for _, f := range faults {
			t.Error(f)
		}
		for _, o := range objects {
			all[o.ID] = asTable(o)
		}
	}
	return all
}

// asTable returns a definition without its documentation, which generated tables do not have.
func asTable(o registry.Object) registry.Object {
	o.URN, o.Description, o.Line = "", "", 0
	if o.LWM2MVersion == registry.V(1, 0) {
		o.LWM2MVersion = registry.Version{}
	}
	for i := range o.Resources {
		r := &o.Resources[i]
		r.Description, r.RangeText, r.Enum, r.Line = "", "", nil, 0
		if secret, ok := marked[[2]uint16{o.ID, r.ID}]; ok {
			r.Secret = secret
		}
	}
	return o
}
