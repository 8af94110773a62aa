package dm_test

import (
	"context"
	"fmt"

	"github.com/lwm2mgen/toolkit/generated/accesscontrol"
	"github.com/lwm2mgen/toolkit/generated/portfolio"
	"github.com/lwm2mgen/toolkit/generated/temperature"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// A multiple-instance resource with values, and one that is supported but has none yet.
func ExampleInts() {
	bag, acl := must(portfolio.New(portfolio.Config{})), must(accesscontrol.New(accesscontrol.Config{}))
	err := bag.Add(0, portfolio.Instance{
		Identity: dm.Strs("host", "maker", "model"),
	})
	check(err)
	err = acl.Add(0, accesscontrol.Instance{
		ObjectID: dm.Int(3303), ObjectInstanceID: dm.Int(0), AccessControlOwner: dm.Int(101),
		ACL: dm.Ints(), // supported, no entry yet
	})
	check(err)
	host, _ := bag.Get(0)
	entry, _ := acl.Get(0)
	fmt.Println(host.Identity, entry.ACL)
	// Output:
	// [0:host 1:maker 2:model] <empty>
}

// AddNew takes the lowest free ID.
func ExampleTypedObject_AddNew() {
	ctx, water := context.Background(), must(temperature.New(temperature.Config{}))
	check(water.Add(0, temperature.Instance{SensorValue: dm.Float(21)}))
	id, err := water.AddNew(ctx, temperature.Instance{SensorValue: dm.Float(20)})
	check(err)
	fmt.Println(id)
	// Output: 1
}
