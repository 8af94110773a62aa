package tlv_test

import (
	"fmt"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/tlv"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

func ExampleEncoder() {
	var enc tlv.Encoder
	err := enc.Begin(nil, content.Target{Base: dm.InstancePath(3303, 0)})
	if err == nil {
		err = enc.Entry(dm.Entry{Path: dm.ResourcePath(3303, 0, 5700), Value: dm.FloatValue(22.5)})
	}
	if err == nil {
		err = enc.Entry(dm.Entry{Path: dm.ResourcePath(3303, 0, 5701), Value: dm.StringValue("Cel")})
	}
	if err != nil {
		fmt.Println(err)
	}
	payload, err := enc.Finish()
	fmt.Printf("%x %v\n", payload, err)
	// Output: e4164441b40000e3164543656c <nil>
}

// A tool that shows what is in a payload needs no definitions.
func ExampleParseHeader() {
	for b := []byte{0xe4, 0x16, 0x44, 0x41, 0xb4, 0, 0, 0xe3, 0x16, 0x45, 'C', 'e', 'l'}; len(b) > 0; {
		h, n, err := tlv.ParseHeader(b)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%v %d: %x\n", h.Kind, h.ID, b[n:n+h.Len])
		b = b[n+h.Len:]
	}
	v, err := tlv.ParseValue([]byte{0x41, 0xb4, 0, 0}, registry.Float)
	fmt.Println(v, err)
	// Output:
	// a resource 5700: 41b40000
	// a resource 5701: 43656c
	// 22.5 <nil>
}
