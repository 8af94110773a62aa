// Package connectivity is the LwM2M objects about the network, with their behaviour: Connectivity
// Monitoring (4), Connectivity Statistics (7), Cellular Connectivity (10), APN Connection Profile
// (11) and Bearer Selection (13). Each New function returns an object for lwm2m.Config.Objects.
//
// Monitoring shows the values of a modem, and the IP addresses of the operating system:
//
//	monitoring, err := connectivity.NewMonitoring(connectivity.MonitoringConfig{
//		Instance: connectivity.MonitoringInstance{
//			NetworkBearer:       dm.Int(connectivitymonitoring.NetworkBearerNBIoT),
//			RadioSignalStrength: dm.Func(modem.RSSI, dm.DeadBand(3)), // in dB
//			CellID:              dm.Slow(modem.Cell, dm.SampleEvery(time.Minute)),
//		},
//	})
//
// Statistics count what the client sends and receives while a server wants it, and need no
// configuration:
//
//	statistics, err := connectivity.NewStatistics(connectivity.StatisticsConfig{})
//
// Cellular Connectivity hands settings to the modem, and lists the profiles that are connected:
//
//	profiles, err := connectivity.NewAPN(connectivity.APNConfig{Configure: modem.SetProfile})
//	err = profiles.Add(0, connectivity.APNInstance{
//		ProfileName:        dm.Str("meters"),
//		APN:                dm.Str("iot.example"),
//		EnableStatus:       dm.Bool(true),
//		AuthenticationType: dm.Int(apnconnectionprofile.AuthenticationTypePAP),
//		UserName:           dm.Str("meter"),
//		Secret:             dm.Password(password),
//	})
//	cellular, err := connectivity.NewCellular(connectivity.CellularConfig{
//		Instance: connectivity.CellularInstance{
//			PSMTimer:    dm.Int(3600),
//			ActiveTimer: dm.Int(60),
//		},
//		Profiles:     profiles,
//		Configure:    modem.Configure,
//		DisableRadio: modem.Detach,
//	})
//
// When the modem has connected, the program says so: profiles.Connected(ctx, 0).
//
// Bearer Selection tells the program which network a server wants:
//
//	bearers, err := connectivity.NewBearerSelection(connectivity.BearerSelectionConfig{
//		Select: func(_ context.Context, preferred []int64, _ *connectivity.BearerInstance) error {
//			return network.Prefer(preferred)
//		},
//	})
//
// The main names are [NewMonitoring], [NewStatistics], [NewCellular], [NewAPN] with [APN], and
// [NewBearerSelection].
package connectivity
