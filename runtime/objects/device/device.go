package device

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lwm2mgen/toolkit/generated/device"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

type (
	// Object is the Device object with its one instance.
	Object = device.Object
	// Instance is that instance.
	Instance = device.Instance
	// Hooks are called around transactions that touch it.
	Hooks = device.Hooks
)

// Config is what New needs. Its functions are called on the loop that serves the device and must be quick, and may be called from
// several goroutines. The context says who asks (dm.OriginFrom) and has the client (lwm2m.FromContext).
type Config struct {
	// Instance holds what the program knows of the device: manufacturer, versions, battery and so on. What New fills in
	// itself must be left unsupported: the executables, ErrorCode, and the three resources of the clock. Zero: nothing but the
	// mandatory resources.
	Instance Instance
	// Reboot restarts the device (/3/0/4). The server is answered when it returns, so it should return nil at once and restart
	// a little later, after the client was shut down. Zero: the server is told that the device cannot (4.05).
	Reboot func(ctx context.Context) error
	// FactoryReset is Reboot for the reset to the state of delivery (/3/0/5). Zero: there is no such resource.
	FactoryReset func(ctx context.Context) error
	// PresentErrors returns the errors that are present now, without 0: it is asked when a server resets the error codes
	// (/3/0/12). Zero: none is.
	PresentErrors func(ctx context.Context) []int64
	// SetTime sets the clock of the system, when a server writes /3/0/13. An error refuses the write. Zero: the difference
	// to the system's clock is remembered until the program ends.
	SetTime func(ctx context.Context, t time.Time) error
	// NoClock leaves out Current Time, UTC Offset and Timezone. Zero: the device has them.
	NoClock bool
	// Hooks are called besides this package's own: Validate and Commit after it, Rollback before it. Zero: none.
	Hooks Hooks
}

// Device is the Device object and what the program tells it. Its methods may be called from any goroutine.
type Device struct {
	object  *Object
	present func(ctx context.Context) []int64
	clock   *clock
}

// New returns the object with its instance 0. It reports every fault of c at once.
func New(c Config) (*Device, error) {
	d := &Device{present: c.PresentErrors, clock: &clock{set: c.SetTime}}
	if err := refuseFilled(&c.Instance); err != nil {
		return nil, err
	}
	inst := c.Instance
	inst.Reboot = call(c.Reboot)
	if c.Reboot == nil {
		inst.Reboot = func(context.Context, dm.Args) error {
			return dm.Errorf(dm.MethodNotAllowed, "device.Config.Reboot is not set")
		}
	}
	inst.FactoryReset = call(c.FactoryReset)
	inst.ErrorCode = dm.List(device.ErrorCodeNoError)
	inst.ResetErrorCode = d.resetErrors
	if !inst.SupportedBindingAndModes.Supported() {
		inst.SupportedBindingAndModes = dm.Str("U")
	}
	if !c.NoClock {
		inst.CurrentTime = dm.Moving(d.clock.now)
		inst.UTCOffset = dm.Func(d.clock.utcOffset)
		inst.Timezone = dm.Func(d.clock.timezone)
	}
	object, err := device.New(device.Config{Hooks: d.hooks(c.Hooks)})
	if err != nil {
		return nil, err
	}
	if err := object.Add(0, inst); err != nil {
		return nil, err
	}
	d.object = object
	return d, nil
}

// Object is what goes into lwm2m.Config.Objects.
func (d *Device) Object() *Object { return d.object }

// refuseFilled reports resources that New sets itself.
func refuseFilled(i *Instance) error {
	var faults []error
	for _, r := range []struct {
		name string
		set  bool
		use  string
	}{
		{"Reboot", i.Reboot != nil, "Config.Reboot"},
		{"FactoryReset", i.FactoryReset != nil, "Config.FactoryReset"},
		{"ErrorCode", i.ErrorCode.Supported(), "Device.Raise"},
		{"ResetErrorCode", i.ResetErrorCode != nil, "Config.PresentErrors"},
		{"CurrentTime", i.CurrentTime.Supported(), "Config.SetTime"},
		{"UTCOffset", i.UTCOffset.Supported(), "Config.NoClock, and package generated/device if it must be different"},
		{"Timezone", i.Timezone.Supported(), "Config.NoClock, and package generated/device if it must be different"},
	} {
		if r.set {
			faults = append(faults, fmt.Errorf("device: Config.Instance.%s is set, which New does: use %s", r.name, r.use))
		}
	}
	return errors.Join(faults...)
}

func call(fn func(context.Context) error) dm.Exec {
	if fn == nil {
		return nil
	}
	return func(ctx context.Context, _ dm.Args) error { return fn(ctx) }
}
