// Package manage is the device management and information reporting interfaces of LwM2M for one data
// model and any number of management servers (Core 1.2.2 §6.3, §6.4): it turns CoAP requests into
// operations on a [dm.Model], and changes of the model into notifications. It knows nothing of
// registration, sockets and names.
//
// A [Manager] belongs to one Model; a [Peer] is one management server. A Peer is the [coap.Handler] of
// the connection over which its server is reached.
//
// Everything runs on the goroutine of the scheduler and never waits there:
//
//   - A function that is marked slow is called on a worker; its request is acknowledged and answered
//     later.
//   - A request that finds the writer slot of the Model taken waits for its turn without holding up
//     others.
//   - A change is stored on a worker; it is published and answered on the loop.
//
// # Where the specification is silent
//
//   - A server is not told of what it wrote itself, unless Config.SelfNotify says so. Other changes of
//     the same transaction, such as those a Validate hook made, it is told of, and of its own write
//     with the next sample of a node that functions stand behind.
//   - A value that is back at what the server knows when pmin has passed is no news.
//   - Of the node that Discover names, the attributes are those in force, inherited ones included; of
//     the nodes below, those attached to them. With the parameter depth (LwM2M 1.2) the defaults of the
//     Server object are in force, too.
//   - A Write to a resource without Content-Format is taken for plain text, as LwM2M 1.0 has it.
//   - A POST to a resource is an Execute, except with a format that carries resource instances, which
//     makes it a partial update of a resource with several of them.
//   - Attributes that Observe carries replace all that are attached, for that observation.
//   - An observed value that cannot be read for the moment is not notified of and is tried again; when
//     its node is gone, or the server has lost its right to read it, the last notification says so.
package manage
