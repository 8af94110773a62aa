// Package binaryappdata is the LwM2M BinaryAppDataContainer object (19) with its behaviour: binary
// data of an application, to and from a server, within a bound. Server and device agree on what
// each container is for; often instance 0 leads to the server and instance 1 to the device.
//
//	box, err := binaryappdata.New(binaryappdata.Config{
//		Received: func(_ context.Context, id dm.InstanceID, c binaryappdata.Instance) {
//			go app.Handle(id, c)
//		},
//	})
//	err = box.Add(0, binaryappdata.Instance{
//		Data:             dm.ByteLists(),
//		DataCreationTime: dm.Empty[time.Time](),
//	})
//	err = box.Add(1, binaryappdata.Template())
//	err = box.Post(ctx, 0, reading)
//
// Servers that observe container 0 are notified of what is posted. To report it to a server that
// does not observe it:
//
//	var b lwm2m.Batch
//	b.Add(dm.InstancePath(19, 0))
//	_, err = client.Send(ctx, 1, &b)
//
// The main names are [New], [Config], [BinaryAppData.Post], [Template] and [Instance].
package binaryappdata
