package device

import (
	"context"
	"slices"

	"github.com/lwm2mgen/toolkit/generated/device"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// Raise adds an error to the present errors (/3/0/11) and notifies the servers that observe them.
// code is one of the ErrorCode constants of generated/device, or a code of your own from 16 to 32.
// An error that is already present stays as it is. Raise waits for other transactions until ctx
// ends.
func (d *Device) Raise(ctx context.Context, code int64) error {
	return d.change(ctx, func(present []int64) []int64 {
		if slices.Contains(present, code) {
			return present
		}
		return append(present, code)
	})
}

// Clear removes an error from the present errors. It waits for other transactions until ctx ends.
func (d *Device) Clear(ctx context.Context, code int64) error {
	return d.change(ctx, func(present []int64) []int64 {
		return slices.DeleteFunc(present, func(c int64) bool { return c == code })
	})
}

// change rewrites the list of present errors, in which 0 means none.
func (d *Device) change(ctx context.Context, fn func([]int64) []int64) error {
	return d.Update(ctx, 0, func(i *Instance) error {
		var present []int64
		for _, c := range i.ErrorCode.All() {
			if c != device.ErrorCodeNoError {
				present = append(present, c)
			}
		}
		present = fn(present)
		present = slices.DeleteFunc(present, func(c int64) bool { return c == device.ErrorCodeNoError })
		if len(present) == 0 {
			present = []int64{device.ErrorCodeNoError}
		}
		i.ErrorCode = dm.List(present...)
		return nil
	})
}

// resetErrors is the executable Reset Error Code. It lists the errors that are still present.
func (d *Device) resetErrors(ctx context.Context, _ dm.Args) error {
	var still []int64
	if d.present != nil {
		still = slices.Clone(d.present(ctx))
	}
	return d.change(ctx, func([]int64) []int64 { return still })
}
