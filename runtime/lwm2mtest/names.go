package lwm2mtest

import (
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mserver"
)

// The types of package lwm2mserver that tests name.
type (
	// Answer is a response of a device.
	Answer = lwm2mserver.Answer
	// Client is a device as the server sees it.
	Client = lwm2mserver.Client
	// Event is one step in the life of a registration.
	Event = lwm2mserver.Event
	// EventKind is a kind of event.
	EventKind = lwm2mserver.EventKind
	// Fault is what the server does wrong with a request.
	Fault = lwm2mserver.Fault
	// Loss is what Server.Restart loses.
	Loss = lwm2mserver.Loss
	// File is a file that the server offers for download.
	File = lwm2mserver.File
	// FileFault is what the server does wrong with a request for a file.
	FileFault = lwm2mserver.FileFault
	// FileRequest is a request of a device for a file.
	FileRequest = lwm2mserver.FileRequest
	// Observation receives the notifications of one Observe.
	Observation = lwm2mserver.Observation
	// Operation is a request that Client.Do sends.
	Operation = lwm2mserver.Operation
	// Registration is what a device has registered.
	Registration = lwm2mserver.Registration
	// Reply is a response of the server to a device.
	Reply = lwm2mserver.Reply
	// Request is a request of a device to the server.
	Request = lwm2mserver.Request
)

// The kinds of events.
const (
	Registered   = lwm2mserver.Registered
	Updated      = lwm2mserver.Updated
	Deregistered = lwm2mserver.Deregistered
	Expired      = lwm2mserver.Expired
	Awake        = lwm2mserver.Awake
	Asleep       = lwm2mserver.Asleep
	Forgotten    = lwm2mserver.Forgotten
)

// What Server.Restart loses.
const (
	LoseSessions      = lwm2mserver.LoseSessions
	LoseRegistrations = lwm2mserver.LoseRegistrations
)

// Errors of operations on a device.
var (
	// ErrEnded is the error of an Observation that gets no further notification.
	ErrEnded = lwm2mserver.ErrEnded
	// ErrAsleep is the error of a request with Operation.NoWait to a device that sleeps.
	ErrAsleep = lwm2mserver.ErrAsleep
	// ErrQueueFull is the error of a request to a device for which too many requests are held.
	ErrQueueFull = lwm2mserver.ErrQueueFull
	// ErrNotRegistered is the error of a held request whose device is no longer registered.
	ErrNotRegistered = lwm2mserver.ErrNotRegistered
)

// Encode returns the payload of a Write or a Create to path, as lwm2mserver.Encode does.
func Encode(f content.Format, path string, entries ...dm.Entry) ([]byte, error) {
	return lwm2mserver.Encode(f, path, entries...)
}

// Value returns an entry for Encode and WriteComposite. It panics if path is not the path of a
// node: it is meant for literals in tests.
func Value(path string, v dm.Value) dm.Entry {
	p, err := dm.ParsePath(path)
	if err != nil {
		panic(err)
	}
	return dm.Entry{Path: p, Value: v}
}
