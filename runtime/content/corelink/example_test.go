package corelink_test

import (
	"fmt"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/corelink"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

func ExampleEncoder() {
	var e corelink.Encoder
	e.Begin(nil, "")
	e.Root(content.SenMLCBOR, content.TLV)
	e.Link(dm.InstancePath(3, 0))
	e.Link(dm.ObjectPath(3303))
	e.Version("ver", registry.V(1, 1))
	e.Link(dm.InstancePath(3303, 0))
	b, err := e.Finish()
	fmt.Println(string(b), err)
	// Output:
	// </>;rt="oma.lwm2m";ct="112 11542",</3/0>,</3303>;ver=1.1,</3303/0> <nil>
}

func ExampleParse() {
	err := corelink.Parse([]byte(`</3303/0>;pmin=10,</3303/0/5700>;pmin=10;gt=25`), func(l corelink.Link) error {
		p, _ := l.Path("")
		gt, ok := l.Attr("gt")
		fmt.Println(p, gt, ok)
		return nil
	})
	fmt.Println(err)
	// Output:
	// /3303/0  false
	// /3303/0/5700 25 true
	// <nil>
}
