package firmwareupdate

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/objects/internal/firmware"
)

// Fail returns an error that chooses the Update Result (/5/0/5): one of the UpdateResult constants
// of generated/firmwareupdate, from NotEnoughStorage to UnsupportedProtocol. The functions of an
// Installer, a Storage and a Downloader return it. UpdateFailed gives way to a more specific result
// in cause.
func Fail(result int64, cause error) error { return &failure{result, cause} }

type failure struct {
	result int64
	err    error
}

func (f *failure) Error() string { return fmt.Sprintf("%v (update result %d)", f.err, f.result) }

func (f *failure) Unwrap() error { return f.err }

// resultOf returns the Update Result of an error.
func resultOf(err error, otherwise firmware.Result) firmware.Result {
	var f *failure
	switch {
	case errors.As(err, &f) && f.result == int64(firmware.UpdateFailed): // its cause may say more
		return resultOf(f.err, firmware.UpdateFailed)
	case errors.As(err, &f) && f.result >= int64(firmware.NotEnoughStorage) && f.result <= int64(firmware.UnsupportedProtocol):
		return firmware.Result(f.result)
	case errors.As(err, &f):
		return firmware.UpdateFailed
	case errors.Is(err, syscall.ENOSPC):
		return firmware.NotEnoughStorage
	case errors.Is(err, syscall.ENOMEM):
		return firmware.OutOfRAM
	}
	return otherwise
}

// answerTo returns the answer to a block that could not be stored.
func answerTo(r firmware.Result, err error) error {
	code := dm.InternalServerError
	switch r {
	case firmware.NotEnoughStorage:
		code = dm.RequestEntityTooLarge
	case firmware.UnsupportedPackageType:
		code = dm.UnsupportedContentFormat
	}
	return dm.Errorf(code, "the image cannot be stored: %w", err)
}
