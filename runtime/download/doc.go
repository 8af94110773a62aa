// Package download fetches large content, such as a firmware image, over CoAP and HTTP, and
// continues where it was after a loss of the connection, of the power, or a change of address.
//
//	client, err := download.New(download.Config{
//		Dialers: []socket.Dialer{udp.Dialer{}, tcp.Dialer{}},
//	})
//	...
//	file, err := download.OpenFile("/var/lib/probe/firmware.new")
//	...
//	d, err := client.Start(download.Request{URI: "coap://files.example/probe-2.1.bin", Sink: file})
//	...
//	err = d.Wait(ctx)
//
// The five names to know:
//
//   - [New] makes a [Client] for the networks of the device.
//   - [Client.Start] starts a download of a [Request] and returns a [Download] to wait for, suspend
//     and cancel.
//   - [Sink] is where the content goes. [OpenFile] makes the ready one.
//   - [Record] is what has to survive a restart, and [Records] keeps it in a store.
//   - [Error] says why a download has failed, by its [Kind].
//
// The schemes are coap, coaps, coap+tcp, coaps+tcp, http and https. Those of CoAP run on the loop
// of a scheduler, without a goroutine of their own; a request of HTTP has one while it runs.
// Writing to a sink never blocks the loop.
//
// A download starts again from the beginning only if the content has changed: if its ETag is
// another one, or if nothing says that it is still the same. The content is not checked in any
// other way: compute its checksum, or verify its signature, when the sink holds it
// ([File.Content]). The content is not decompressed either.
//
// The memory of a download is at most 256 kB. docs/downloads.md explains everything step by step.
package download
