// Package records keeps the instances of some objects in a store, so that they survive a restart of
// the device.
//
// Each instance is a record, named dm/3308/0, with its stored values in SenML CBOR, and with the
// resources that have no value: one that the record does not name is new in this version of the
// program. Each object has a record of its own, named dm/3308, which distinguishes an object
// without instances from one that was never stored. What one transaction changes is one batch.
//
// [Load] reads the records, [Records.Restore] writes them into a transaction of the data model,
// [Records.Begin] stores what the store lacks, and from then on [Records.Persist] stores each
// change.
package records
