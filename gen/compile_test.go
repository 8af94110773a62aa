package gen_test

// Importing the golden packages compiles them.
import (
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/lwm2mgen/toolkit/gen/testdata/basic/boiler"
	_ "github.com/lwm2mgen/toolkit/gen/testdata/collisions/meter"
	_ "github.com/lwm2mgen/toolkit/gen/testdata/enumerations/door"
	_ "github.com/lwm2mgen/toolkit/gen/testdata/packages/light"
	_ "github.com/lwm2mgen/toolkit/gen/testdata/packages/location33003"
	_ "github.com/lwm2mgen/toolkit/gen/testdata/packages/location33004"
	_ "github.com/lwm2mgen/toolkit/gen/testdata/packages/object33008"
	_ "github.com/lwm2mgen/toolkit/gen/testdata/packages/probe"
	_ "github.com/lwm2mgen/toolkit/gen/testdata/packages/switch33006"
	_ "github.com/lwm2mgen/toolkit/gen/testdata/packages/threephasemeter"
	_ "github.com/lwm2mgen/toolkit/gen/testdata/packages/time33005"
	_ "github.com/lwm2mgen/toolkit/gen/testdata/prose/book"
	_ "github.com/lwm2mgen/toolkit/gen/testdata/secrets/vault"
	_ "github.com/lwm2mgen/toolkit/gen/testdata/single/beacon"
	_ "github.com/lwm2mgen/toolkit/gen/testdata/single/clock"
	_ "github.com/lwm2mgen/toolkit/gen/testdata/versions/gauge"
	_ "github.com/lwm2mgen/toolkit/gen/testdata/versions/gaugev10"
	_ "github.com/lwm2mgen/toolkit/gen/testdata/versions/gaugev11"
)

// TestGoldenCompiled checks that no golden package is missing above.
func TestGoldenCompiled(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "compile_test.go", nil, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	compiled := map[string]bool{}
	for _, i := range file.Imports {
		_, dir, _ := strings.Cut(strings.Trim(i.Path.Value, `"`), "/gen/")
		compiled[dir] = true
	}
	packages, err := filepath.Glob("testdata/*/*/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range packages {
		if dir := filepath.ToSlash(filepath.Dir(path)); !compiled[dir] {
			t.Errorf("import %s in compile_test.go", dir)
		}
	}
}
