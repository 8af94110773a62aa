package device

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/lwm2mgen/toolkit/generated/device"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
)

type (
	// Object is the Device object with its one instance.
	Object = device.Object
	// Instance is that instance.
	Instance = device.Instance
	// Hooks run around transactions that touch the object.
	Hooks = device.Hooks
)

// Config is the configuration of New. For a server's request its functions run on the loop that
// serves the device and must be quick; they may be called from several goroutines. The context
// carries who asks (dm.OriginFrom) and the client (lwm2m.FromContext).
type Config struct {
	// Instance holds what your program knows of the device: manufacturer, versions, battery and so
	// on. Leave unsupported what New sets itself: the executables, ErrorCode, and the three
	// resources of the clock. Without SupportedBindingAndModes (/3/0/16) the device lists the
	// transports of the client's dialers. The zero value means only the mandatory resources.
	Instance Instance
	// Reboot restarts the device (/3/0/4). The server is answered when Reboot returns, so return
	// nil at once and restart a little later, after the client was shut down. The zero value means
	// that the server is told that the device cannot reboot (4.05).
	Reboot func(ctx context.Context) error
	// FactoryReset resets the device to its state of delivery (/3/0/5), under the rules of Reboot.
	// The zero value means that the resource does not exist.
	FactoryReset func(ctx context.Context) error
	// PresentErrors returns the errors that are present now, without 0. It is called when a server
	// resets the error codes (/3/0/12). The zero value means that no error is present.
	PresentErrors func(ctx context.Context) []int64
	// SetTime sets the system's clock when a server writes /3/0/13. An error refuses the write. The
	// zero value means that the difference to the system's clock is remembered until the program
	// ends.
	SetTime func(ctx context.Context, t time.Time) error
	// NoClock leaves out Current Time, UTC Offset and Timezone. The zero value means that the
	// device has them.
	NoClock bool
	// Hooks run in addition to the hooks of this package: Validate and Commit after them, Rollback
	// before them. The zero value means none.
	Hooks Hooks
}

// seldom is the interval in which observations sample what hardly ever changes. A server's write is
// seen at once.
const seldom = time.Minute

// Device is the Device object together with the state that the program sets. It is an object for
// lwm2m.Config.Objects. Its methods may be called from any goroutine.
type Device struct {
	*Object
	present func(ctx context.Context) []int64
	clock   *clock
	binding atomic.Pointer[string] // as last learned from the client, nil before New of the client
}

// New returns the object with its instance 0. Its error names every fault of c.
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
		inst.SupportedBindingAndModes = dm.Func(d.bindings, dm.SampleEvery(seldom))
	}
	if !c.NoClock {
		inst.CurrentTime = dm.Moving(d.clock.now)
		inst.UTCOffset = dm.Func(d.clock.utcOffset, dm.SampleEvery(seldom))
		inst.Timezone = dm.Func(d.clock.timezone, dm.SampleEvery(seldom))
	}
	object, err := device.New(device.Config{Hooks: d.hooks(c.Hooks)})
	if err != nil {
		return nil, err
	}
	if err := object.Add(0, inst); err != nil {
		return nil, err
	}
	d.Object = object
	return d, nil
}

// bindings returns the transports that the client supports. The client puts itself into the context
// of every request, and reads the resource once when it is made; a read without a client, such as
// one of your program, returns what was learned then.
func (d *Device) bindings(ctx context.Context) (string, error) {
	if c := lwm2m.FromContext(ctx); c != nil {
		if b := c.Bindings(); b != "" {
			d.binding.Store(&b)
		}
	}
	if b := d.binding.Load(); b != nil {
		return *b, nil
	}
	return "U", nil // Core 1.2.2 §6.2.1: the default
}

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

// call makes an executable of fn, nil for a nil fn.
func call(fn func(context.Context) error) dm.Exec {
	if fn == nil {
		return nil
	}
	return func(ctx context.Context, _ dm.Args) error { return fn(ctx) }
}
