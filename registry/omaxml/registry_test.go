package omaxml

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/lwm2mgen/toolkit/registry"
)

// registryFiles returns the files of the public registry, or skips the test.
func registryFiles(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("../../../shared/oma-registry/*.xml")
	if err != nil || len(files) == 0 {
		t.Skip("the public registry is not beside the module, at ../shared/oma-registry")
	}
	return files
}

func TestRegistryLoads(t *testing.T) {
	for _, file := range registryFiles(t) {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		objects, faults := ReadBytes(filepath.Base(file), data)
		if len(objects) != 1 {
			t.Errorf("%s: %d objects, want 1", file, len(objects))
		}
		for _, fault := range faults {
			if fault.Severity == registry.Error {
				t.Error(fault)
			}
		}
	}
}
