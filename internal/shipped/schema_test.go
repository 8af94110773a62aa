package shipped_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
)

var (
	schemaOf  = regexp.MustCompile(`noNamespaceSchemaLocation="[^"]*/([^/"]+)"`)
	versionOf = regexp.MustCompile(`<LWM2MVersion>([^<]*)</LWM2MVersion>`)
	// laterTypes are the types that LWM2M.xsd does not have.
	laterTypes = regexp.MustCompile(`<Type>(Unsigned Integer|Corelnk)</Type>`)
)

// schemaFault returns what does not fit between the schema that a definition names and its
// LWM2MVersion, "" for nothing. OMA's registry has LWM2M.xsd with 1.0 and LWM2M-v1_1.xsd with 1.1;
// servers such as Leshan refuse a definition that mixes them. Definitions with 1.2 name
// LWM2M-v1_1.xsd, as OMA's own do, because OMA has no later schema.
func schemaFault(file []byte) string {
	version, schema := versionOf.FindSubmatch(file), schemaOf.FindSubmatch(file)
	if version == nil || schema == nil {
		return "it names no version or no schema"
	}
	want, ok := map[string]string{
		"1.0": "LWM2M.xsd", "1.1": "LWM2M-v1_1.xsd", "1.2": "LWM2M-v1_1.xsd",
	}[string(version[1])]
	switch {
	case !ok:
		return "its LWM2MVersion is " + string(version[1])
	case string(schema[1]) != want:
		return "its LWM2MVersion is " + string(version[1]) + " and its schema " + string(schema[1]) + ", want " + want
	case want == "LWM2M.xsd" && laterTypes.Match(file):
		return "its schema is LWM2M.xsd, which has no " + string(laterTypes.FindSubmatch(file)[1])
	}
	return ""
}

// TestSchemaAndVersion holds the definitions of the repository to the schemas that they name.
func TestSchemaAndVersion(t *testing.T) {
	files, err := filepath.Glob("../../objects-xml/*.xml")
	if err != nil || len(files) < 70 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	examples, err := filepath.Glob("../../examples/*/*.xml")
	if err != nil || len(examples) == 0 {
		t.Fatalf("%d examples, %v", len(examples), err)
	}
	var later []string
	for _, name := range append(files, examples...) {
		file, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if fault := schemaFault(file); fault != "" {
			t.Errorf("%s: %s", name, fault)
		}
		if v := versionOf.FindSubmatch(file); v != nil && string(v[1]) == "1.2" {
			later = append(later, filepath.Base(name))
		}
	}
	if want := []string{"1.xml", "26.xml"}; !slices.Equal(later, want) {
		t.Errorf("version 1.2, for which there is no schema, is in %v, want %v", later, want)
	}
}

// TestSchemaFault shows that the test notices each fault.
func TestSchemaFault(t *testing.T) {
	head := func(schema, version string) string {
		return `<LWM2M xsi:noNamespaceSchemaLocation="http://www.openmobilealliance.org/tech/profiles/` + schema + `">` +
			`<LWM2MVersion>` + version + `</LWM2MVersion>`
	}
	for file, fine := range map[string]bool{
		head("LWM2M.xsd", "1.0"):                                        true,
		head("LWM2M-v1_1.xsd", "1.1"):                                   true,
		head("LWM2M-v1_1.xsd", "1.2"):                                   true,
		head("LWM2M-v1_1.xsd", "1.0"):                                   false,
		head("LWM2M.xsd", "1.1"):                                        false,
		head("LWM2M-v1_1.xsd", "2.0"):                                   false,
		head("LWM2M.xsd", "1.0") + "<Type>Integer</Type>":               true,
		head("LWM2M.xsd", "1.0") + "<Type>Unsigned Integer</Type>":      false,
		head("LWM2M.xsd", "1.0") + "<Type>Corelnk</Type>":               false,
		head("LWM2M-v1_1.xsd", "1.1") + "<Type>Unsigned Integer</Type>": true,
		`<LWM2M><LWM2MVersion>1.0</LWM2MVersion>`:                       false,
		"": false,
	} {
		if fault := schemaFault([]byte(file)); (fault == "") != fine {
			t.Errorf("%s: fault %q", file, fault)
		}
	}
}
