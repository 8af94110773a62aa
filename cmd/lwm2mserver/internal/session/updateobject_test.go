package session

import (
	"strings"
	"testing"

	"github.com/lwm2mgen/toolkit/generated/advancedfirmwareupdate"
	"github.com/lwm2mgen/toolkit/generated/firmwareupdate"
	"github.com/lwm2mgen/toolkit/generated/softwaremanagement"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// The resources are those of the definitions.
func TestUpdateObjects(t *testing.T) {
	for id, want := range map[dm.ObjectID][5]dm.ResourceID{
		firmwareupdate.ObjectID: {firmwareupdate.PackageID, firmwareupdate.PackageURIID, firmwareupdate.UpdateID,
			firmwareupdate.StateID, firmwareupdate.UpdateResultID},
		advancedfirmwareupdate.ObjectID: {advancedfirmwareupdate.PackageID, advancedfirmwareupdate.PackageURIID,
			advancedfirmwareupdate.UpdateID, advancedfirmwareupdate.StateID, advancedfirmwareupdate.UpdateResultID},
		softwaremanagement.ObjectID: {softwaremanagement.PackageID, softwaremanagement.PackageURIID, softwaremanagement.InstallID,
			softwaremanagement.UpdateStateID, softwaremanagement.UpdateResultID},
	} {
		o := updateObjects[id]
		if got := [5]dm.ResourceID{o.image, o.uri, o.install, o.state, o.result}; got != want {
			t.Errorf("the resources of object %d are %v, want %v", id, got, want)
		}
		for n, text := range o.results {
			if got := o.resultText(status{1, n}); !strings.HasSuffix(got, ": "+text) || text == "" {
				t.Errorf("result %d of object %d is %q", n, id, got)
			}
		}
	}
	for n := range advancedfirmwareupdate.UpdateResultDependencyError + 1 {
		if firmwareObject.results[n] == "" {
			t.Errorf("there is no text for the Update Result %d", n)
		}
	}
	d := &delivery{object: updateObjects[9], instance: dm.InstancePath(9, 3)}
	if got := d.resource(d.object.image) + " " + d.resource(d.object.uri) + " " + d.resource(d.object.install); got != "/9/3/2 /9/3/3 /9/3/4" {
		t.Errorf("the resources of /9/3 are %s", got)
	}
}

// What a status means while an image is received, and while it is installed.
func TestUpdatePhases(t *testing.T) {
	type outcome struct{ receivedEarly, received, installed, failed bool }
	for _, c := range []struct {
		object        dm.ObjectID
		state, result int64
		want          outcome
	}{
		{5, 0, 0, outcome{installed: true}}, // not begun, or forgotten
		{5, 0, 1, outcome{received: true, installed: true}},
		{5, 0, 5, outcome{true, true, true, true}},
		{5, 1, 0, outcome{}},
		{5, 2, 0, outcome{receivedEarly: true, received: true}},
		{5, 2, 8, outcome{true, true, true, true}},
		{5, 2, 11, outcome{receivedEarly: true, received: true, installed: true}},
		{5, 3, 0, outcome{receivedEarly: true, received: true}},
		{33629, 2, 13, outcome{true, true, true, true}},
		{9, 0, 0, outcome{installed: true}},
		{9, 0, 53, outcome{true, true, true, true}},
		{9, 1, 1, outcome{}},
		{9, 2, 1, outcome{}},
		{9, 3, 3, outcome{receivedEarly: true, received: true}},
		{9, 3, 58, outcome{true, true, true, true}},
		{9, 4, 2, outcome{received: true, installed: true}},
	} {
		o, s := updateObjects[c.object], status{c.state, c.result}
		got := outcome{o.received(s, false), o.received(s, true), o.installed(s), o.failed(s)}
		if got != c.want {
			t.Errorf("object %d in state %d with result %d: %+v, want %+v", c.object, c.state, c.result, got, c.want)
		}
	}
	if got := firmwareObject.resultText(status{}); got != "Update Result 0: the device has forgotten the update" {
		t.Errorf("a device that has forgotten its update has the result %q", got)
	}
	if got := firmwareObject.stateText(status{7, 99}) + ", " + firmwareObject.resultText(status{7, 99}); got != "State 7: unknown, Update Result 99: unknown" {
		t.Errorf("unknown numbers are %q", got)
	}
}

// The advice depends on the code of the refusal and on the state.
func TestAdvice(t *testing.T) {
	software := updateObjects[9]
	for _, c := range []struct {
		o    *updateObject
		code coap.Code
		s    status
		want string
	}{
		{software, coap.MethodNotAllowed, status{3, 3}, "there is an image already: discard it with execute dev /9/0/6 1"},
		{software, coap.MethodNotAllowed, status{4, 2}, "software is installed already: prepare its update with execute dev /9/0/6 1"},
		{software, coap.ServiceUnavailable, status{}, "the device receives another image, or ends its last update: try again later"},
		{firmwareObject, coap.MethodNotAllowed, status{}, "the device does not receive images by pull: try push"},
		{firmwareObject, coap.Unauthorized, status{}, ""},
	} {
		if got := c.o.advice(c.code, c.s, "pull", "dev", dm.InstancePath(9, 0)); got != c.want {
			t.Errorf("the advice for %v in %v is %q, want %q", c.code, c.s, got, c.want)
		}
	}
}

// Names of files become paths that need no escapes.
func TestPlainName(t *testing.T) {
	for name, want := range map[string]string{
		"/tmp/heater-2.1.bin":                "heater-2.1.bin",
		"my firmware (2).bin":                "my-firmware--2-.bin",
		"a/größe?x#y%2f":                     "gr--e-x-y-2f",
		strings.Repeat("x", 100) + "_v2.bin": strings.Repeat("x", 57) + "_v2.bin",
	} {
		if got := plainName(name); got != want {
			t.Errorf("the plain name of %q is %q, want %q", name, got, want)
		}
	}
}
