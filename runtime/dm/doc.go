// Package dm is the data model of an LwM2M device: objects with their instances and resources as
// typed Go values, and the transactions that change them. It is the only runtime package that
// generated code imports.
//
// A generated package declares one object. Its Instance is a struct with one cell for each
// resource; you fill in the cells, add the instance, and hand the object to the client:
//
//	temp, err := temperature.New(temperature.Config{})
//	if err != nil {
//		return err
//	}
//	err = temp.Add(0, temperature.Instance{
//		SensorValue:     dm.Func(sensor.Celsius), // live: called for each read
//		SensorUnits:     dm.Str("Cel"),           // stored
//		ApplicationType: dm.Empty[string](),      // no value yet; a server may write one
//	})
//
// # For authors of objects
//
//   - [Res], [Multi] and [Exec] are the cells: a single value, a resource with resource instances,
//     and an action. A cell is unsupported (its zero value), supported but empty ([Empty],
//     [EmptyMulti]), or valued: stored ([Float], [Str], [Ints], ...) or live, with a function
//     behind it ([Func], [Slow], [FuncMulti], ...).
//   - [TypedObject] holds the instances of one object. Its Add, Update and Remove change them from
//     any goroutine.
//   - [Hooks] check every change and apply it to hardware, whether a server or your program makes
//     it. A hook sees the change as a [Tx] and a [Change].
//   - [Errorf] with a [Code] is the error of a hook or function that chooses what the server is
//     answered. [ErrNoValue] says that a live resource has no value at the moment.
//   - [Origin] says who asks: [Application], [Bootstrap] or a [Server]. [OriginFrom] finds it in
//     the context of a function.
//
// Most programs need nothing else of this package. docs/objects.md explains these parts step by
// step.
//
// # For programs that read or restore the whole device
//
// [Model] holds all objects of a device; lwm2m.Client.Model returns it. [Model.Snapshot] reads it
// without waiting, [Model.Subscribe] reports changes, and [Model.Begin] starts a [Transaction] that
// writes to it, for example to restore saved values. A [Path] names a node, a [Value] is one value
// of any type, and an [Entry] is a value with its path.
//
// # For runtimes
//
// A runtime is the code that speaks LwM2M on behalf of the device, such as package lwm2m. Only a
// runtime, or a test that takes its place, needs the following:
//
//   - Turns at the writer slot: [Model.TryBegin], [Model.BeginAsync], [Transaction.Suspend],
//     [Transaction.Resume], [Transaction.ResumeAsync].
//   - The steps of a commit: [Transaction.Prepare], [Transaction.PrepareAfter],
//     [Transaction.Persists], [Transaction.Persist], [Transaction.Publish], [Transaction.Finish],
//     [Transaction.Reopen], and [Transaction.SetCause] with [Cause].
//   - Requests: [Snapshot.CheckWrite], [Snapshot.Discover] with [Node] and [DefaultDepth],
//     [Snapshot.Execute], [Snapshot.Live], [Snapshot.OpenSource], [Snapshot.OpenUpload] with
//     [Upload], [Snapshot.ServersDelete], [Transaction.Accept].
//   - What follows from a change: [ModelConfig.Consequences], with [Transaction.Origin],
//     [Transaction.Touches], [Transaction.InstanceChanges] and [Transaction.Published].
//   - Contexts: [WithOrigin] and [RefuseSlow] with [ErrSlow].
//
// [NewObject], [Cell], [ObjectConfig] and [ToolkitSupportsGeneratedV1] are for generated code.
//
// docs/architecture.md has the reasons behind the design.
package dm
