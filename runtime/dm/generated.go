package dm

// GeneratedV1 is referred to by generated code, so that a runtime older than the generator that
// wrote it fails to compile. It is of no use to anyone else.
//
// When the shape of generated code changes such that older runtimes cannot serve it, a constant
// GeneratedV2 joins it here and the generator refers to that; GeneratedV1 goes when the runtime no
// longer serves the old shape.
const GeneratedV1 = 1
