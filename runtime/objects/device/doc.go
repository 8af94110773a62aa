// Package device is the LwM2M Device object (3) with its behaviour: reboot and factory reset by
// functions of your program, the list of present errors with its reset, and a clock with time zone
// that servers can set. The instance is that of generated/device.
//
//	dev, err := device.New(device.Config{
//		Instance: device.Instance{Manufacturer: dm.Str("Example"), SerialNumber: dm.Str("4711")},
//		Reboot:   func(context.Context) error { return board.ResetAfter(time.Second) },
//	})
//	if err != nil {
//		return err
//	}
//	client, err := lwm2m.New(lwm2m.Config{
//		Objects: []dm.Object{dev},
//		...
//	})
//
// The main names are [New], [Config], [Device], [Device.Object], and [Device.Raise] with
// [Device.Clear], which report an error of the device and that it has gone.
package device
