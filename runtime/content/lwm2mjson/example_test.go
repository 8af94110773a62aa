package lwm2mjson_test

import (
	"fmt"

	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/lwm2mjson"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

func ExampleEncoder() {
	var enc lwm2mjson.Encoder
	err := enc.Begin(nil, content.Target{Base: dm.InstancePath(3303, 0)})
	if err == nil {
		err = enc.Entry(dm.Entry{Path: dm.ResourcePath(3303, 0, 5700), Value: dm.FloatValue(22.5)})
	}
	if err != nil {
		fmt.Println(err)
	}
	payload, err := enc.Finish()
	fmt.Println(string(payload), err)
	// Output: {"bn":"/3303/0/","e":[{"n":"5700","v":22.5}]} <nil>
}
