// Package dm is the data model of a LwM2M device: objects, their instances and resources as typed
// Go values, and the transactions that change them. It is the only package of the runtime that
// generated code imports.
package dm
