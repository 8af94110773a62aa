package opaque_test

import (
	"fmt"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/opaque"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

func ExampleDecoder() {
	firmware := registry.Object{ID: 5, Resources: []registry.Resource{{ID: 0, Name: "Package", Ops: registry.W, Type: registry.Opaque}}}
	req := content.Request{
		Base:   dm.ResourcePath(5, 0, 0),
		Schema: func(dm.ObjectID) *registry.Object { return &firmware },
	}
	var dec opaque.Decoder
	err := dec.Decode([]byte{0x7f, 'E', 'L', 'F'}, req, func(e dm.Entry) error {
		fmt.Printf("%v %q\n", e.Path, e.Value.Opaque())
		return nil
	})
	fmt.Println(err)
	// Output:
	// /5/0/0 "\x7fELF"
	// <nil>
}
