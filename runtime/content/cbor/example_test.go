package cbor_test

import (
	"fmt"

	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/cbor"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

func ExampleEncoder() {
	path := dm.ResourcePath(3303, 0, 5700)
	var enc cbor.Encoder
	if err := enc.Begin(nil, content.Target{Base: path}); err != nil {
		fmt.Println(err)
	}
	if err := enc.Entry(dm.Entry{Path: path, Value: dm.FloatValue(22.5)}); err != nil {
		fmt.Println(err)
	}
	payload, err := enc.Finish()
	fmt.Printf("%x %v\n", payload, err)
	// Output: f94da0 <nil>
}
