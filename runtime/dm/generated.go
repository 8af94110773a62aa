package dm

// ToolkitSupportsGeneratedV1 is the version of generated code that this package supports. Generated
// code refers to it, so that it does not compile with a runtime that is too old for it: "undefined:
// dm.ToolkitSupportsGeneratedV2" means that the toolkit in go.mod must be updated, or the code be
// generated again with its lwm2mgen, as the comment at that line says.
//
// When generated code needs something new of the runtime, there is a next constant, and the
// generator refers to that. When the runtime no longer supports the old code, the old constant
// becomes a variable of a type whose name says so, because then the code does not compile either:
// "dm.ToolkitSupportsGeneratedV1 (variable of type generateAgainWithLwm2mgen) is not constant".
const ToolkitSupportsGeneratedV1 = 1
