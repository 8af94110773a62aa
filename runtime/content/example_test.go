package content_test

import (
	"fmt"

	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// Which format fits depends on the operation and on the level of the node.
func ExampleCheck() {
	resource, object := dm.ResourcePath(3303, 0, 5700), dm.ObjectPath(3303)
	fmt.Println(content.Check(content.Text, content.Read, resource))
	for _, op := range []content.Operation{content.Read, content.Write} {
		err := content.Check(content.Text, op, object)
		fmt.Println(dm.CodeOf(err), err)
	}
	// Output:
	// <nil>
	// 4.06 Not Acceptable /3303: plain text cannot carry a Read of this node
	// 4.15 Unsupported Content-Format /3303: plain text cannot carry a Write of this node
}

func ExamplePrune() {
	fmt.Println(content.Prune([]dm.Path{
		dm.ResourcePath(3303, 0, 5700), dm.ObjectPath(3), dm.ResourcePath(3, 0, 1), dm.ResourcePath(3303, 0, 5700),
	}))
	// Output: [/3 /3303/0/5700]
}
