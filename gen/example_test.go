package gen_test

import (
	"bytes"
	"fmt"

	"github.com/lwm2mgen/toolkit/gen"
	"github.com/lwm2mgen/toolkit/registry"
)

// A definition becomes one file. Two resources with the same name get their IDs appended.
func ExampleGenerate() {
	heater := registry.Object{
		ID: 42769, Name: "Heater", URN: "urn:oma:lwm2m:x:42769", Description: "a heater.",
		Resources: []registry.Resource{
			{ID: 1, Name: "Set Point", Ops: registry.RW, Type: registry.Float, Mandatory: true, Description: "temperature to reach."},
			{ID: 2, Name: "State", Ops: registry.R, Type: registry.Boolean},
			{ID: 3, Name: "State", Ops: registry.R, Type: registry.Integer},
		},
	}
	files, faults := gen.Generate([]gen.Definition{{File: "xml/heater.xml", Object: heater}}, gen.Options{})
	for _, f := range faults {
		fmt.Println(f)
	}
	for _, f := range files {
		fmt.Println(f.Path, gen.IsGenerated(f.Content))
		for line := range bytes.Lines(f.Content) {
			if bytes.Contains(line, []byte("dm.Res[")) {
				fmt.Printf("%s\n", bytes.TrimSpace(line))
			}
		}
	}
	// Output:
	// xml/heater.xml: 42769/2: several resources have the Go name State, so this one is named State2, add a line "42769/2 Name" to the names file to choose another name
	// xml/heater.xml: 42769/3: several resources have the Go name State, so this one is named State3, add a line "42769/3 Name" to the names file to choose another name
	// heater/heater.go true
	// SetPoint dm.Res[float64]
	// State2 dm.Res[bool]
	// State3 dm.Res[int64]
}
