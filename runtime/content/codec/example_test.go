package codec_test

import (
	"fmt"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/codec"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

func ExampleEncoder() {
	var enc codec.Encoder
	entries := []dm.Entry{
		{Path: dm.ResourcePath(3303, 0, 5700), Value: dm.FloatValue(22.5)},
		{Path: dm.ResourcePath(3303, 0, 5701), Value: dm.StringValue("Cel")},
	}
	target := content.Target{Base: dm.InstancePath(3303, 0)}
	for _, f := range []content.Format{content.SenMLJSON, content.LwM2MJSON} {
		b, err := enc.Encode(f, nil, target, entries)
		fmt.Println(string(b), err)
	}
	for _, f := range []content.Format{content.TLV, content.SenMLCBOR, content.LwM2MCBOR} {
		b, err := enc.Encode(f, nil, target, entries)
		fmt.Printf("%x %v\n", b, err)
	}
	// Output:
	// [{"bn":"/3303/0/","n":"5700","v":22.5},{"n":"5701","vs":"Cel"}] <nil>
	// {"bn":"/3303/0/","e":[{"n":"5700","v":22.5},{"n":"5701","sv":"Cel"}]} <nil>
	// e4164441b40000e3164543656c <nil>
	// 82a321682f333330332f302f00643537303002f94da0a2006435373031036343656c <nil>
	// a1190ce7a100a2191644f94da01916456343656c <nil>
}

func ExampleDecoder() {
	temperature := registry.Object{ID: 3303, Name: "Temperature", Multiple: true, Resources: []registry.Resource{
		{ID: 5700, Name: "Sensor Value", Ops: registry.R, Type: registry.Float},
	}}
	req := content.Request{
		Base:   dm.InstancePath(3303, 0),
		Schema: func(dm.ObjectID) *registry.Object { return &temperature },
	}
	var dec codec.Decoder
	show := func(e dm.Entry) error {
		fmt.Println(e.Path, e.Value.Type(), e.Value)
		return nil
	}
	payload := []byte{0xe4, 0x16, 0x44, 0x41, 0xb4, 0x00, 0x00}
	fmt.Println(dec.Decode(content.TLV, payload, req, show))
	fmt.Println(dec.Decode(content.SenMLJSON, []byte(`[{"n":"/3303/0/5700","vs":"warm"}]`), req, show))
	// Output:
	// /3303/0/5700 Float 22.5
	// <nil>
	// /3303/0/5700: 4.00 Bad Request: the payload has a text where the type is Float
}
