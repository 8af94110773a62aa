package lwm2mserver

import (
	"fmt"
	"strings"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// BootstrapStep is one step of the script of a bootstrap sequence, see [Server.ScriptBootstrap].
// The functions BootstrapAccount, BootstrapWriteObject, BootstrapWriteValues, BootstrapWrite,
// BootstrapDelete, BootstrapDiscover, BootstrapRead and BootstrapFinish make the steps of a correct
// sequence. Steps of a faulty one are literals:
//
//	{Pause: 5 * time.Minute}      // silence
//	{Raw: []byte("garbage")}      // a datagram that is no CoAP message
//	{Drop: true}                  // the end of the connection
type BootstrapStep struct {
	// Pause is how long the server waits before the step.
	Pause time.Duration
	// Operation is the request of the step. The zero value of its Method means that no request is
	// sent.
	Operation Operation
	// Raw is sent instead of a request: as one datagram, or as bytes of a stream. The zero value
	// means that Operation is sent.
	Raw []byte
	// Drop closes the connection, which ends the script. Over UDP the device does not notice it.
	Drop bool
	// IgnoreError continues the script after a response with an error code. The zero value means
	// that such a response ends the script. A response that does not come always ends it.
	IgnoreError bool
	// Prepare changes the request of the step before it is sent, to what the device has answered to
	// earlier steps. An error ends the script. Prepare runs on the server's goroutine and must not
	// call the server. The zero value means no change.
	Prepare func(op *Operation, earlier []BootstrapResult) error

	// values are the values that the step writes to the path of Operation. They are encoded when
	// the step is performed, in the format that the device prefers.
	values []dm.Entry
	// group holds the steps that this step stands for. The zero value means the step itself.
	group []BootstrapStep
	// err is why the step cannot be performed.
	err error
	// pack is the answer to a Bootstrap-Pack-Request that the step records.
	pack *packAnswer
}

// BootstrapWrite returns a step that writes a payload to an object, an instance or a resource.
// Encode makes the payload. BootstrapWriteValues, BootstrapWriteObject and BootstrapAccount need no
// payload.
func BootstrapWrite(path string, f content.Format, payload []byte) BootstrapStep {
	return newStep(Operation{Method: coap.PUT, Path: path, Accept: content.None, Format: f, Payload: payload})
}

// BootstrapDelete returns a step that deletes an object's instances, one instance, or with the path
// "/" everything, what the device's own program has made included. A device keeps the account of
// the bootstrap server and the Device object (3).
func BootstrapDelete(path string) BootstrapStep {
	return newStep(Operation{Method: coap.DELETE, Path: path, Accept: content.None, Format: content.None})
}

// BootstrapDiscover returns a step that lists the objects and instances of the device. Its path is
// "/" or an object.
func BootstrapDiscover(path string) BootstrapStep {
	return newStep(Operation{Method: coap.GET, Path: path, Accept: content.Link, Format: content.None})
}

// BootstrapRead returns a step that reads the Server object (/1), the Access Control object (/2) or
// an instance of one of them.
func BootstrapRead(path string, accept content.Format) BootstrapStep {
	return newStep(Operation{Method: coap.GET, Path: path, Accept: accept, Format: content.None})
}

// BootstrapFinish returns the step that ends the sequence. A device that finds the data model
// inconsistent answers 4.06; with IgnoreError the script may go on and correct it.
func BootstrapFinish() BootstrapStep {
	return newStep(Operation{Method: coap.POST, Path: "/bs", Accept: content.None, Format: content.None})
}

func newStep(op Operation) BootstrapStep { return BootstrapStep{Operation: op} }

// finishes reports whether the step is a Bootstrap-Finish.
func (s BootstrapStep) finishes() bool {
	return s.Operation.Method == coap.POST && s.Operation.Path == "/bs"
}

// String returns what the step does, such as "PUT /0/1".
func (s BootstrapStep) String() string {
	var words []string
	if s.Pause > 0 {
		words = append(words, fmt.Sprintf("after %v", s.Pause))
	}
	switch {
	case s.pack != nil:
		words = append(words, s.pack.String())
	case s.Drop:
		words = append(words, "drop the connection")
	case s.Raw != nil:
		words = append(words, fmt.Sprintf("send %d raw bytes", len(s.Raw)))
	case s.Operation.Method != 0:
		words = append(words, s.Operation.Method.String(), s.Operation.Path)
	default:
		words = append(words, "send nothing")
	}
	return strings.Join(words, " ")
}
