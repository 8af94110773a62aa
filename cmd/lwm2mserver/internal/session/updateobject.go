package session

import (
	"fmt"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// updateObject describes an object whose instances receive images.
type updateObject struct {
	image, uri, install, state, result dm.ResourceID
	states                             map[int64]string
	results                            map[int64]string
	// phases are the phases by their state. What is missing is phaseIdle.
	phases map[int64]phase
	// success is the result of an installation, deferred that of one that the user has postponed.
	// Results from firstFailure on, deferred excepted, are failures.
	success, deferred, firstFailure int64
	// software says that a complete image is uninstalled, and that Package URI may be missing.
	software bool
}

// phase is a phase of an update, whatever the object.
type phase int

const (
	phaseIdle phase = iota
	phaseReceiving
	phaseReady // the image is complete and verified
	phaseInstalling
	phaseInstalled // by a state; with firmware, by phaseIdle and the result success
)

// updateObjects are the objects whose instances receive images: Firmware Update, Software
// Management, Advanced Firmware Update.
var updateObjects = map[dm.ObjectID]*updateObject{
	5: firmwareObject, 33629: firmwareObject,
	9: {
		image: 2, uri: 3, install: 4, state: 7, result: 9,
		states: map[int64]string{0: "Initial", 1: "Download Started", 2: "Downloaded", 3: "Delivered", 4: "Installed"},
		phases: map[int64]phase{1: phaseReceiving, 2: phaseReceiving, 3: phaseReady, 4: phaseInstalled},
		results: map[int64]string{
			0: "nothing has ended yet", 1: "the package is being downloaded", 2: "the software is installed",
			3:  "the package is downloaded and verified",
			50: "the device has too little storage for the package", 51: "the device has run out of memory",
			52: "the device has lost the connection during the download", 53: "the integrity check of the package has failed",
			54: "the device does not support this type of package", 56: "the URI is not valid, or leads to no package",
			57: "the device has failed for a reason of its own", 58: "the installation has failed",
			59: "the uninstallation for an upgrade has failed",
		},
		success: 2, deferred: -1, firstFailure: 50, software: true,
	},
}

var firmwareObject = &updateObject{
	image: 0, uri: 1, install: 2, state: 3, result: 5,
	states: map[int64]string{0: "Idle", 1: "Downloading", 2: "Downloaded", 3: "Updating"},
	phases: map[int64]phase{1: phaseReceiving, 2: phaseReady, 3: phaseInstalling},
	results: map[int64]string{
		0: "nothing has ended yet", 1: "the new firmware runs",
		2: "the device has too little storage for the image", 3: "the device has run out of memory",
		4: "the device has lost the connection during the download", 5: "the integrity check of the image has failed",
		6: "the device does not support this type of image", 7: "the URI is not valid, or leads to no image",
		8: "the update has failed", 9: "the device does not support the protocol of the URI",
		10: "the update was cancelled", 11: "the user has postponed the installation",
		12: "the image is also for a component that has an update of its own",
		13: "other components have to be updated before or together with this one",
	},
	success: 1, deferred: 11, firstFailure: 2,
}

// status is what an instance says about its update.
type status struct{ state, result int64 }

func (o *updateObject) phase(s status) phase { return o.phases[s.state] }

// discard returns the command that discards a complete image, or prepares the update of software.
func (o *updateObject) discard(endpoint string, instance dm.Path) string {
	if o.software {
		return fmt.Sprintf("execute %s %v/6 1", endpoint, instance)
	}
	return o.reset("pull", endpoint, instance)
}

// reset returns the command that discards an image which arrives by a verb.
func (o *updateObject) reset(verb, endpoint string, instance dm.Path) string {
	if o.software && verb == "push" {
		return fmt.Sprintf("write %s %v/%d 0x00", endpoint, instance, o.image)
	}
	return fmt.Sprintf(`write %s %v/%d ""`, endpoint, instance, o.uri)
}

func (o *updateObject) failed(s status) bool {
	return s.result >= o.firstFailure && s.result != o.deferred
}

// received reports whether the transfer of an image has ended. sent says whether all of the image
// has left the server.
func (o *updateObject) received(s status, sent bool) bool {
	switch o.phase(s) {
	case phaseReceiving:
		return false
	case phaseIdle:
		return o.failed(s) || sent && s.result == o.success
	case phaseInstalled:
		return sent
	}
	return true
}

// installed reports whether an installation that has begun is over: it has succeeded, has failed,
// or is postponed.
func (o *updateObject) installed(s status) bool {
	switch o.phase(s) {
	case phaseInstalling, phaseReceiving:
		return false
	case phaseReady:
		return s.result == o.deferred || o.failed(s)
	}
	return true
}

// stateText and resultText describe a status for people.
func (o *updateObject) stateText(s status) string {
	return fmt.Sprintf("State %d: %s", s.state, nameOr(o.states, s.state, "unknown"))
}

func (o *updateObject) resultText(s status) string {
	if o.phase(s) == phaseIdle && s.result == 0 {
		return "Update Result 0: the device has forgotten the update"
	}
	return fmt.Sprintf("Update Result %d: %s", s.result, nameOr(o.results, s.result, "unknown"))
}

func nameOr(names map[int64]string, n int64, unknown string) string {
	if name, ok := names[n]; ok {
		return name
	}
	return unknown
}

// advice says why a device with a status may have refused the image of a verb, and what to do. It
// is empty if the code says all that is known.
func (o *updateObject) advice(code coap.Code, s status, verb, endpoint string, instance dm.Path) string {
	switch code {
	case coap.MethodNotAllowed:
		switch o.phase(s) {
		case phaseInstalled:
			return "software is installed already: prepare its update with " + o.discard(endpoint, instance)
		case phaseReady:
			return "there is an image already: discard it with " + o.discard(endpoint, instance)
		case phaseReceiving:
			return "the device receives or verifies another image: wait for its end, or discard it with " + o.reset(verb, endpoint, instance)
		case phaseInstalling:
			return "the device installs an image: wait for the end of the installation"
		}
		return fmt.Sprintf("the device does not receive images by %s: try %s", verb, map[string]string{"push": "pull", "pull": "push"}[verb])
	case coap.RequestEntityTooLarge:
		return "the image is larger than the device allows"
	case coap.ServiceUnavailable:
		return "the device receives another image, or ends its last update: try again later"
	}
	return ""
}
