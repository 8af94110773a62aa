// Package importrules tests which packages import which. CONTRIBUTING.md explains the rules.
package importrules

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/lwm2mgen/toolkit/"

// rule says what the packages below a folder may import in addition to the standard library and the
// packages below the same folder. An entry that ends in "/..." means all packages below it. The
// most specific rule of a package applies.
type rule struct {
	below string
	may   []string
}

var rules = []rule{
	{"registry", nil},
	{"registry/omaxml", []string{"registry", "github.com/beevik/etree"}},
	{"gen", []string{"registry", "github.com/dave/jennifer/jen"}},
	{"cmd/lwm2mgen", []string{"gen", "registry/...", "github.com/urfave/cli/v3", "github.com/rogpeppe/go-internal/..."}},
	{"cmd/lwm2mprovision", []string{"internal/names", "internal/factoryfile", "runtime/content"}},
	{"cmd/lwm2mserver", []string{"internal/factoryfile", "internal/names", "registry/...", "net/...", "runtime/lwm2mserver", "runtime/coap", "runtime/content/...",
		"runtime/dm", "golang.org/x/term"}},
	{"internal/transport", nil},
	{"net/socket", nil},
	{"net/internal", []string{"net/socket"}},
	{"net/udp", []string{"net/socket", "net/internal/..."}},
	{"net/tcp", []string{"net/socket", "net/internal/..."}},
	{"net/tls", []string{"net/socket", "net/internal/..."}},
	{"net/simnet", []string{"net/socket", "net/internal/..."}},
	{"net/dtls", []string{"net/socket", "net/internal/...", "github.com/pion/...", "golang.org/x/crypto/..."}},
	{"net/sockettest", []string{"net/socket", "net/internal/..."}},
	{"runtime/dm", []string{"registry"}},
	{"runtime/dm/dmtest", []string{"runtime/dm", "registry"}},
	{"runtime/content", []string{"runtime/dm", "registry"}},
	{"generated", []string{"runtime/dm", "registry"}},
	{"runtime/sched", []string{"golang.org/x/sys/..."}},
	{"runtime/store", nil},
	{"runtime/download", []string{"runtime/coap", "runtime/sched", "runtime/store", "net/socket"}},
	{"cmd/lwm2mstore", []string{"runtime/store"}},
	{"runtime/coap", []string{"runtime/sched", "net/socket"}},
	{"runtime/lwm2m", []string{"runtime/dm", "runtime/content/...", "runtime/coap/...", "runtime/sched", "runtime/store", "registry",
		"net/socket", "net/udp", "net/tcp", "generated/security", "generated/server", "generated/accesscontrol",
		"runtime/objects/accesscontrol", "runtime/objects/enrolment", "runtime/objects/security", "runtime/objects/server",
		"internal/transport"}},
	{"runtime/lwm2m/internal/access", []string{"generated/accesscontrol", "generated/security", "generated/server",
		"runtime/objects/accesscontrol", "runtime/dm"}},
	{"runtime/lwm2m/internal/account", []string{"registry"}},
	{"runtime/lwm2m/internal/attr", []string{"registry", "runtime/dm", "runtime/sched"}},
	{"runtime/lwm2m/internal/bootstrap", nil},
	{"runtime/lwm2m/internal/est", []string{"runtime/coap", "runtime/sched", "golang.org/x/crypto/cryptobyte", "golang.org/x/crypto/cryptobyte/asn1"}},
	{"runtime/lwm2m/internal/link", []string{"runtime/coap", "runtime/sched", "net/socket"}},
	{"runtime/lwm2m/internal/manage", []string{"runtime/lwm2m/internal/attr", "runtime/lwm2m/internal/series", "runtime/lwm2m/internal/serve", "runtime/dm", "runtime/content/...", "runtime/coap",
		"runtime/sched", "registry"}},
	{"runtime/lwm2m/internal/provision", []string{"internal/transport", "runtime/lwm2m/internal/serve", "runtime/dm", "runtime/content/...", "runtime/coap",
		"runtime/sched", "registry"}},
	{"runtime/lwm2m/internal/records", []string{"runtime/dm", "runtime/content/...", "registry", "runtime/store"}},
	{"runtime/lwm2m/internal/series", []string{"runtime/dm"}},
	{"runtime/lwm2m/internal/serve", []string{"runtime/dm", "runtime/coap", "runtime/sched"}},
	{"runtime/lwm2m/internal/send", []string{"runtime/lwm2m/internal/manage", "runtime/lwm2m/internal/series", "runtime/dm",
		"runtime/content/...", "runtime/coap", "registry"}},
	// The client creates these four objects itself, so they cannot import it.
	{"runtime/objects/accesscontrol", []string{"generated/accesscontrol", "runtime/dm", "registry"}},
	{"runtime/objects/enrolment", []string{"runtime/dm", "registry"}},
	{"runtime/objects/security", []string{"generated/security", "runtime/dm", "registry", "internal/transport"}},
	{"runtime/objects/server", []string{"generated/server", "runtime/dm", "registry"}},
	{"runtime/objects/firmwareupdate", []string{"generated/firmwareupdate", "runtime/dm", "runtime/objects/internal/...", "runtime/store"}},
	{"runtime/objects/internal/firmware", []string{"runtime/dm", "runtime/objects/internal/update", "runtime/store"}},
	{"runtime/objects/internal/objecttest", []string{"runtime/dm", "runtime/store", "registry"}},
	{"runtime/objects/internal/update", []string{"runtime/dm", "runtime/store"}},
	{"runtime/objects/advancedfirmware", []string{"generated/advancedfirmwareupdate", "runtime/dm", "runtime/objects/firmwareupdate",
		"runtime/objects/internal/...", "runtime/store"}},
	{"runtime/objects/softwaremanagement", []string{"generated/softwaremanagement", "runtime/dm", "runtime/objects/firmwareupdate",
		"runtime/objects/internal/...", "runtime/store"}},
	// A device that only accepts pushed images needs no net/http.
	{"runtime/objects/firmwareupdate/pull", []string{"runtime/objects/firmwareupdate", "generated/firmwareupdate", "runtime/download",
		"runtime/coap"}},
	{"runtime/objects", []string{"generated/...", "runtime/dm", "runtime/lwm2m", "registry"}},
	{"runtime/lwm2mserver", []string{"runtime/coap/...", "runtime/content/...", "runtime/dm", "registry", "runtime/sched", "net/...",
		"generated/security", "generated/server"}},
	{"runtime/lwm2mtest", []string{"runtime/lwm2mserver", "runtime/coap", "runtime/content", "runtime/dm", "registry", "net/..."}},
}

