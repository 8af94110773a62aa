package lwm2mcbor_test

import (
	"fmt"

	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/lwm2mcbor"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

func ExampleEncoder() {
	var enc lwm2mcbor.Encoder
	err := enc.Begin(nil, content.Target{Base: dm.InstancePath(3303, 0)})
	if err == nil {
		err = enc.Entry(dm.Entry{Path: dm.ResourcePath(3303, 0, 5700), Value: dm.FloatValue(22.5)})
	}
	if err != nil {
		fmt.Println(err)
	}
	payload, err := enc.Finish()
	fmt.Printf("%x %v\n", payload, err) // {3303: {0: {5700: 22.5}}}
	// Output: a1190ce7a100a1191644f94da0 <nil>
}
