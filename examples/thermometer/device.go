package main

import (
	"context"
	"errors"

	"github.com/lwm2mgen/toolkit/examples/thermometer/internal/alarm"
	"github.com/lwm2mgen/toolkit/generated/temperature"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/objects/device"
)

// objects returns the device's objects, which read and move the hardware.
func objects(hw *hardware) ([]dm.Object, error) {
	temp, err := newTemperature(hw)
	if err != nil {
		return nil, err
	}
	limits, err := newAlarm(hw)
	if err != nil {
		return nil, err
	}
	dev, err := device.New(device.Config{
		Instance: device.Instance{
			Manufacturer: dm.Str("Example"),
			ModelNumber:  dm.Str("T-1000"),
			SerialNumber: dm.Str("4711"),
		},
		Reboot: func(context.Context) error { hw.log("hardware: reboot"); return nil },
	})
	if err != nil {
		return nil, err
	}
	return []dm.Object{dev, temp, limits}, nil
}

// newTemperature returns object 3303 with an instance for the sensor.
func newTemperature(hw *hardware) (*temperature.Object, error) {
	// A server may create instances and note readings of other sensors in them.
	temp, err := temperature.New(temperature.Config{
		Template: temperature.Instance{
			SensorValue:     dm.Float(0),
			ApplicationType: dm.Empty[string](),
		},
		MaxInstances: 4,
	})
	if err != nil {
		return nil, err
	}
	return temp, temp.Add(0, temperature.Instance{
		SensorValue:     dm.Func(hw.celsius), // live: read on request
		SensorUnits:     dm.Str("Cel"),       // stored
		ApplicationType: dm.Str("boiler"),    // stored, and writable by servers
	})
}

// newAlarm returns object 42769, whose limits and those of the hardware change together or not at
// all.
func newAlarm(hw *hardware) (*alarm.Object, error) {
	limits, err := alarm.New(alarm.Config{Hooks: alarm.Hooks{
		Validate: func(_ context.Context, tx *alarm.Tx) error {
			for c := range tx.Changes() {
				if c.New.LowLimit.Or(0) >= c.New.HighLimit.Or(0) {
					return dm.Errorf(dm.BadRequest, "the low limit %v is not below the high limit %v",
						c.New.LowLimit, c.New.HighLimit)
				}
			}
			return nil
		},
		Commit: func(ctx context.Context, tx *alarm.Tx) error {
			for c := range tx.Changes() {
				if err := hw.setLimits(ctx, c.New.LowLimit.Or(0), c.New.HighLimit.Or(0)); err != nil {
					return err // the transaction is rolled back
				}
			}
			return nil
		},
	}})
	if err != nil {
		return nil, err
	}
	return limits, errors.Join(limits.Add(0, alarm.Instance{
		LowLimit:  dm.Float(5),
		HighLimit: dm.Float(35),
		Message:   dm.Str("Call the janitor"),
		Test: func(_ context.Context, args dm.Args) error {
			times, _ := args.Get(0)
			return hw.buzz(times)
		},
	}))
}
