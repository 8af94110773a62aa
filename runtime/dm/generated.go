package dm

// GeneratedV1 is the version of generated code that this package supports. Generated code refers to
// it, so that it does not compile with a runtime that is older than its generator. It has no other
// use.
//
// When a change to generated code requires a newer runtime, a constant GeneratedV2 is added and the
// generator refers to that. GeneratedV1 is removed when the runtime no longer supports the old
// form.
const GeneratedV1 = 1
