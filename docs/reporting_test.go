//lint:file-ignore SA4006 pages leave out error checks

package docs_test

import (
	"context"
	"time"

	"github.com/lwm2mgen/toolkit/generated/device"
	"github.com/lwm2mgen/toolkit/generated/temperature"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
)

// These functions are compiled and never called.
var _ = []any{sendBatch, sendHistory}

func sendBatch(ctx context.Context, client *lwm2m.Client, measuredAt time.Time) (lwm2m.SendResult, error) {
	var b lwm2m.Batch
	b.Add(dm.ResourcePath(3303, 0, temperature.SensorValueID)) // read now
	b.AddValue(dm.ResourcePath(3, 0, device.BatteryLevelID), dm.IntegerValue(87), measuredAt)
	result, err := client.Send(ctx, 1, &b)
	return result, err
}

func sendHistory(ctx context.Context, client *lwm2m.Client, celsius float64) error {
	history := lwm2m.NewHistory(dm.ResourcePath(3303, 0, temperature.SensorValueID), 1000)
	// every minute:
	history.Add(dm.FloatValue(celsius), time.Now())
	// every hour:
	var b lwm2m.Batch
	b.AddHistory(history)
	_, err := client.Send(ctx, 1, &b)
	return err
}
