package manage

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/generated/temperature"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// gauge is a live value with options, in instance 7 of object 3303 beside a plain one.
type gauge struct {
	*story
	value, beside float64
	calls         int
}

func newGauge(t *testing.T, target string, slow bool, before []string, options ...dm.LiveOption) *gauge {
	t.Helper()
	r := newRig(t, released())
	g := &gauge{story: &story{rig: r, p: r.peers[0]}, value: 20}
	read := func(context.Context) (float64, error) { g.calls++; return g.value, nil }
	value := dm.Func(read, options...)
	if slow {
		value = dm.Slow(read, options...)
	}
	r.must(r.dev.things.Add(7, temperature.Instance{
		SensorValue:      value,
		MinMeasuredValue: dm.Func(func(context.Context) (float64, error) { return g.beside, nil }),
	}))
	r.must(g.p.end.Ping(func(error) {}))
	for _, line := range before {
		if got := g.p.do(to(line)); got.code != coap.Changed {
			t.Fatalf("%s: %v", line, got.code)
		}
	}
	_, g.notes, _ = g.p.watch(to("GET " + target).accepting(content.SenMLJSON))
	g.calls = 0
	return g
}

func TestLiveOptions(t *testing.T) {
	const alone, instance = "/3303/7/5700", "/3303/7"
	one := func(v string) string { return `[{"bn":"/3303/7/5700","v":` + v + `}]` }
	two := func(v, min string) string {
		return `[{"bn":"/3303/7/","n":"5601","v":` + min + `},{"n":"5700","v":` + v + `}]`
	}
	for _, c := range []struct {
		name, target string
		before       []string
		slow         bool
		options      []dm.LiveOption
		play         func(t *testing.T, g *gauge)
	}{
		{"quiet", alone, nil, false, []dm.LiveOption{dm.Quiet()}, func(t *testing.T, g *gauge) {
			g.value = 30
			g.expect(time.Hour)
			if g.calls != 0 {
				t.Errorf("%d calls", g.calls)
			}
			g.self.Notify(dm.ResourcePath(3303, 7, 5700))
			g.expect(time.Second, one("30"))
		}},
		{"quiet, and pmax has passed", alone, []string{"PUT /3303?pmax=60"}, false, []dm.LiveOption{dm.Quiet()}, func(t *testing.T, g *gauge) {
			g.value = 30
			g.expect(59 * time.Second)
			g.expect(time.Second, one("30"))
		}},
		{"quiet, with value conditions", alone, []string{"PUT " + alone + "?gt=25"}, false, []dm.LiveOption{dm.Quiet()}, func(t *testing.T, g *gauge) {
			g.value = 30
			g.expect(time.Hour)
		}},
		{"quiet beside another value", instance, nil, false, []dm.LiveOption{dm.Quiet()}, func(t *testing.T, g *gauge) {
			g.value = 30
			g.expect(time.Minute)
			g.beside = 1
			g.expect(time.Second, two("30", "1"))
		}},
		{"dead band", alone, nil, false, []dm.LiveOption{dm.DeadBand(2)}, func(t *testing.T, g *gauge) {
			g.value = 21.9
			g.expect(time.Minute)
			g.value = 22
			g.expect(time.Second, one("22"))
			g.value = 20.5
			g.expect(time.Minute)
			g.value = 20
			g.expect(time.Second, one("20"))
		}},
		{"dead band beside another value", instance, nil, false, []dm.LiveOption{dm.DeadBand(2)}, func(t *testing.T, g *gauge) {
			g.value = 21
			g.expect(time.Minute)
			g.beside = 1
			g.expect(time.Second, two("21", "1"))
			g.value = 22.5 // against what was sent
			g.expect(time.Minute)
			g.value = 23
			g.expect(time.Second, two("23", "1"))
		}},
		{"value conditions ignore the dead band", alone, []string{"PUT " + alone + "?gt=20.5"}, false, []dm.LiveOption{dm.DeadBand(2)}, func(t *testing.T, g *gauge) {
			g.value = 21
			g.expect(time.Second, one("21"))
		}},
		{"an interval of its own", alone, nil, false, []dm.LiveOption{dm.SampleEvery(20 * time.Second)}, func(t *testing.T, g *gauge) {
			g.value = 30
			g.expect(19 * time.Second)
			g.expect(time.Second, one("30"))
			g.expect(time.Minute)
			if g.calls != 4 {
				t.Errorf("%d calls in 80 s", g.calls)
			}
		}},
		{"an interval of its own beside another value", instance, nil, false, []dm.LiveOption{dm.SampleEvery(20 * time.Second)}, func(t *testing.T, g *gauge) {
			g.value = 30
			g.expect(10 * time.Second)
			g.beside = 1
			g.expect(time.Second, two("20", "1"))
			g.expect(9*time.Second, two("30", "1"))
			g.pass(40 * time.Second)
			if g.calls != 3 {
				t.Errorf("%d calls in a minute", g.calls)
			}
			g.value = 40
			if got := g.p.senml(alone); got != one("40") {
				t.Errorf("a Read returns %s", got)
			}
		}},
		{"Notify ends the interval", instance, nil, false, []dm.LiveOption{dm.SampleEvery(time.Hour)}, func(t *testing.T, g *gauge) {
			g.value = 30
			g.expect(time.Minute)
			g.self.Notify(dm.InstancePath(3303, 7))
			g.expect(time.Second, two("30", "0"))
		}},
		{"a longer epmin is respected", alone, []string{"PUT /3303?epmin=30"}, false, []dm.LiveOption{dm.SampleEvery(20 * time.Second)}, func(t *testing.T, g *gauge) {
			g.value = 30
			g.expect(29 * time.Second)
			g.expect(time.Second, one("30"))
		}},
		{"a slow function with an interval", instance, nil, true, []dm.LiveOption{dm.SampleEvery(20 * time.Second)}, func(t *testing.T, g *gauge) {
			g.pass(61 * time.Second)
			if g.calls != 3 {
				t.Errorf("%d calls in a minute", g.calls)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c.play(t, newGauge(t, c.target, c.slow, c.before, c.options...))
			})
		})
	}
}
