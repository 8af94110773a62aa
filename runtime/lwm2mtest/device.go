package lwm2mtest

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// Run runs a device until the test ends. The device is a function such as the Run of a client. At
// the end of the test its context is canceled, and the test waits until the function has returned
// before it closes the server. An error of the device other than context.Canceled fails the test:
// at once in a Wait function of the server, otherwise at the end of the test.
//
//	srv.Run(client.Run)
//	dev := srv.WaitRegistered("heater-7")
func (s *Server) Run(device func(context.Context) error) {
	s.t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	result := make(chan error, 1)
	s.devices.start()
	go func() {
		err := device(ctx)
		if errors.Is(err, context.Canceled) && ctx.Err() != nil {
			err = nil
		}
		s.devices.end(err)
		result <- err
	}()
	s.t.Cleanup(func() {
		stop()
		if err := <-result; err != nil && !s.devices.hasReported() {
			s.t.Fatalf("lwm2mtest: the device ended: %v", err)
		}
	})
}

// errNoDevice is the reason why WaitRegistered does not wait.
var errNoDevice = errors.New("the device ended without an error")

// devices are the functions that Run runs.
type devices struct {
	mu       sync.Mutex
	running  int
	reported bool // a Wait function has failed the test with the error of a device

	// failed ends with the error of the first device that returned one. alive, below it, also ends
	// when all devices have returned; the next Run replaces it.
	failed, alive context.Context
	fail, endAll  context.CancelCauseFunc
}

func newDevices() *devices {
	d := &devices{}
	d.failed, d.fail = context.WithCancelCause(context.Background())
	d.alive, d.endAll = context.WithCancelCause(d.failed)
	return d
}

// start counts a device that begins to run.
func (d *devices) start() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.running++
	if d.alive.Err() != nil {
		d.alive, d.endAll = context.WithCancelCause(d.failed)
	}
}

// end counts a device that returned err.
func (d *devices) end(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.running--
	if err != nil {
		d.fail(fmt.Errorf("the device ended: %w", err))
	}
	if d.running == 0 {
		d.endAll(errNoDevice)
	}
}

// close releases the contexts.
func (d *devices) close() { d.fail(nil) }

// contexts returns the contexts of waiting for a registration and of waiting for anything else.
func (d *devices) contexts() (alive, failed context.Context) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.alive, d.failed
}

func (d *devices) hasReported() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.reported
}

// markReported notes that a Wait function fails the test with the error of a device, if there is
// one.
func (d *devices) markReported() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.reported = d.reported || d.failed.Err() != nil
}