// free lists folders without a rule: programs and tests, which may import anything.
var free = []string{"examples", "internal", "docs"}

func TestImports(t *testing.T) {
	for _, line := range goList(t, append([]string{"-f", "{{.ImportPath}} {{join .Imports \" \"}}", module + "..."}, generated(t)...)...) {
		pkg, imports, _ := strings.Cut(line, " ")
		pkg = strings.TrimPrefix(pkg, module)
		r, ok := ruleFor(pkg)
		if !ok {
			t.Errorf("package %s has no rule: say in internal/importrules who it may import, and in CONTRIBUTING.md why", pkg)
			continue
		}
		for _, imp := range strings.Fields(imports) {
			if !allowed(r, imp) {
				t.Errorf("package %s must not import %s", pkg, imp)
			}
		}
	}
}

// servers are the packages of runtime/ that no device imports.
var servers = map[string]bool{module + "runtime/lwm2mserver": true, module + "runtime/lwm2mtest": true}

// TestDeviceBinary checks that the packages of a device do not depend on the tools' libraries, nor
// on pion.
func TestDeviceBinary(t *testing.T) {
	devices := goList(t, append(generated(t), module+"runtime/...")...)
	devices = slices.DeleteFunc(devices, func(pkg string) bool { return servers[pkg] })
	for _, dep := range goList(t, append([]string{"-deps"}, devices...)...) {
		for _, unwanted := range []string{"github.com/beevik/etree", "github.com/dave/jennifer", "go.yaml.in/yaml", "github.com/pion/", "encoding/xml"} {
			if strings.HasPrefix(dep, unwanted) {
				t.Errorf("%s is a dependency of the packages of a device", dep)
			}
		}
	}
}

func TestRulesAreKept(t *testing.T) {
	omaxml, _ := ruleFor("registry/omaxml")
	dm, _ := ruleFor("runtime/dm")
	for _, c := range []struct {
		r    rule
		imp  string
		want bool
	}{
		{omaxml, "github.com/beevik/etree", true},
		{omaxml, module + "registry", true},
		{omaxml, module + "gen", false},
		{dm, "net/http", true},
		{dm, "github.com/pion/dtls/v3", false},
		{dm, module + "runtime/coap", false},
		{dm, module + "runtime/dm/internal/x", true},
	} {
		if allowed(c.r, c.imp) != c.want {
			t.Errorf("%s importing %s: allowed is %v", c.r.below, c.imp, !c.want)
		}
	}
}

// ruleFor returns the most specific rule of a package. Programs and tests have a rule that allows
// everything.
func ruleFor(pkg string) (rule, bool) {
	best, found := rule{}, false
	for _, r := range rules {
		if within(pkg, r.below) && len(r.below) >= len(best.below) {
			best, found = r, true
		}
	}
	for _, f := range free {
		if !found && within(pkg, f) {
			return rule{f, []string{"*"}}, true
		}
	}
	return best, found
}

func allowed(r rule, imp string) bool {
	own, ours := strings.CutPrefix(imp, module)
	if !ours && !strings.Contains(strings.SplitN(imp, "/", 2)[0], ".") {
		return true // the standard library
	}
	if slices.Contains(r.may, "*") || ours && within(own, r.below) {
		return true
	}
	return slices.ContainsFunc(r.may, func(may string) bool {
		if base, deep := strings.CutSuffix(may, "/..."); deep {
			return within(own, base) || within(imp, base)
		}
		return own == may || imp == may
	})
}

func within(pkg, folder string) bool { return pkg == folder || strings.HasPrefix(pkg, folder+"/") }

// generated returns the packages of generated/, which go.mod excludes from patterns.
func generated(t *testing.T) []string {
	t.Helper()
	folders, err := os.ReadDir("../../generated")
	if err != nil || len(folders) == 0 {
		t.Fatalf("no generated packages: %v", err)
	}
	var packages []string
	for _, f := range folders {
		packages = append(packages, module+"generated/"+f.Name())
	}
	return packages
}

func goList(t *testing.T, args ...string) []string {
	t.Helper()
	out, err := exec.Command("go", append([]string{"list"}, args...)...).Output()
	if err != nil {
		t.Fatalf("go list %v: %v", args, err)
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}
