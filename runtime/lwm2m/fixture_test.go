package lwm2m_test

import (
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/generated/temperature"
	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

func linkDelay(d time.Duration) simnet.Link { return simnet.Link{Delay: d} }

// newSensor is a Temperature object with these instances.
func newSensor(t *testing.T, ids ...dm.InstanceID) *temperature.Object {
	t.Helper()
	o, err := temperature.New(temperature.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		if err := o.Add(id, temperature.Instance{SensorValue: dm.Float(20)}); err != nil {
			t.Fatal(err)
		}
	}
	return o
}
