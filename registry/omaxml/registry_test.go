package omaxml

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lwm2mgen/toolkit/registry"
)

var update = flag.Bool("update", false, "rewrite the golden files, and fail")

// registryFiles returns the files of the public registry, or skips the test.
func registryFiles(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("../../../shared/oma-registry/*.xml")
	if err != nil || len(files) == 0 {
		t.Skip("the public registry is not beside the module, at ../shared/oma-registry")
	}
	return files
}

// readRegistry reads every file of the public registry, each of which defines one object.
func readRegistry(t testing.TB) (map[uint16]registry.Object, []registry.Fault) {
	t.Helper()
	objects := make(map[uint16]registry.Object)
	var faults []registry.Fault
	for _, file := range registryFiles(t) {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		read, more := ReadBytes(filepath.Base(file), data)
		if len(read) != 1 {
			t.Errorf("%s: %d objects, want 1", file, len(read))
		}
		for _, o := range read {
			objects[o.ID] = o
		}
		faults = append(faults, more...)
	}
	return objects, faults
}

// TestRegistry compares the result of reading the whole registry with known facts.
func TestRegistry(t *testing.T) {
	objects, faults := readRegistry(t)
	golden(t, "testdata/registry-faults.txt", strings.Join(texts(faults), "\n")+"\n")
	t.Run("counts", func(t *testing.T) { testCounts(t, objects) })
	t.Run("ranges", func(t *testing.T) { testRanges(t, objects) })
	t.Run("enumerations", func(t *testing.T) { testEnums(t, objects) })
}

func testCounts(t *testing.T, objects map[uint16]registry.Object) {
	got := make(map[string]int)
	for _, o := range objects {
		got["objects"]++
		if o.Multiple && !o.Mandatory {
			got["optional objects with several instances"]++
		}
		for i := range o.Resources {
			r := &o.Resources[i]
			got["resources"]++
			for what, is := range map[string]bool{
				"optional":            !r.Mandatory,
				"multiple":            r.Multiple,
				"executable":          r.Ops == registry.E,
				"write-only":          r.Ops == registry.W,
				"bootstrap-only":      r.Ops.BootstrapOnly(),
				"secret":              r.Secret,
				"range registered":    r.RangeText != "",
				"range understood":    r.Range != nil,
				"named values":        r.Enum != nil,
				"with line-end marks": strings.ContainsAny(r.Name+r.Units+r.RangeText, "\r\n\t"),
			} {
				if is {
					got[what]++
				}
			}
		}
		if faults := o.Validate(); faults != nil {
			t.Errorf("%d: %v", o.ID, texts(faults))
		}
	}
	want := map[string]int{
		"objects": 327, "optional objects with several instances": 228, "resources": 3464,
		"optional": 2382, "multiple": 245,
		"executable": 273, "write-only": 47, "bootstrap-only": 42, "secret": 11,
		"range registered": 747, "range understood": 720, "named values": 243,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
}

// testRanges checks ranges with unusual forms.
func testRanges(t *testing.T, objects map[uint16]registry.Object) {
	for _, test := range []struct {
		object, resource uint16
		want             string
	}{
		{0, 7, ""},
		{0, 8, "16, 32, 48"},
		{12, 22, "10, 26"},
		{27, 5, "1..15"},
		{3388, 500, "0..64"},
		{3388, 908, "1..64"},
		{3387, 800, "0, 1, 2, 3, 255"},
		{3387, 802, ""},
		{3388, 910, "0.."},
		{10245, 4, "5, 10, 15, 20"},
		{10254, 0, "0, 3.8..20.5"},
		{10308, 7, ""},
		{10308, 9, "0, 1, 2"},
		{10309, 4, "-120..-30"},
		{10334, 7, "0.."},
		{10352, 1, "-100..100"},
		{10375, 2, "0..247, 255"},
	} {
		o := objects[test.object]
		if r := o.Resource(test.resource); r == nil || r.Range.String() != test.want || r.RangeText == "" {
			t.Errorf("%d/%d: got %+v, want the range %s", test.object, test.resource, r, test.want)
		}
	}
}

// testEnums checks the named values of a few resources.
func testEnums(t *testing.T, objects map[uint16]registry.Object) {
	for _, test := range []struct {
		object, resource uint16
		want             string
	}{
		{0, 2, "0 Pre-Shared Key mode, 1 Raw Public Key mode, 2 Certificate mode, 3 NoSec mode, 4 Certificate mode with EST"},
		{5, 3, "0 Idle, 1 Downloading, 2 Downloaded, 3 Updating"},
		{9, 7, "0 INITIAL, 1 DOWNLOAD STARTED, 2 DOWNLOADED, 3 DELIVERED, 4 INSTALLED"},
		{10334, 4, "2 Communications, 3 Quality of Service, 4 Processing Error, 5 Equipment, 6 Environmental"},
		{3383, 0, "-1 Publish message not available, 0 Success, 1 Failure"},
		{3401, 201, "0 RELEASED, 1 PRESSED, 2 FAULT"},
		{504, 0, "0 UICC, 1 eUICC (removable), 2 eUICC (non-removable), 3 iUICC"},
		{3303, 6042, "0 UNCHECKED, 1 REJECTED WITH CERTAINTY, 2 REJECTED WITH PROBABILITY, 3 ACCEPTED BUT SUSPICIOUS, 4 ACCEPTED"},
		{10360, 50, "0 Normal, 1 Unknown"},
		{10244, 0, "0 idle, 1 driving, 2 charging, 3 limp-home"},
		{505, 10, "0 CoAP, 1 CoAPS, 2 HTTP 1.1, 3 HTTPS 1.1"},
		{20, 4015, "0 no specific data format, 1 OMA-LwM2M TLV format, 2 OMA-LwM2M JSON format, 3 OMA-LwM2M CBOR format"},
		{10332, 2, ""},    // one number twice
		{3459, 17, ""},    // two lists
		{3456, 0, ""},     // the sentence goes on behind the list
		{9, 12, ""},       // a Boolean
		{10313, 6000, ""}, // examples
		{3430, 23, ""},    // bits of a mask
		{10376, 3, ""},    // a format
	} {
		o := objects[test.object]
		r := o.Resource(test.resource)
		if r == nil {
			t.Errorf("%d/%d is missing", test.object, test.resource)
			continue
		}
		var got []string
		for _, v := range r.Enum {
			got = append(got, fmt.Sprintf("%d %s", v.Value, v.Name))
		}
		if diff := cmp.Diff(test.want, strings.Join(got, ", ")); diff != "" {
			t.Errorf("%d/%d (-want +got):\n%s", test.object, test.resource, diff)
		}
	}
}

// golden compares got with a file, and rewrites the file with -update.
func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		t.Errorf("%s is rewritten; check it, then run without -update", file)
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

func BenchmarkRead(b *testing.B) {
	var size int64
	var all [][]byte
	for _, file := range registryFiles(b) {
		data, err := os.ReadFile(file)
		if err != nil {
			b.Fatal(err)
		}
		size += int64(len(data))
		all = append(all, data)
	}
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		for _, data := range all {
			if objects, _ := ReadBytes("", data); len(objects) != 1 {
				b.Fatal("a file was not read")
			}
		}
	}
}
