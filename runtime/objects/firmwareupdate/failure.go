package firmwareupdate

import "github.com/lwm2mgen/toolkit/runtime/objects/internal/update"

// Fail returns an error that chooses the Update Result (/5/0/5): one of the UpdateResult constants
// of generated/firmwareupdate, from NotEnoughStorage to UnsupportedProtocol. The functions of an
// Installer, a Storage and a Downloader return it. UpdateFailed gives way to a more specific result
// in cause.
func Fail(result int64, cause error) error {
	if result < int64(update.NotEnoughStorage) || result > int64(update.UnsupportedProtocol) {
		result = int64(update.Failed)
	}
	return update.Fail(update.Cause(result), cause)
}
