package shipped

import (
	"fmt"

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
	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// Definitions returns the definitions of all shipped objects, for tools that show names and types.
// The definitions are shared and must not be changed.
func Definitions() ([]*registry.Object, error) {
	var all []*registry.Object
	for name, construct := range constructors {
		o, err := construct()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, o.Definition())
	}
	return all, nil
}

// constructors has every package of generated/.
var constructors = map[string]func() (dm.Object, error){
	"accelerometer":          func() (dm.Object, error) { return accelerometer.New(accelerometer.Config{}) },
	"accesscontrol":          func() (dm.Object, error) { return accesscontrol.New(accesscontrol.Config{}) },
	"acidity":                func() (dm.Object, error) { return acidity.New(acidity.Config{}) },
	"actuation":              func() (dm.Object, error) { return actuation.New(actuation.Config{}) },
	"addressabletextdisplay": func() (dm.Object, error) { return addressabletextdisplay.New(addressabletextdisplay.Config{}) },
	"advancedfirmwareupdate": func() (dm.Object, error) { return advancedfirmwareupdate.New(advancedfirmwareupdate.Config{}) },
	"altitude":               func() (dm.Object, error) { return altitude.New(altitude.Config{}) },
	"analoginput":            func() (dm.Object, error) { return analoginput.New(analoginput.Config{}) },
	"analogoutput":           func() (dm.Object, error) { return analogoutput.New(analogoutput.Config{}) },
	"apnconnectionprofile":   func() (dm.Object, error) { return apnconnectionprofile.New(apnconnectionprofile.Config{}) },
	"audioclip":              func() (dm.Object, error) { return audioclip.New(audioclip.Config{}) },
	"barometer":              func() (dm.Object, error) { return barometer.New(barometer.Config{}) },
	"bearerselection":        func() (dm.Object, error) { return bearerselection.New(bearerselection.Config{}) },
	"binaryappdatacontainer": func() (dm.Object, error) { return binaryappdatacontainer.New(binaryappdatacontainer.Config{}) },
	"bitmap":                 func() (dm.Object, error) { return bitmap.New(bitmap.Config{}) },
	"buzzer":                 func() (dm.Object, error) { return buzzer.New(buzzer.Config{}) },
	"cellularconnectivity":   func() (dm.Object, error) { return cellularconnectivity.New(cellularconnectivity.Config{}) },
	"colour":                 func() (dm.Object, error) { return colour.New(colour.Config{}) },
	"concentration":          func() (dm.Object, error) { return concentration.New(concentration.Config{}) },
	"conductivity":           func() (dm.Object, error) { return conductivity.New(conductivity.Config{}) },
	"connectivitymonitoring": func() (dm.Object, error) { return connectivitymonitoring.New(connectivitymonitoring.Config{}) },
	"connectivitystatistics": func() (dm.Object, error) { return connectivitystatistics.New(connectivitystatistics.Config{}) },
	"current":                func() (dm.Object, error) { return current.New(current.Config{}) },
	"depth":                  func() (dm.Object, error) { return depth.New(depth.Config{}) },
	"device":                 func() (dm.Object, error) { return device.New(device.Config{}) },
	"digitalinput":           func() (dm.Object, error) { return digitalinput.New(digitalinput.Config{}) },
	"digitaloutput":          func() (dm.Object, error) { return digitaloutput.New(digitaloutput.Config{}) },
	"dimmer":                 func() (dm.Object, error) { return dimmer.New(dimmer.Config{}) },
	"direction":              func() (dm.Object, error) { return direction.New(direction.Config{}) },
	"distance":               func() (dm.Object, error) { return distance.New(distance.Config{}) },
	"energy":                 func() (dm.Object, error) { return energy.New(energy.Config{}) },
	"eventlog":               func() (dm.Object, error) { return eventlog.New(eventlog.Config{}) },
	"firmwareupdate":         func() (dm.Object, error) { return firmwareupdate.New(firmwareupdate.Config{}) },
	"frequency":              func() (dm.Object, error) { return frequency.New(frequency.Config{}) },
	"gateway":                func() (dm.Object, error) { return gateway.New(gateway.Config{}) },
	"gatewayrouting":         func() (dm.Object, error) { return gatewayrouting.New(gatewayrouting.Config{}) },
	"genericsensor":          func() (dm.Object, error) { return genericsensor.New(genericsensor.Config{}) },
	"gpslocation":            func() (dm.Object, error) { return gpslocation.New(gpslocation.Config{}) },
	"gyrometer":              func() (dm.Object, error) { return gyrometer.New(gyrometer.Config{}) },
	"humidity":               func() (dm.Object, error) { return humidity.New(humidity.Config{}) },
	"illuminance":            func() (dm.Object, error) { return illuminance.New(illuminance.Config{}) },
	"ipsotime":               func() (dm.Object, error) { return ipsotime.New(ipsotime.Config{}) },
	"lightcontrol":           func() (dm.Object, error) { return lightcontrol.New(lightcontrol.Config{}) },
	"load":                   func() (dm.Object, error) { return load.New(load.Config{}) },
	"loadcontrol":            func() (dm.Object, error) { return loadcontrol.New(loadcontrol.Config{}) },
	"location":               func() (dm.Object, error) { return location.New(location.Config{}) },
	"loudness":               func() (dm.Object, error) { return loudness.New(loudness.Config{}) },
	"magnetometer":           func() (dm.Object, error) { return magnetometer.New(magnetometer.Config{}) },
	"multipleaxisjoystick":   func() (dm.Object, error) { return multipleaxisjoystick.New(multipleaxisjoystick.Config{}) },
	"multistateselector":     func() (dm.Object, error) { return multistateselector.New(multistateselector.Config{}) },
	"onoffswitch":            func() (dm.Object, error) { return onoffswitch.New(onoffswitch.Config{}) },
	"oscore":                 func() (dm.Object, error) { return oscore.New(oscore.Config{}) },
	"percentage":             func() (dm.Object, error) { return percentage.New(percentage.Config{}) },
	"portfolio":              func() (dm.Object, error) { return portfolio.New(portfolio.Config{}) },
	"positioner":             func() (dm.Object, error) { return positioner.New(positioner.Config{}) },
	"power":                  func() (dm.Object, error) { return power.New(power.Config{}) },
	"powercontrol":           func() (dm.Object, error) { return powercontrol.New(powercontrol.Config{}) },
	"powerfactor":            func() (dm.Object, error) { return powerfactor.New(powerfactor.Config{}) },
	"powermeasurement":       func() (dm.Object, error) { return powermeasurement.New(powermeasurement.Config{}) },
	"presence":               func() (dm.Object, error) { return presence.New(presence.Config{}) },
	"pressure":               func() (dm.Object, error) { return pressure.New(pressure.Config{}) },
	"pushbutton":             func() (dm.Object, error) { return pushbutton.New(pushbutton.Config{}) },
	"rate":                   func() (dm.Object, error) { return rate.New(rate.Config{}) },
	"security":               func() (dm.Object, error) { return security.New(security.Config{}) },
	"server":                 func() (dm.Object, error) { return server.New(server.Config{}) },
	"setpoint":               func() (dm.Object, error) { return setpoint.New(setpoint.Config{}) },
	"softwaremanagement":     func() (dm.Object, error) { return softwaremanagement.New(softwaremanagement.Config{}) },
	"stopwatch":              func() (dm.Object, error) { return stopwatch.New(stopwatch.Config{}) },
	"temperature":            func() (dm.Object, error) { return temperature.New(temperature.Config{}) },
	"timer":                  func() (dm.Object, error) { return timer.New(timer.Config{}) },
	"updowncontrol":          func() (dm.Object, error) { return updowncontrol.New(updowncontrol.Config{}) },
	"voltage":                func() (dm.Object, error) { return voltage.New(voltage.Config{}) },
}
