package location_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"testing"
	"testing/synctest"
	"time"

	values "github.com/lwm2mgen/toolkit/generated/location"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/dm/dmtest"
	"github.com/lwm2mgen/toolkit/runtime/objects/internal/objecttest"
	"github.com/lwm2mgen/toolkit/runtime/objects/location"
)

var must, same = objecttest.Must, objecttest.Same

// The first four vectors are those of jSS7's VelocityEstimateTest, an independent implementation.
func TestVelocity(t *testing.T) {
	kmh := func(v float64) dm.Res[float64] { return dm.Float(v / 3.6) }
	for _, c := range []struct {
		want string
		v    location.Velocity
	}{
		{"005a003b", location.Velocity{Bearing: 90, Horizontal: 59 / 3.6}},
		{"112c2710c8", location.Velocity{Bearing: 300, Horizontal: 10000 / 3.6, Vertical: kmh(200)}},
		{"212d2711c7", location.Velocity{Bearing: 301, Horizontal: 10001 / 3.6, HorizontalUncertainty: kmh(199)}},
		{"312e2712cac6c5", location.Velocity{Bearing: 302, Horizontal: 10002 / 3.6, Vertical: kmh(202),
			HorizontalUncertainty: kmh(198), VerticalUncertainty: kmh(197)}},
		{"1201000005", location.Velocity{Bearing: 1, Vertical: kmh(-5)}},
		{"30000000050aff", location.Velocity{Vertical: kmh(5), HorizontalUncertainty: kmh(9.5)}},
		{"3000000005ff01", location.Velocity{Vertical: kmh(5), VerticalUncertainty: kmh(0.1)}},
		{"00000001", location.Velocity{Bearing: 359.6, Horizontal: 0.5 / 3.6}},
		{"01670000", location.Velocity{Bearing: -1, Horizontal: -3}},
		{"000a0000", location.Velocity{Bearing: 730, Horizontal: 0.49 / 3.6}},
		{"0000ffff", location.Velocity{Bearing: math.NaN(), Horizontal: 1e9}},
		{"10000000ff", location.Velocity{Bearing: math.Inf(1), Horizontal: math.NaN(), Vertical: kmh(1e9)}},
		{"20000000ff", location.Velocity{HorizontalUncertainty: kmh(254.5)}},
		{"20000000fe", location.Velocity{HorizontalUncertainty: kmh(253.5)}},
		{"20000000ff", location.Velocity{HorizontalUncertainty: dm.Float(math.NaN())}},
		{"00000000", location.Velocity{VerticalUncertainty: kmh(5)}},
	} {
		if got := hex.EncodeToString(c.v.Encode()); got != c.want {
			t.Errorf("%+v: %s, want %s", c.v, got, c.want)
		}
	}
}

func TestSet(t *testing.T) {
	l, err := location.New(location.Config{Omit: []dm.ResourceID{values.RadiusID}})
	must(t, err)
	d := objecttest.New(t, l)
	same(t, d.Read("/6/0"))
	ctx := context.Background()
	at := time.Unix(1367491215, 0)
	must(t, l.Set(ctx, location.Fix{Latitude: 43.5723, Longitude: 153.2176, Time: at, Altitude: dm.Float(140),
		Radius: dm.Float(5), Velocity: &location.Velocity{Bearing: 90, Horizontal: 3, Vertical: dm.Float(-4)}}))
	same(t, d.Read("/6/0"), "/6/0/0=43.5723", "/6/0/1=153.2176", "/6/0/2=140", "/6/0/4="+d.Value("/6/0/4").String(),
		"/6/0/5=2013-05-02T10:40:15Z", "/6/0/6=5")
	if v := hex.EncodeToString(d.Value("/6/0/4").Opaque()); v != "125a000b0e" {
		t.Errorf("velocity %s", v)
	}
	must(t, l.Set(ctx, location.Fix{Latitude: -1, Speed: dm.Float(2), Time: at}))
	same(t, d.Read("/6/0"), "/6/0/0=-1", "/6/0/1=0", "/6/0/5=2013-05-02T10:40:15Z", "/6/0/6=2")
	for _, f := range []location.Fix{{Latitude: 91}, {Longitude: -181}, {Latitude: math.NaN()}} {
		if l.Set(ctx, f) == nil {
			t.Errorf("%+v was accepted", f)
		}
	}
	same(t, d.Read("/6/0/0"), "/6/0/0=-1")
	if _, err := location.New(location.Config{Omit: []dm.ResourceID{values.LatitudeID}}); err == nil {
		t.Error("an object without latitude was accepted")
	}
	other, err := location.New(location.Config{})
	must(t, err)
	dmtest.Object(t, other.Object)
}

// One read shows one fix, and a fix is read again after MaxAge.
func TestLiveFix(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		var fail error
		l, err := location.New(location.Config{
			Fix: func(context.Context) (location.Fix, error) {
				calls++
				n := float64(calls)
				return location.Fix{Latitude: n, Longitude: n, Altitude: dm.Float(n), Time: time.Unix(int64(calls), 0)}, fail
			},
			MaxAge: 10 * time.Second,
		})
		must(t, err)
		d := objecttest.New(t, l)
		fix := func(n int) {
			t.Helper()
			same(t, d.Read("/6/0"), fmt.Sprint("/6/0/0=", n), fmt.Sprint("/6/0/1=", n), fmt.Sprint("/6/0/2=", n),
				"/6/0/5="+time.Unix(int64(n), 0).UTC().Format(time.RFC3339))
		}
		fix(1)
		<-time.After(9 * time.Second)
		fix(1)
		<-time.After(time.Second)
		fix(2)
		same(t, d.Read("/6/0/1"), "/6/0/1=2")
		<-time.After(20 * time.Second)
		same(t, d.Read("/6/0/1"), "/6/0/1=3")
		fail = dm.ErrNoValue
		<-time.After(20 * time.Second)
		same(t, d.Read("/6/0"))
		if err := l.Set(context.Background(), location.Fix{}); err == nil {
			t.Error("Set was accepted beside Config.Fix")
		}
	})
	l, err := location.New(location.Config{Fix: func(context.Context) (location.Fix, error) {
		return location.Fix{Latitude: 100}, nil
	}})
	must(t, err)
	if err := objecttest.New(t, l).Err("/6/0/0"); err == nil || errors.Is(err, dm.NotFound) {
		t.Errorf("a latitude of 100: %v", err)
	}
}
