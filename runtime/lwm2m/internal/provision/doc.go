// Package provision serves the bootstrap interface of LwM2M (Core 1.2.2 §6.1.7) to one bootstrap
// server: Bootstrap-Discover, Read, Write, Delete, Finish and the contents of a Bootstrap-Pack. It
// knows nothing of when a bootstrap begins, of accounts that are tried in turn, and of sockets.
//
// A [Sequence] is one bootstrap sequence and the [coap.Handler] of the connection to the bootstrap
// server. It is one transaction of the data model: its own Reads and Discovers see what it has
// written, and no other reader does before the end.
package provision
