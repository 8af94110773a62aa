package dmtest_test

import (
	"context"
	"reflect"
	"testing"

	"github.com/lwm2mgen/toolkit/generated/accelerometer"
	"github.com/lwm2mgen/toolkit/generated/accesscontrol"
	"github.com/lwm2mgen/toolkit/generated/acidity"
	"github.com/lwm2mgen/toolkit/generated/actuation"
	"github.com/lwm2mgen/toolkit/generated/addressabletextdisplay"
	"github.com/lwm2mgen/toolkit/generated/advancedfirmwareupdate"
	"github.com/lwm2mgen/toolkit/generated/altitude"
	"github.com/lwm2mgen/toolkit/generated/analoginput"
	"github.com/lwm2mgen/toolkit/generated/analogoutput"
	"github.com/lwm2mgen/toolkit/generated/apnconnectionprofile"
	"github.com/lwm2mgen/toolkit/generated/audioclip"
	"github.com/lwm2mgen/toolkit/generated/barometer"
	"github.com/lwm2mgen/toolkit/generated/bearerselection"
	"github.com/lwm2mgen/toolkit/generated/binaryappdatacontainer"
	"github.com/lwm2mgen/toolkit/generated/bitmap"
	"github.com/lwm2mgen/toolkit/generated/buzzer"
	"github.com/lwm2mgen/toolkit/generated/cellularconnectivity"
	"github.com/lwm2mgen/toolkit/generated/colour"
	"github.com/lwm2mgen/toolkit/generated/concentration"
	"github.com/lwm2mgen/toolkit/generated/conductivity"
	"github.com/lwm2mgen/toolkit/generated/connectivitymonitoring"
	"github.com/lwm2mgen/toolkit/generated/connectivitystatistics"
	"github.com/lwm2mgen/toolkit/generated/current"
	"github.com/lwm2mgen/toolkit/generated/depth"
	"github.com/lwm2mgen/toolkit/generated/device"
	"github.com/lwm2mgen/toolkit/generated/digitalinput"
	"github.com/lwm2mgen/toolkit/generated/digitaloutput"
	"github.com/lwm2mgen/toolkit/generated/dimmer"
	"github.com/lwm2mgen/toolkit/generated/direction"
	"github.com/lwm2mgen/toolkit/generated/distance"
	"github.com/lwm2mgen/toolkit/generated/energy"
	"github.com/lwm2mgen/toolkit/generated/eventlog"
	"github.com/lwm2mgen/toolkit/generated/firmwareupdate"
	"github.com/lwm2mgen/toolkit/generated/frequency"
	"github.com/lwm2mgen/toolkit/generated/gateway"
	"github.com/lwm2mgen/toolkit/generated/gatewayrouting"
	"github.com/lwm2mgen/toolkit/generated/genericsensor"
	"github.com/lwm2mgen/toolkit/generated/gpslocation"
	"github.com/lwm2mgen/toolkit/generated/gyrometer"
	"github.com/lwm2mgen/toolkit/generated/humidity"
	"github.com/lwm2mgen/toolkit/generated/illuminance"
	"github.com/lwm2mgen/toolkit/generated/ipsotime"
	"github.com/lwm2mgen/toolkit/generated/lightcontrol"
	"github.com/lwm2mgen/toolkit/generated/load"
	"github.com/lwm2mgen/toolkit/generated/loadcontrol"
	"github.com/lwm2mgen/toolkit/generated/location"
	"github.com/lwm2mgen/toolkit/generated/loudness"
	"github.com/lwm2mgen/toolkit/generated/magnetometer"
	"github.com/lwm2mgen/toolkit/generated/multipleaxisjoystick"
	"github.com/lwm2mgen/toolkit/generated/multistateselector"
	"github.com/lwm2mgen/toolkit/generated/onoffswitch"
	"github.com/lwm2mgen/toolkit/generated/oscore"
	"github.com/lwm2mgen/toolkit/generated/percentage"
	"github.com/lwm2mgen/toolkit/generated/portfolio"
	"github.com/lwm2mgen/toolkit/generated/positioner"
	"github.com/lwm2mgen/toolkit/generated/power"
	"github.com/lwm2mgen/toolkit/generated/powercontrol"
	"github.com/lwm2mgen/toolkit/generated/powerfactor"
	"github.com/lwm2mgen/toolkit/generated/powermeasurement"
	"github.com/lwm2mgen/toolkit/generated/presence"
	"github.com/lwm2mgen/toolkit/generated/pressure"
	"github.com/lwm2mgen/toolkit/generated/pushbutton"
	"github.com/lwm2mgen/toolkit/generated/rate"
	"github.com/lwm2mgen/toolkit/generated/security"
	"github.com/lwm2mgen/toolkit/generated/server"
	"github.com/lwm2mgen/toolkit/generated/setpoint"
	"github.com/lwm2mgen/toolkit/generated/softwaremanagement"
	"github.com/lwm2mgen/toolkit/generated/stopwatch"
	"github.com/lwm2mgen/toolkit/generated/temperature"
	"github.com/lwm2mgen/toolkit/generated/timer"
	"github.com/lwm2mgen/toolkit/generated/updowncontrol"
	"github.com/lwm2mgen/toolkit/generated/voltage"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/dm/dmtest"
)

