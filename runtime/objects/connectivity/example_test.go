package connectivity_test

import (
	"context"
	"fmt"

	"github.com/lwm2mgen/toolkit/generated/apnconnectionprofile"
	"github.com/lwm2mgen/toolkit/generated/connectivitymonitoring"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/objects/connectivity"
)

// A modem's signal, read live.
func ExampleNewMonitoring() {
	monitoring, err := connectivity.NewMonitoring(connectivity.MonitoringConfig{
		Instance: connectivity.MonitoringInstance{
			NetworkBearer:       dm.Int(connectivitymonitoring.NetworkBearerNBIoT),
			RadioSignalStrength: dm.Func(func(context.Context) (int64, error) { return -92, nil }),
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	inst, _ := monitoring.Get(0)
	signal, err := inst.RadioSignalStrength.Read(context.Background())
	fmt.Println(inst.NetworkBearer, signal, err)
	// Output:
	// 7 -92 <nil>
}

// The modem connects with a profile, and the Cellular Connectivity object links to it.
func ExampleNewAPN() {
	profiles, err := connectivity.NewAPN(connectivity.APNConfig{})
	if err != nil {
		fmt.Println(err)
		return
	}
	cellular, err := connectivity.NewCellular(connectivity.CellularConfig{Profiles: profiles})
	if err != nil {
		fmt.Println(err)
		return
	}
	err = profiles.Add(0, connectivity.APNInstance{
		ProfileName: dm.Str("meters"), AuthenticationType: dm.Int(apnconnectionprofile.AuthenticationTypePAP),
		UserName: dm.Str("meter"), Secret: dm.Password("hunter2"),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	if err := profiles.Connected(ctx, 0); err != nil {
		fmt.Println(err)
	}
	inst, _ := cellular.Get(0)
	link, err := inst.ActivatedProfileNames.Read(ctx, 0)
	fmt.Println(link, err)
	profile, _ := profiles.Get(0)
	fmt.Println(profile.UserName, profile.Secret)
	// Output:
	// 11:0 <nil>
	// meter [redacted]
}
