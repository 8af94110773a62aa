package codec_test

import (
	"fmt"
	"strings"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/codec"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// One instance in every format that can carry more than one value.
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

// One resource in the formats that carry a single value.
func ExampleEncoder_singleValue() {
	var enc codec.Encoder
	p := dm.ResourcePath(3303, 0, 5700)
	entries := []dm.Entry{{Path: p, Value: dm.FloatValue(22.5)}}
	b, err := enc.Encode(content.Text, nil, content.Target{Base: p}, entries)
	fmt.Println(string(b), err)
	b, err = enc.Encode(content.CBOR, nil, content.Target{Base: p}, entries)
	fmt.Printf("%x %v\n", b, err)
	// Output:
	// 22.5 <nil>
	// f94da0 <nil>
}

// Values that were measured at different times, for a Send.
func ExampleEncoder_history() {
	var enc codec.Encoder
	var entries []dm.Entry
	for i, v := range []float64{22.5, 22.75} {
		entries = append(entries, dm.Entry{
			Path: dm.ResourcePath(3303, 0, 5700), Value: dm.FloatValue(v), Time: 1.7e9 + float64(i)*60,
		})
	}
	b, err := enc.Encode(content.SenMLJSON, nil, content.Target{}, entries)
	fmt.Println(strings.ReplaceAll(string(b), ",{", ",\n{"), err)
	// Output:
	// [{"bn":"/3303/0/","bt":1700000000,"n":"5700","v":22.5},
	// {"bt":1700000060,"n":"5700","v":22.75}] <nil>
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
	// /3303/0/5700: the payload has a text where the type is Float
}

// The payload of a Read-Composite names paths without values.
func ExampleAppendPaths() {
	paths := []dm.Path{dm.InstancePath(3, 0), dm.ResourcePath(3303, 0, 5700)}
	b, err := codec.AppendPaths(content.SenMLJSON, nil, content.Target{}, paths)
	fmt.Println(string(b), err)
	// Output: [{"n":"/3/0"},{"n":"/3303/0/5700"}] <nil>
}