// full returns an instance that supports every resource.
func full[T any](t *testing.T) T {
	t.Helper()
	var inst T
	v := reflect.ValueOf(&inst).Elem()
	for i := range v.NumField() {
		switch f := v.Field(i).Addr().Interface().(type) {
		case *dm.Exec:
			*f = func(context.Context, dm.Args) error { t.Error("the kit executes"); return nil }
		default: // a Res or a Multi: Set makes it supported
			set := v.Field(i).Addr().MethodByName("Set")
			args := make([]reflect.Value, set.Type().NumIn())
			for n := range args {
				args[n] = reflect.Zero(set.Type().In(n))
			}
			set.Call(args)
			v.Field(i).Addr().MethodByName("Clear").Call(nil)
		}
	}
	return inst
}

// shipped returns a test of a generated object that supports all of its resources.
func shipped[T any](create func(dm.ObjectConfig[T]) (*dm.TypedObject[T], error)) func(*testing.T) {
	return func(t *testing.T) {
		o, err := create(dm.ObjectConfig[T]{Template: full[T](t)})
		o = must(t, o, err)
		dmtest.Object(t, o)
		if o.Len() != 1 {
			t.Errorf("there are %d instances", o.Len())
		}
	}
}

// Every object that the toolkit ships passes the kit.
func TestShippedObjects(t *testing.T) {
	for name, test := range map[string]func(*testing.T){
		"accelerometer":          shipped(accelerometer.New),
		"accesscontrol":          shipped(accesscontrol.New),
		"acidity":                shipped(acidity.New),
		"actuation":              shipped(actuation.New),
		"addressabletextdisplay": shipped(addressabletextdisplay.New),
		"advancedfirmwareupdate": shipped(advancedfirmwareupdate.New),
		"altitude":               shipped(altitude.New),
		"analoginput":            shipped(analoginput.New),
		"analogoutput":           shipped(analogoutput.New),
		"apnconnectionprofile":   shipped(apnconnectionprofile.New),
		"audioclip":              shipped(audioclip.New),
		"barometer":              shipped(barometer.New),
		"bearerselection":        shipped(bearerselection.New),
		"binaryappdatacontainer": shipped(binaryappdatacontainer.New),
		"bitmap":                 shipped(bitmap.New),
		"buzzer":                 shipped(buzzer.New),
		"cellularconnectivity":   shipped(cellularconnectivity.New),
		"colour":                 shipped(colour.New),
		"concentration":          shipped(concentration.New),
		"conductivity":           shipped(conductivity.New),
		"connectivitymonitoring": shipped(connectivitymonitoring.New),
		"connectivitystatistics": shipped(connectivitystatistics.New),
		"current":                shipped(current.New),
		"depth":                  shipped(depth.New),
		"device":                 shipped(device.New),
		"digitalinput":           shipped(digitalinput.New),
		"digitaloutput":          shipped(digitaloutput.New),
		"dimmer":                 shipped(dimmer.New),
		"direction":              shipped(direction.New),
		"distance":               shipped(distance.New),
		"energy":                 shipped(energy.New),
		"eventlog":               shipped(eventlog.New),
		"firmwareupdate":         shipped(firmwareupdate.New),
		"frequency":              shipped(frequency.New),
		"gateway":                shipped(gateway.New),
		"gatewayrouting":         shipped(gatewayrouting.New),
		"genericsensor":          shipped(genericsensor.New),
		"gpslocation":            shipped(gpslocation.New),
		"gyrometer":              shipped(gyrometer.New),
		"humidity":               shipped(humidity.New),
		"illuminance":            shipped(illuminance.New),
		"ipsotime":               shipped(ipsotime.New),
		"lightcontrol":           shipped(lightcontrol.New),
		"load":                   shipped(load.New),
		"loadcontrol":            shipped(loadcontrol.New),
		"location":               shipped(location.New),
		"loudness":               shipped(loudness.New),
		"magnetometer":           shipped(magnetometer.New),
		"multipleaxisjoystick":   shipped(multipleaxisjoystick.New),
		"multistateselector":     shipped(multistateselector.New),
		"onoffswitch":            shipped(onoffswitch.New),
		"oscore":                 shipped(oscore.New),
		"percentage":             shipped(percentage.New),
		"portfolio":              shipped(portfolio.New),
		"positioner":             shipped(positioner.New),
		"power":                  shipped(power.New),
		"powercontrol":           shipped(powercontrol.New),
		"powerfactor":            shipped(powerfactor.New),
		"powermeasurement":       shipped(powermeasurement.New),
		"presence":               shipped(presence.New),
		"pressure":               shipped(pressure.New),
		"pushbutton":             shipped(pushbutton.New),
		"rate":                   shipped(rate.New),
		"security":               shipped(security.New),
		"server":                 shipped(server.New),
		"setpoint":               shipped(setpoint.New),
		"softwaremanagement":     shipped(softwaremanagement.New),
		"stopwatch":              shipped(stopwatch.New),
		"temperature":            shipped(temperature.New),
		"timer":                  shipped(timer.New),
		"updowncontrol":          shipped(updowncontrol.New),
		"voltage":                shipped(voltage.New),
	} {
		t.Run(name, test)
	}
}
