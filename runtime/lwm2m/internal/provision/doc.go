// Package provision serves the bootstrap interface of LwM2M (Core 1.2.2 §6.1.7) to one bootstrap
// server: Bootstrap-Discover, Read, Write, Delete, Finish and the contents of a Bootstrap-Pack. It
// knows nothing of when a bootstrap begins, of accounts that are tried in turn, and of sockets.
//
// A [Sequence] is one bootstrap sequence and the [coap.Handler] of the connection to the bootstrap
// server. It is one transaction of the data model: its own Reads and Discovers see what it has
// written, and no other reader does before the end. [ApplyEntries] and [CheckAccounts] are the same
// rules for a program that has an open transaction.
//
// # Parts
//
//   - sequence.go serves requests one after another. slot.go takes the writer slot for one request
//     and gives it back, so that the application changes its objects meanwhile.
//   - request.go finds out what a request asks for. discover.go, read.go, write.go and delete.go
//     answer it.
//   - finish.go ends the sequence: accounts.go checks the accounts and finds a bootstrap account
//     that has been replaced, then the transaction is prepared, stored, published and answered.
//   - pack.go applies a Bootstrap-Pack.
//
// # Goroutines
//
// Everything runs on the goroutine of the scheduler (the loop) and never waits there. A slow
// function is called on a worker, and the sequence is stored on a worker. The one exception is
// Sequence.Stop.
//
// # Where the specification is silent
//
//   - A GET of the root without Accept is a Discover; any other GET without Accept is a Read.
//   - Targets that an operation may not have are 4.05 for a Read and 4.00 for the others, which
//     have no better code (Transport 1.2.2 §6.7).
//   - A Write without Content-Format is plain text for a resource, as in LwM2M 1.0.
//   - DELETE / leaves alone the objects whose instances no server could create again, such as
//     sensors that the program has added, and instances that a Delete hook refuses to give up. It
//     takes every other instance, as far as Core 1.2.2 §6.1.7.6 does not except it.
//   - A bootstrap account that the sequence itself has made can be deleted by the path of its
//     instance, so that a server can correct a mistake.
//   - A Security instance without Server instance, and a Server instance without Security instance,
//     are inconsistent. A Finish that finds one is 4.06.
//   - The answer to a refused Finish names the first fault in the order: accounts, mandatory
//     resources, hooks.
//   - A Finish is 4.06 also where the device could not store the result: the server may repeat it.
package provision
