package senml_test

import (
	"fmt"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/senml"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

func ExampleJSONEncoder() {
	var enc senml.JSONEncoder
	err := enc.Begin(nil, content.Target{})
	for i, v := range []float64{22.5, 22.75} {
		if err == nil {
			err = enc.Entry(dm.Entry{Path: dm.ResourcePath(3303, 0, 5700), Value: dm.FloatValue(v), Time: 1.7e9 + float64(i)*60})
		}
	}
	if err != nil {
		fmt.Println(err)
	}
	payload, err := enc.Finish()
	fmt.Println(string(payload), err)
	// Output:
	// [{"bn":"/3303/0/","bt":1700000000,"n":"5700","v":22.5},{"bt":1700000060,"n":"5700","v":22.75}] <nil>
}

func ExampleJSONDecoder() {
	temperature := registry.Object{ID: 3303, Resources: []registry.Resource{{ID: 5700, Name: "Sensor Value", Ops: registry.R, Type: registry.Float}}}
	req := content.Request{Schema: func(dm.ObjectID) *registry.Object { return &temperature }}
	var dec senml.JSONDecoder
	err := dec.Decode([]byte(`[{"bn":"/3303/0/","n":"5700","v":22.5}]`), req, func(e dm.Entry) error {
		fmt.Println(e.Path, e.Value)
		return nil
	})
	fmt.Println(err)
	// Output:
	// /3303/0/5700 22.5
	// <nil>
}
