package gen_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/lwm2mgen/toolkit/gen/testdata/basic/boiler"
	"github.com/lwm2mgen/toolkit/gen/testdata/collisions/meter"
	"github.com/lwm2mgen/toolkit/gen/testdata/documentation/manual"
	"github.com/lwm2mgen/toolkit/gen/testdata/enumerations/door"
	"github.com/lwm2mgen/toolkit/gen/testdata/packages/light"
	"github.com/lwm2mgen/toolkit/gen/testdata/packages/location"
	"github.com/lwm2mgen/toolkit/gen/testdata/packages/location33004"
	"github.com/lwm2mgen/toolkit/gen/testdata/packages/object33008"
	"github.com/lwm2mgen/toolkit/gen/testdata/packages/probe"
	"github.com/lwm2mgen/toolkit/gen/testdata/packages/switch33006"
	"github.com/lwm2mgen/toolkit/gen/testdata/packages/threephasemeter"
	"github.com/lwm2mgen/toolkit/gen/testdata/packages/time33005"
	"github.com/lwm2mgen/toolkit/gen/testdata/prose/book"
	"github.com/lwm2mgen/toolkit/gen/testdata/ranges/pump"
	"github.com/lwm2mgen/toolkit/gen/testdata/secrets/vault"
	"github.com/lwm2mgen/toolkit/gen/testdata/single/clock"
	"github.com/lwm2mgen/toolkit/gen/testdata/strings/radio"
	"github.com/lwm2mgen/toolkit/gen/testdata/versions/gauge"
	"github.com/lwm2mgen/toolkit/gen/testdata/versions/gaugev02"
	"github.com/lwm2mgen/toolkit/gen/testdata/versions/gaugev10"
	"github.com/lwm2mgen/toolkit/gen/testdata/versions/gaugev11"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// golden lists the golden packages, so that the test compiles and links them.
var golden = map[string]func() (dm.Object, error){
	"basic/boiler":             func() (dm.Object, error) { return boiler.New(boiler.Config{}) },
	"collisions/meter":         func() (dm.Object, error) { return meter.New(meter.Config{}) },
	"documentation/manual":     func() (dm.Object, error) { return manual.New(manual.Config{}) },
	"enumerations/door":        func() (dm.Object, error) { return door.New(door.Config{}) },
	"packages/light":           func() (dm.Object, error) { return light.New(light.Config{}) },
	"packages/location":        func() (dm.Object, error) { return location.New(location.Config{}) },
	"packages/location33004":   func() (dm.Object, error) { return location33004.New(location33004.Config{}) },
	"packages/object33008":     func() (dm.Object, error) { return object33008.New(object33008.Config{}) },
	"packages/probe":           func() (dm.Object, error) { return probe.New(probe.Config{}) },
	"packages/switch33006":     func() (dm.Object, error) { return switch33006.New(switch33006.Config{}) },
	"packages/threephasemeter": func() (dm.Object, error) { return threephasemeter.New(threephasemeter.Config{}) },
	"packages/time33005":       func() (dm.Object, error) { return time33005.New(time33005.Config{}) },
	"prose/book":               func() (dm.Object, error) { return book.New(book.Config{}) },
	"ranges/pump":              func() (dm.Object, error) { return pump.New(pump.Config{}) },
	"secrets/vault":            func() (dm.Object, error) { return vault.New(vault.Config{}) },
	"single/clock":             func() (dm.Object, error) { return clock.New(clock.Config{}) },
	"strings/radio":            func() (dm.Object, error) { return radio.New(radio.Config{}) },
	"versions/gauge":           func() (dm.Object, error) { return gauge.New(gauge.Config{}) },
	"versions/gaugev02":        func() (dm.Object, error) { return gaugev02.New(gaugev02.Config{}) },
	"versions/gaugev10":        func() (dm.Object, error) { return gaugev10.New(gaugev10.Config{}) },
	"versions/gaugev11":        func() (dm.Object, error) { return gaugev11.New(gaugev11.Config{}) },
}

// TestGoldenCompiled makes an object of each golden package, which checks its table against its
// cells.
func TestGoldenCompiled(t *testing.T) {
	for path, construct := range golden {
		o, err := construct()
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if o.Definition().Name == "" || o.ID() != dm.ObjectID(o.Definition().ID) {
			t.Errorf("%s: the object %d has the definition %v", path, o.ID(), o.Definition())
		}
	}
	files, err := filepath.Glob("testdata/*/*/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		path := strings.TrimPrefix(filepath.ToSlash(filepath.Dir(file)), "testdata/")
		if golden[path] == nil {
			t.Errorf("add %s to golden", path)
		}
	}
}
