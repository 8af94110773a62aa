package text_test

import (
	"fmt"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/content/text"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

func Example() {
	fmt.Printf("%s\n", text.Append(nil, dm.FloatValue(22.5)))
	fmt.Printf("%s\n", text.Append(nil, dm.OpaqueValue([]byte{1, 2, 3})))
	link, err := text.Parse([]byte("3303:0"), registry.Objlnk)
	fmt.Println(link.Link().Object, err)
	_, err = text.Parse([]byte("+22.5"), registry.Float)
	fmt.Println(err != nil)
	// Output:
	// 22.5
	// AQID
	// 3303 <nil>
	// true
}
