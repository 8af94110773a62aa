package location_test

import (
	"context"
	"fmt"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/objects/location"
)

// A receiver reports a fix.
func Example() {
	loc, err := location.New(location.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	err = loc.Set(context.Background(), location.Fix{
		Latitude: 43.5723, Longitude: 153.2176, Time: time.Unix(1367491215, 0),
		Altitude: dm.Float(140),
		Velocity: &location.Velocity{Bearing: 90, Horizontal: 3},
	})
	if err != nil {
		fmt.Println(err)
	}
	inst, _ := loc.Get(0)
	velocity, _ := inst.Velocity.Get()
	fmt.Printf("%v %v, %v m/s, velocity %x\n", inst.Latitude, inst.Longitude, inst.Speed, velocity)
	// Output:
	// 43.5723 153.2176, 3 m/s, velocity 005a000b
}
