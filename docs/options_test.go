//lint:file-ignore SA4006 pages leave out error checks

package docs_test

import (
	"context"
	"time"

	"github.com/lwm2mgen/toolkit/generated/temperature"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// This function is compiled and never called.
var _ = liveOptions

// sensor is the hardware of objects.md.
type sensor interface {
	Celsius(context.Context) (float64, error)
	Minimum(context.Context) (float64, error)
	Maximum(context.Context) (float64, error)
}

func liveOptions(temp *temperature.Object, adc, flash sensor) (err error) {
	err = temp.Add(0, temperature.Instance{
		// A difference below half a degree is no change.
		SensorValue: dm.Func(adc.Celsius, dm.DeadBand(0.5)),
		// It costs energy: sample it once a minute, however often servers ask for it.
		MaxMeasuredValue: dm.Slow(flash.Maximum, dm.SampleEvery(time.Minute)),
		// It is never a reason to notify: send it with other values, and when pmax has passed.
		MinMeasuredValue: dm.Func(flash.Minimum, dm.Quiet()),
	})
	return err
}
