package device_test

import (
	"context"
	"fmt"

	values "github.com/lwm2mgen/toolkit/generated/device"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/objects/device"
)

// A device that reports an error while it lasts.
func Example() {
	dev, err := device.New(device.Config{
		Instance: device.Instance{Manufacturer: dm.Str("Example"), SerialNumber: dm.Str("4711")},
		Reboot:   func(context.Context) error { fmt.Println("restarting"); return nil },
		NoClock:  true,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	show := func() {
		inst, _ := dev.Get(0)
		fmt.Println(inst.Manufacturer, inst.ErrorCode)
	}
	show()
	if err := dev.Raise(ctx, values.ErrorCodeLowBattery); err != nil {
		fmt.Println(err)
	}
	show()
	if err := dev.Clear(ctx, values.ErrorCodeLowBattery); err != nil {
		fmt.Println(err)
	}
	show()
	// Output:
	// Example [0:0]
	// Example [0:1]
	// Example [0:0]
}
