package dm_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/generated/device"
	"github.com/lwm2mgen/toolkit/generated/temperature"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// A function with SampleEvery is called once in its interval by samples, and at every read by
// others.
func TestSampleEvery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		var fault error
		temp := must(temperature.New(temperature.Config{}))
		check(temp.Add(0, temperature.Instance{SensorValue: dm.Func(func(context.Context) (float64, error) {
			calls++
			return float64(calls), fault
		}, dm.SampleEvery(time.Minute))}))
		m := must(dm.NewModel(dm.ModelConfig{}, temp))
		p := dm.ResourcePath(3303, 0, 5700)
		read := func(ctx context.Context, want float64) {
			t.Helper()
			v, err := m.Snapshot().Value(ctx, dm.Server(1), p)
			if err != nil || v.Float() != want {
				t.Errorf("read %v (%v), want %v", v, err, want)
			}
		}
		plain := context.Background()
		sample := dm.WithSampling(plain)
		read(sample, 1)
		time.Sleep(50 * time.Second)
		read(sample, 1)
		read(plain, 2)
		time.Sleep(50 * time.Second)
		read(sample, 2)
		time.Sleep(10 * time.Second)
		read(sample, 3)
		m.Snapshot().Expire(dm.Path{})
		read(sample, 4)
		// An error is not kept.
		m.Snapshot().Expire(p)
		fault = errors.New("broken")
		if _, err := m.Snapshot().Value(sample, dm.Server(1), p); err == nil {
			t.Error("the error is hidden")
		}
		fault = nil
		read(sample, 6)
	})
}

// The same holds for all resource instances of a live resource.
func TestSampleEveryOfMulti(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		d := must(device.New(device.Config{}))
		check(d.Add(0, device.Instance{
			Reboot:                   func(context.Context, dm.Args) error { return nil },
			ErrorCode:                dm.List[int64](0),
			SupportedBindingAndModes: dm.Str("U"),
			PowerSourceVoltage: dm.FuncMulti(func(context.Context) (map[dm.ResourceInstanceID]int64, error) {
				calls++
				return map[dm.ResourceInstanceID]int64{0: 3800, 1: 5000}, nil
			}, dm.SampleEvery(time.Minute), dm.DeadBand(50)),
		}))
		m := must(dm.NewModel(dm.ModelConfig{}, d))
		sample := dm.WithSampling(context.Background())
		for range 3 {
			values := 0
			check(m.Snapshot().Read(sample, dm.Server(1), dm.ResourcePath(3, 0, 7), func(p dm.Path, v dm.Value) error {
				if values++; !v.HasDeadBand() || m.Snapshot().Reporting(p).DeadBand != 50 {
					t.Errorf("%v has no dead band", p)
				}
				return nil
			}))
			if values != 2 || calls != 1 {
				t.Errorf("%d values, %d calls", values, calls)
			}
		}
	})
}

// Sampling tells observers what to sample, and how often.
func TestSampling(t *testing.T) {
	value := func(context.Context) (float64, error) { return 1, nil }
	temp := must(temperature.New(temperature.Config{}))
	add := func(id dm.InstanceID, i temperature.Instance) { check(temp.Add(id, i)) }
	add(0, temperature.Instance{SensorValue: dm.Float(1)})
	add(1, temperature.Instance{SensorValue: dm.Func(value)})
	add(2, temperature.Instance{SensorValue: dm.Func(value, dm.Quiet())})
	add(3, temperature.Instance{SensorValue: dm.Moving(value, dm.SampleEvery(time.Hour))})
	add(4, temperature.Instance{SensorValue: dm.Func(value, dm.SampleEvery(time.Minute)), MinMeasuredValue: dm.Slow(value, dm.SampleEvery(time.Second))})
	m := must(dm.NewModel(dm.ModelConfig{}, temp))
	for _, c := range []struct {
		path          string
		sampled, live bool
		every         time.Duration
	}{
		{"/3303/0", false, false, 0}, {"/3303/0/5700", false, false, 0},
		{"/3303/1", true, true, 0}, {"/3303/1/5700", true, true, 0},
		{"/3303/2", false, false, 0}, {"/3303/2/5700", false, true, 0},
		{"/3303/3", false, false, 0}, {"/3303/3/5700", true, true, time.Hour},
		{"/3303/4", true, true, time.Second}, {"/3303/4/5700", true, true, time.Minute},
		{"/3303", true, true, 0}, {"/", true, true, 0}, {"/77", false, false, 0},
	} {
		p := must(dm.ParsePath(c.path))
		sampled, every := m.Snapshot().Sampling(dm.Server(1), p)
		if live := m.Snapshot().Live(dm.Server(1), p); sampled != c.sampled || every != c.every || live != c.live {
			t.Errorf("%s: sampled %t every %v, live %t", c.path, sampled, every, live)
		}
	}
}

// A dead band that cannot be is refused when the instance is added.
func TestDeadBandIsChecked(t *testing.T) {
	temp := must(temperature.New(temperature.Config{}))
	value := func(context.Context) (float64, error) { return 1, nil }
	text := func(context.Context) (string, error) { return "x", nil }
	for want, i := range map[string]temperature.Instance{
		"must be above 0": {SensorValue: dm.Func(value, dm.DeadBand(-1))},
		"is no number":    {SensorValue: dm.Float(1), SensorUnits: dm.Func(text, dm.DeadBand(1))},
	} {
		if err := temp.Add(0, i); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("added: %v, want %s", err, want)
		}
	}
}
