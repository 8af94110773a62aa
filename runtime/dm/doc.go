// Package dm is the data model of a LwM2M device: objects, their instances and resources as typed
// Go values, and the transactions that change them. It is the only package of the runtime that
// generated code imports.
//
// # For a program
//
// A generated Instance is a struct of cells, one for each resource: [Res] for a single value,
// [Multi] for resource instances, [Exec] for an action. A cell is unsupported (its zero value),
// supported but empty ([Empty], [EmptyMulti]), or valued: stored ([Float], [Str], [List], ...), or
// live behind a function ([Func], [Slow], [FuncMulti], ...). A [TypedObject] holds the instances;
// Add, Update and Remove change them, [Hooks] judge and apply every change, whoever makes it. What a
// server is answered is chosen by [Errorf] and [Code].
//
// # For a protocol engine
//
// A [Model] holds the objects of a device. [Model.Snapshot] is what can be read of it, without ever
// waiting; [Model.Begin] starts a [Transaction], the one way to change it. Paths and values travel as
// [Path], [Value] and [Entry], which are plain values, so that reading allocates nothing.
//
// docs/objects.md goes through the first part step by step, docs/architecture.md has the reasons.
package dm
