// Package manage is the device management and information reporting interfaces of LwM2M (Core 1.2.2
// §6.3, §6.4) for any number of devices and management servers: it turns CoAP requests into
// operations on a [dm.Model], and changes of a model into notifications. It knows nothing of
// registration, sockets and names.
//
// A [Manager] serves a list of devices to a list of servers. A [Device] is a data model under a
// prefix; the device itself has the empty prefix. A [Peer] is a management server and the
// [coap.Handler] of the connection over which that server is reached. What one server has at one
// device is a scope: its access, attributes and observations. Limits count per server, over all
// devices.
//
// # Parts
//
//   - The router (route.go) finds the device, the operation and the path that a request asks for,
//     and passes the request to the part that answers it.
//   - Access (access.go) decides what a server may do with a device.
//   - The reader (read.go) answers Read, Discover and Read-Composite; a reading (reading.go) is one
//     walk of the data model.
//   - The changer (change.go) answers Write, Create, Delete and Write-Composite; a change is the
//     transaction of one request, from the writer slot over the store to the publication. What
//     happens in the transaction is in write.go, streamed values are in upload.go.
//   - The executor (execute.go) answers Execute.
//   - Attributes (attributes.go) answers Write-Attributes. What attributes mean is in package attr.
//   - The reporter (report.go) hears what changes and finds the observed nodes that it concerns
//     (part.go). An observation (observation.go) samples its nodes (sampling.go) and notifies as
//     the monitors of package attr decide; observing.go makes what they compare.
//   - What an observation would notify a server of that cannot be reached is stored (storing.go),
//     or taken from a history of the application (history.go), and sent later. outcome.go tells the
//     application what became of notifications.
//   - collect.go reads the values of a Send.
//   - What is due (due.go) is sampled in slices, between which requests are served: servers take
//     turns, over all Managers that share a Scratch, and one reading serves equal observations.
//   - composite.go reads the payload of a Read-Composite and finds the device of a Write-Composite.
//
// The parts share the Config of the Manager, and observations read through the reader. They share
// no other state: a publication carries the change that it came from as its dm.Cause.
//
// # Goroutines
//
// Everything runs on the goroutine of the scheduler (the loop) and never waits there:
//
//   - A slow function is called on a worker, together with the other functions that the same read
//     needs; its request is acknowledged and answered later.
//   - A request that finds the writer slot of its Model taken waits for it without delaying others.
//   - A change is stored on a worker; it is published, answered and rolled back on the loop. The
//     one exception is Manager.Stop.
//
// # Where the specification is silent
//
//   - A server is not notified of what it wrote itself, unless Config.SelfNotify says so. It is
//     notified of other changes of the same transaction, such as those that a Validate hook made,
//     and, with the next sample, of its own write to a node of which functions give values.
//   - Without value conditions, a value that is back at what the server knows when pmin has passed
//     does not trigger a notification. A crossing within pmin does.
//   - Discover shows the attributes in force, inherited ones included, for the node that it names,
//     and the attached ones for the nodes below. With the parameter depth (LwM2M 1.2) the defaults
//     of the Server object count as in force.
//   - A Write to a resource without Content-Format is plain text, as in LwM2M 1.0.
//   - A POST to a resource is an Execute, except with a format that carries resource instances,
//     which makes it a partial update of a resource with several of them.
//   - Attributes that Observe carries replace all that are attached, for that observation.
//   - A resource exists where its instance supports it, with a value or without: Discover lists it,
//     a Write finds it, and a Read of it alone is 4.04 while it has no value.
//   - Passing time is no change: a value that moves although nothing happens (dm.Moving) does not
//     notify the observers of the nodes above its resource.
//   - A confirmable notification that is not acknowledged does not end its observation: the next
//     ones are confirmable until one is acknowledged, and the observation ends with the
//     registration (Core 1.2.2 §6.4.1; RFC 7641 §4.5 would end it).
//   - An observed value that cannot be read for the moment does not trigger a notification and is
//     tried again; when its node is gone, or the server has lost its right to read it, the last
//     notification says so.
//   - A composite request whose path names no device may name any device in its payload. A
//     Read-Composite answers with the values of all of them; a Write-Composite that names more than
//     one is 4.00, because a transaction spans one Model. LwM2M CBOR carries no prefix and is about
//     the device of the request's path.
//   - The defaults of a server for its observations (/1/x/2, /1/x/3, /1/x/26) are those of the
//     device itself, for every device.
package manage
