package softwaremanagement

import (
	"github.com/lwm2mgen/toolkit/runtime/objects/internal/update"
)

// causes are the results that Fail can choose.
var causes = map[result]update.Cause{
	notEnoughStorage:       update.NotEnoughStorage,
	outOfMemory:            update.OutOfRAM,
	connectionLost:         update.ConnectionLost,
	integrityCheckFailed:   update.IntegrityCheckFailed,
	unsupportedPackageType: update.UnsupportedPackageType,
	invalidURI:             update.InvalidURI,
	deviceError:            update.Failed,
	installationFailed:     update.Failed,
}

// Fail returns an error that chooses the Update Result (/9/x/9): one of the UpdateResult constants
// of generated/softwaremanagement, from NotEnoughStorage to InstallationFailed. The functions of an
// Installer, a Storage and a Downloader return it. DeviceDefinedError and InstallationFailed give
// way to a more specific result in cause.
func Fail(updateResult int64, cause error) error {
	c, ok := update.Failed, false
	if updateResult >= 0 && updateResult <= int64(installationFailed) {
		c, ok = causes[result(updateResult)]
	}
	if !ok {
		c = update.Failed
	}
	return update.Fail(c, cause)
}

// resultOf returns the Update Result of an error. otherwise is that of an error without a cause.
func resultOf(err error, otherwise update.Cause) result {
	switch update.CauseOf(err, otherwise) {
	case update.NotEnoughStorage:
		return notEnoughStorage
	case update.OutOfRAM:
		return outOfMemory
	case update.ConnectionLost:
		return connectionLost
	case update.IntegrityCheckFailed:
		return integrityCheckFailed
	case update.UnsupportedPackageType:
		return unsupportedPackageType
	case update.InvalidURI, update.UnsupportedProtocol: // the object has no result for the latter
		return invalidURI
	case update.Failed:
	}
	return deviceError
}
